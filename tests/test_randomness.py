"""Draws without torch: functions of their arguments, and nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_sweep.randomness import Stream, integer_below, number, permutation


@given(st.integers(0, 200), st.integers(), st.integers(0, 50))
def test_a_permutation_holds_each_index_once(length: int, seed: int, epoch: int) -> None:
    assert sorted(permutation(length, seed, Stream.order, epoch)) == list(range(length))


def test_all_orders_of_three_are_equally_likely() -> None:
    counts: dict[tuple[int, ...], int] = {}
    for epoch in range(6000):
        order = permutation(3, 0, Stream.order, epoch)
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    # Six cells of 1000; chi-squared with 5 degrees of freedom exceeds 20.5 once in a thousand.
    assert sum((count - 1000) ** 2 / 1000 for count in counts.values()) < 20.5


def test_streams_seeds_and_counters_all_matter() -> None:
    draws = [
        number(0, Stream.noise, 1, 2),
        number(1, Stream.noise, 1, 2),
        number(0, Stream.view, 1, 2),
        number(0, Stream.noise, 2, 1),
        number(0, Stream.noise, 12),
        number(0, Stream.noise, "1", 2),
    ]
    assert len(set(draws)) == len(draws)
    assert all(0 <= draw < 2**63 for draw in draws)


@given(st.integers(1, 2**40), st.integers())
def test_integers_stay_below_their_bound(bound: int, seed: int) -> None:
    assert 0 <= integer_below(bound, seed, Stream.view) < bound


def test_a_bound_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        integer_below(0, 0, Stream.view)


def test_another_process_draws_the_same_without_torch() -> None:
    code = (
        "import sys; from lora_sweep.randomness import *; print(number(7, Stream.noise, 3)); "
        "assert 'torch' not in sys.modules"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(shown.stdout) == number(7, Stream.noise, 3)
