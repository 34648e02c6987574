"""Abstractions are words: found and replaced whole, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_sweep.data.captions import caption_problems, contains_abstraction, replace_abstractions
from lora_sweep.data.examples import Example, Examples

TOK = {"TOK": "<s0><s1>"}


@pytest.mark.parametrize(
    ("caption", "replaced"),
    [
        ("TOK", "<s0><s1>"),
        ("a photo of TOK", "a photo of <s0><s1>"),
        ("TOK, smiling", "<s0><s1>, smiling"),
        ("in TOK's style", "in <s0><s1>'s style"),
        ("(TOK)", "(<s0><s1>)"),
        ("TOK-like, TOK.", "<s0><s1>-like, <s0><s1>."),
        ("un TOK\u00a0été\nTOK", "un <s0><s1>\u00a0été\n<s0><s1>"),
        ("TOKYO", "TOKYO"),
        ("TOK2 STOK TOK_x", "TOK2 STOK TOK_x"),
        ("ÉTOK TOKÉ TOK\u0301", "ÉTOK TOKÉ TOK\u0301"),
        ("tok", "tok"),
        ("", ""),
    ],
)
def test_an_abstraction_is_replaced_as_a_whole_word_only(caption: str, replaced: str) -> None:
    assert replace_abstractions(caption, TOK) == replaced
    assert contains_abstraction(caption, "TOK") == (caption != replaced)


def test_one_abstraction_may_begin_with_another() -> None:
    mapping = {"TOK": "<s0><s1>", "TOK2": "<s2><s3>"}
    assert replace_abstractions("TOK2 beside TOK", mapping) == "<s2><s3> beside <s0><s1>"
    assert replace_abstractions("TOK 2, TOK", {"TOK": "a", "TOK 2": "b"}) == "b, a"


def test_nothing_is_replaced_twice() -> None:
    assert replace_abstractions("A B", {"A": "B", "B": "A"}) == "B A"


def test_special_characters_are_meant_literally() -> None:
    assert replace_abstractions("a s.k dog, sok", {"s.k": r"\1\g<0>"}) == r"a \1\g<0> dog, sok"


@given(st.text(), st.text(alphabet=" ,.'-", min_size=1), st.text())
def test_a_word_between_separators_is_always_found(before: str, between: str, after: str) -> None:
    caption = f"{before}{between}TOK{between}{after}"
    assert contains_abstraction(caption, "TOK")
    assert "<s0><s1>" in replace_abstractions(caption, TOK)


def of_captions(train: list[str], heldout: list[str]) -> Examples:
    def example(caption: str) -> Example:
        return Example(Path(f"{caption[:3]}.png"), caption, "0", "train", (1, 1))

    return Examples("test", tuple(map(example, train)), tuple(map(example, heldout)))


def test_captions_with_their_abstractions_have_no_problem() -> None:
    examples = of_captions(["a TOK emoji", "TOK's hat"], ["TOK"])
    assert caption_problems(examples, ["TOK"], pivotal=True) == []
    assert caption_problems(examples, ["TOK"], pivotal=False) == []
    assert caption_problems(examples, [], pivotal=False) == []


def test_an_abstraction_that_no_caption_holds_is_named() -> None:
    examples = of_captions(["a cat", "a dog"], [])
    for pivotal in (True, False):
        (problem,) = caption_problems(examples, ["TOK"], pivotal)
        assert "'TOK'" in problem and "'a cat'" in problem


def test_in_pivotal_training_each_caption_without_an_abstraction_is_named() -> None:
    examples = of_captions(["a TOK", "b TOKYO", "c"], ["d"])
    problems = caption_problems(examples, ["TOK"], pivotal=True)
    assert [problem.split(":")[0] for problem in problems] == ["b T.png", "c.png", "d.png"]
    assert "inside another word" in problems[0] and "inside another word" not in problems[1]
    assert caption_problems(examples, ["TOK"], pivotal=False) == []


def test_pivotal_training_needs_an_abstraction() -> None:
    (problem,) = caption_problems(of_captions(["a"], []), [], pivotal=True)
    assert "dataset.abstractions is empty" in problem
