"""Held-out pictures follow from the pictures; subsets from their seed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_sweep.config.settings import Dataset
from lora_sweep.data.examples import Example
from lora_sweep.data.selection import draw_subset, keep_back


def examples_of(*digests: str | int) -> list[Example]:
    return [Example(Path(f"{each}.png"), "TOK", str(each), "train", (1, 1)) for each in digests]


@given(st.integers(2, 60))
def test_auto_keeps_back_one_in_eight_and_at_least_one(count: int) -> None:
    problems: list[str] = []
    examples = examples_of(*range(count))
    train, heldout = keep_back(examples, "auto", problems)
    assert len(heldout) == max(1, count // 8) and not problems
    assert {each.split for each in train} <= {"train"}
    assert {each.split for each in heldout} == {"heldout"}
    paths = [each.path for each in examples]
    assert sorted(each.path for each in train + heldout) == sorted(paths), "each is on one side"
    assert [each.path for each in train] == [
        path for path in paths if path in {e.path for e in train}
    ]


def test_auto_keeps_back_nothing_of_a_single_picture() -> None:
    train, heldout = keep_back(examples_of("a"), "auto", [])
    assert len(train) == 1 and heldout == []


def test_the_same_pictures_are_kept_back_in_any_order() -> None:
    digests = [f"{index:x}" for index in range(24)]
    _, heldout = keep_back(examples_of(*digests), "auto", [])
    _, turned = keep_back(examples_of(*reversed(digests)), "auto", [])
    assert {each.digest for each in heldout} == {each.digest for each in turned}


@given(st.lists(st.sampled_from("abcdef"), min_size=2))
def test_copies_of_a_picture_stay_on_one_side(digests: list[str]) -> None:
    train, heldout = keep_back(examples_of(*digests), "auto", [])
    assert not {each.digest for each in train} & {each.digest for each in heldout}
    assert train, "something is left to train on"


@pytest.mark.parametrize("holdout", ["5", "-1", "all", "1.5", "", "²"])
def test_a_holdout_that_leaves_nothing_or_is_no_number_is_refused(holdout: str) -> None:
    problems: list[str] = []
    keep_back(examples_of(*range(5)), holdout, problems)
    (problem,) = problems
    assert f"dataset.holdout={holdout}: allowed is auto or 0 to 4" in problem


def test_a_number_keeps_back_so_many_and_zero_none() -> None:
    for count in range(5):
        train, heldout = keep_back(examples_of(*range(5)), str(count), [])
        assert (len(train), len(heldout)) == (5 - count, count)


def test_a_subset_keeps_the_order_and_depends_on_its_seed() -> None:
    examples = examples_of(*range(20))
    drawn = {
        seed: draw_subset(examples, Dataset(subset=6, subset_seed=seed), []) for seed in range(4)
    }
    for subset in drawn.values():
        assert len(subset) == 6
        assert subset == [each for each in examples if each in subset], "in the order given"
    assert len({tuple(subset) for subset in drawn.values()}) == 4
    larger = draw_subset(examples, Dataset(subset=12), [])
    assert set(drawn[0]) < set(larger), "a larger subset of the same seed holds the smaller"
