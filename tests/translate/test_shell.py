"""A pasted command becomes the words that were meant."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_sweep.translate.diffusers.shell import read_text


def words(text: str, **environment: str) -> list[str]:
    read = read_text(text, environment)
    assert read.problems == []
    assert len(read.statements) == 1
    return read.statements[0]


@given(st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Cf")) | st.just(" "),
                        min_size=1), min_size=1))  # fmt: skip
def test_what_a_shell_quotes_is_read_back(given_words: list[str]) -> None:
    line = shlex.join(["program", *given_words])
    assert read_text(line, {}).statements == [["program", *given_words]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a --b='c d' \"e f\"", ["a", "--b=c d", "e f"]),
        ("a --b=\u201cc d\u201d", ["a", "--b=c d"]),
        ("a --b=\u2018it\u2019s TOK\u2019", ["a", "--b=it\u2019s TOK"]),
        ('a --b="TOK\u2019s \u201cdog\u201d"', ["a", "--b=TOK\u2019s \u201cdog\u201d"]),
        ("a --b=TOK\u2019s", ["a", "--b=TOK\u2019s"]),
        ("a\u00a0--b=c\u200b", ["a", "--b=c"]),
        ('a --b="c\u00a0d"', ["a", "--b=c d"]),
        ("a \\\n  --b=c \\\n", ["a", "--b=c"]),
        ("a \\  \n--b=c", ["a", "--b=c"]),
        ("a ^\r\n --b=c", ["a", "--b=c"]),
        ("a `\n --b=c", ["a", "--b=c"]),
        ('a "b"\\\n--c=d', ["a", "b", "--c=d"]),
        ("a --name=long\\\nword", ["a", "--name=longword"]),
        ("a --b=c\n\n--d=e\n", ["a", "--b=c", "--d=e"]),
        ("a --b=1e-4 # the rate\n--c", ["a", "--b=1e-4", "--c"]),
        ("a --b=1 \\\n# the rate\n--c", ["a", "--b=1", "--c"]),
        ("a --b=1 # the rate \\\n--c", ["a", "--b=1", "--c"]),
        ("a --b=x#y", ["a", "--b=x#y"]),
        ("!a b", ["a", "b"]),
        ("! a b", ["a", "b"]),
        ("$ a b", ["a", "b"]),
        ("> a b", ["a", "b"]),
        ("a b > log.txt 2>&1", ["a", "b"]),
        ("X=1 Y=2 a b", ["a", "b"]),
        ('a "b\\"c" \\$d', ["a", 'b"c', "$d"]),
        ("a '$b'", ["a", "$b"]),
    ],
)
def test_quotes_spaces_and_line_ends_are_read_as_meant(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    "before",
    [
        'export NAME="a b"\n',
        "NAME='a b'; ",
        "set NAME='a b'\n",
        "%env NAME=a\\ b\n",
        "%env NAME a b\n",
        'NAME = "a b"\n',
        "export OTHER=a NAME='a b' && ",
    ],
)
def test_variables_that_the_text_sets_stand_for_their_values(before: str) -> None:
    assert words(f"{before}x --y=$NAME") == ["x", "--y=a b"]
    assert words(f'{before}x --y="${{NAME}}/c"') == ["x", "--y=a b/c"]


def test_variables_of_a_notebook_stand_in_braces() -> None:
    assert words('NAME = "here"\n!x --y={NAME}') == ["x", "--y=here"]
    assert words("x --y={subject}") == ["x", "--y={subject}"]


def test_other_variables_come_from_outside_or_their_default() -> None:
    assert words("x $HERE ${NOT:-there}", HERE="here") == ["x", "here", "there"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x $NOT_SET", "$NOT_SET is not set"),
        ("x $(date)", "$(…) is not run"),
        ("x `date`", "`…` is not run"),
        ('x --y="z', "is never closed"),
        ("x --y=\u201cz", "is never closed"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, said: str) -> None:
    (problem,) = dict.fromkeys(read_text(text, {}).problems)
    assert said in problem


def test_tokens_are_neither_needed_nor_shown() -> None:
    assert read_text("x --hub_token=$HF_TOKEN", {}).problems == []
    (problem,) = read_text("x --hub_token='hf_abcdef", {}).problems
    assert "abcdef" not in problem


def test_flags_that_a_shell_would_glue_are_reported() -> None:
    read = read_text('x --a="b"\\\n--c=d', {})
    assert read.statements == [["x", "--a=b", "--c=d"]]
    assert read.remarks == ["a space was read before --c; to a shell the line before goes on there"]
