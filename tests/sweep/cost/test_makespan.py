"""How long workers take, against every way to share the work out."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_sweep.sweep.cost.schedule import makespan, slowdown

jobs = st.lists(st.integers(0, 20).map(float), max_size=6)


def shortest(seconds: list[float], workers: int) -> float:
    """By trying every assignment of jobs to workers."""
    return min(
        max(
            sum(s for s, who in zip(seconds, assigned, strict=True) if who == worker)
            for worker in range(workers)
        )
        for assigned in product(range(workers), repeat=len(seconds))
    )


@given(jobs, st.integers(1, 4))
def test_longest_first_is_within_grahams_bound_of_the_best(
    seconds: list[float], workers: int
) -> None:
    best, found = shortest(seconds, workers), makespan(seconds, workers)
    assert best <= found <= (4 / 3 - 1 / (3 * workers)) * best


def test_the_bound_is_met_by_its_own_worst_case() -> None:
    assert makespan([5, 5, 4, 4, 3, 3, 3], 3) == 11
    assert shortest([5, 5, 4, 4, 3, 3, 3], 3) == 9


@given(jobs)
def test_one_worker_takes_the_sum_and_enough_workers_the_longest(seconds: list[float]) -> None:
    assert makespan(seconds, 1) == sum(seconds)
    assert makespan(seconds, len(seconds) + 1) == max(seconds, default=0.0)


def test_no_worker_is_refused() -> None:
    with pytest.raises(ValueError, match="workers=0: must be at least 1"):
        makespan([1.0], 0)


def test_only_workers_that_share_cores_are_slower() -> None:
    assert slowdown(2, threads=1, cores=4) == 1.0
    assert slowdown(4, threads=2, cores=4) == 2.0
