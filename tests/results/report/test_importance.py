from __future__ import annotations

import itertools
import random

import pytest

from lora_sweep.results.report.axes import Axis, Value
from lora_sweep.results.report.importance import FEWEST_TRIALS, MOST_TRIALS, importance_of

RANK = Axis("rank", (4, 16, 64))
OPTIMIZER = Axis("optimizer", ("prodigy", "adamw", None))
SEED = Axis("seed", (0, 1, 2))
AXES = (RANK, OPTIMIZER, SEED)
GRID: list[dict[str, Value]] = [
    dict(zip(("rank", "optimizer", "seed"), values, strict=True))
    for values in itertools.product(*(axis.values for axis in AXES))
]


def test_the_setting_that_decides_has_nearly_all_of_the_variance() -> None:
    scores: list[float | None] = [RANK.values.index(row["rank"]) + 0.01 for row in GRID]
    found = importance_of(AXES, GRID, scores)
    assert found.why_not is None
    assert found.trials == len(GRID)
    assert found.shares["rank"] > 0.95
    assert sum(found.shares.values()) == pytest.approx(1.0)


def test_a_setting_that_decides_nothing_has_no_more_than_noise() -> None:
    dice = random.Random(0)
    scores: list[float | None] = [
        OPTIMIZER.values.index(row["optimizer"]) + dice.gauss(0, 0.05) for row in GRID
    ]
    found = importance_of(AXES, GRID, scores)
    assert next(iter(found.shares)) == "optimizer"
    assert found.shares["rank"] < 0.05


def test_many_numbers_are_taken_as_a_range() -> None:
    lr = Axis("lr", tuple(1e-5 * 1.5**k for k in range(12)))
    rows: list[dict[str, Value]] = [{"lr": v, "seed": s} for v in lr.values for s in SEED.values]
    scores: list[float | None] = [float(k // 3) for k in range(len(rows))]
    assert importance_of((lr, SEED), rows, scores).shares["lr"] > 0.95


def test_numbers_that_only_some_trials_have_are_not_told_apart_one_by_one() -> None:
    dice = random.Random(0)
    rates: list[Value] = [None if k % 2 else 10 ** dice.uniform(-5, -3) for k in range(40)]
    lr = Axis("lr", (None, *sorted(rate for rate in rates if isinstance(rate, float))))
    rows: list[dict[str, Value]] = [{"lr": v, "rank": dice.choice(RANK.values)} for v in rates]
    scores: list[float | None] = [RANK.values.index(row["rank"]) + 0.01 for row in rows]
    assert importance_of((RANK, lr), rows, scores).shares["rank"] > 0.8


def test_trials_without_a_score_are_left_out_and_too_few_are_refused_with_a_reason() -> None:
    few: list[float | None] = [1.0 * k if k < FEWEST_TRIALS - 1 else None for k in range(len(GRID))]
    found = importance_of(AXES, GRID, few)
    assert (found.shares, found.trials) == ({}, FEWEST_TRIALS - 1)
    assert found.why_not == "11 finished trials; at least 12 needed"


def test_where_there_is_nothing_to_compare_it_says_so() -> None:
    one = importance_of((RANK,), GRID, [1.0] * len(GRID))
    assert one.why_not == "only one setting varies: there is nothing to compare"
    assert importance_of(AXES, GRID, [1.0] * len(GRID)).why_not == "every trial has the same value"


def test_of_very_many_trials_a_part_is_looked_at() -> None:
    axes = (Axis("a", tuple(range(40))), Axis("b", tuple(range(10))))
    rows: list[dict[str, Value]] = [{"a": a, "b": b} for a in range(40) for b in range(10)]
    scores: list[float | None] = [float(row["b"] or 0) for row in rows]
    found = importance_of(axes, rows, scores)
    assert found.trials == MOST_TRIALS < len(rows)
    assert found.shares["b"] > 0.9
