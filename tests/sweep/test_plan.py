"""The post's three grids, counted; and what the plan says of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from specs import EPOCH, EXACT, face, huggy, spec, y2k

from lora_sweep.config.settings import PivotRounding, Settings, Train
from lora_sweep.sweep.plan import describe
from lora_sweep.sweep.stages import TrialSpec
from lora_sweep.sweep.tree import Family, StageTree, build_tree


def face_of_10(rounding: PivotRounding = EXACT) -> Iterator[TrialSpec]:
    return face(rounding, num_pictures=10)


def face_in_batches(rounding: PivotRounding = EXACT) -> Iterator[TrialSpec]:
    return face(rounding, batch_size=4)


@pytest.mark.parametrize(
    ("grid", "trials", "families", "alone", "in_tree", "in_tree_by_epochs"),
    [
        (huggy, 288, 96, 412_800, 232_800, 232_998),
        (y2k, 1296, 432, 1_296_000, 810_000, 809_640),
        (face, 768, 256, 453_120, 251_520, 238_720),
        (face_of_10, 768, 256, 755_200, 419_200, 425_600),
        (face_in_batches, 768, 256, 453_120, 251_520, 251_072),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_the_posts_grids_cost_what_was_counted_for_them(
    grid: Callable[..., Iterator[TrialSpec]],
    trials: int,
    families: int,
    alone: int,
    in_tree: int,
    in_tree_by_epochs: int,
) -> None:
    tree, by_epochs = build_tree(grid()), build_tree(grid(EPOCH))
    assert (tree.num_trials, len(tree.families)) == (trials, families)
    assert (tree.steps_alone, tree.steps_in_tree) == (alone, in_tree)
    assert (by_epochs.steps_alone, by_epochs.steps_in_tree) == (alone, in_tree_by_epochs)
    assert tree.duplicates == by_epochs.duplicates == 0


@pytest.mark.parametrize(
    ("grid", "alone", "regular", "pivotal"),
    [(huggy, 4300, 1800, 3050), (y2k, 3000, 1500, 2250), (face, 1770, 720, 1245)],
)
def test_every_family_of_a_grid_costs_its_longest_trial_or_its_trunk_and_what_is_left(
    grid: Callable[..., Iterator[TrialSpec]], alone: int, regular: int, pivotal: int
) -> None:
    tree = build_tree(grid())
    shapes = {shape(family) for family in tree.families}
    assert shapes == {(3, alone, regular), (3, alone, pivotal)}
    assert [shape(family)[2] for family in tree.families].count(regular) * 2 == len(tree.families)


def shape(family: Family) -> tuple[int, int, int]:
    return len(family.trials), family.steps_alone, family.steps_in_tree


def test_a_plan_says_what_sharing_saves() -> None:
    assert describe(build_tree(huggy())) == [
        "trials                      288",
        "duplicates dropped            0",
        "families                     96",
        "steps alone             412,800",
        "steps in the tree       232,800",
        "saving                  43.60 %",
    ]


def test_a_plan_says_how_many_duplicates_it_dropped() -> None:
    twice = [spec(Settings(train=Train(max_train_steps=10)))] * 2
    assert describe(build_tree(twice))[:2] == [
        "trials                        1",
        "duplicates dropped            1",
    ]


def test_an_empty_sweep_saves_nothing() -> None:
    assert describe(StageTree((), 0))[-1].split() == ["saving", "0.00", "%"]
