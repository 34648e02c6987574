"""Steps that were not measured cost what the nearest measured ones cost, and the differences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyed import cost, key

from lora_sweep.sweep.cost.infer import StepCosts
from lora_sweep.sweep.cost.records import TRIALS, StepCost

positive = st.floats(0.001, 100)


def seconds(costs: list[StepCost], **asked: object) -> float:
    found = StepCosts(costs).expect(key(**asked), key(**asked).rows_per_step)
    assert found is not None
    return found.seconds


def memory(costs: list[StepCost], **asked: object) -> float | None:
    found = StepCosts(costs).expect(key(**asked), key(**asked).rows_per_step)
    assert found is not None
    return found.memory


def test_a_measured_step_costs_what_was_measured() -> None:
    costs = StepCosts([cost(2.0, 100), cost(9.0, 900, rows=8), cost(7.0, 700, rank=32)])
    found = costs.expect(key(), 4)
    assert found is not None
    assert (found.seconds, found.memory) == (2.0, 100)
    assert found.measured == cost(2.0, 100)


def test_what_is_inferred_says_so() -> None:
    found = StepCosts([cost(2.0)]).expect(key(rank=32), 4)
    assert found is not None and found.measured is None


def test_short_last_batches_are_still_measured_and_much_shorter_ones_inferred() -> None:
    costs = StepCosts([cost(2.0)])
    near, far = costs.expect(key(), 3.5), costs.expect(key(), 2.5)
    assert near is not None and near.measured is not None and near.seconds == 2.0 * 3.5 / 4
    assert far is not None and far.measured is None


@pytest.mark.parametrize(
    "other",
    [{"base": "c"}, {"device": "cuda"}, {"threads": 2}, {"precision": "bf16"},
     {"kernels": "compile"}, {"texts": 4}],
    ids=str,
)  # fmt: skip
def test_nothing_is_inferred_from_another_base_device_precision_or_side_of_the_pivot(
    other: dict[str, object],
) -> None:
    assert StepCosts([cost(2.0)]).expect(key(**other), 4) is None


def test_with_one_measurement_time_goes_with_the_rows() -> None:
    assert seconds([cost(2.0)], rows=8) == 4.0


@pytest.mark.parametrize(
    "other", [{"rows": 8}, {"resolution": 128}, {"rank": 32}, {"optimizer": "prodigy"}], ids=str
)
def test_memory_is_not_guessed_where_measurements_do_not_tell(other: dict[str, object]) -> None:
    assert memory([cost(2.0, 100)], **other) is None


@given(base=positive, each=positive, rows=st.integers(1, 64))
def test_rows_lie_on_the_line_through_two_measurements(base: float, each: float, rows: int) -> None:
    costs = [cost(base + each, 10, rows=1), cost(base + 4 * each, 40, rows=4)]
    assert seconds(costs, rows=rows) == pytest.approx(base + each * rows)
    assert memory(costs, rows=rows) == pytest.approx(10 * rows)


@given(base=positive, each=positive, rank=st.integers(4, 64))
def test_ranks_lie_on_the_line_through_two_measurements(
    base: float, each: float, rank: int
) -> None:
    costs = [cost(base + 4 * each, rank=4), cost(base + 64 * each, rank=64)]
    assert seconds(costs, rank=rank) == pytest.approx(base + each * rank)


def test_between_three_measurements_it_is_the_line_of_the_two_around() -> None:
    costs = [cost(1.0, rows=1), cost(2.0, rows=2), cost(10.0, rows=4)]
    assert seconds(costs, rows=3) == 6.0
    assert seconds(costs, rows=8) == 26.0, "beyond, the last two"


def test_accumulated_rows_are_as_many_rows_in_time_but_not_in_memory() -> None:
    costs = [cost(1.0, 10, rows=1), cost(4.0, 40, rows=4)]
    assert seconds(costs, rows=2, accumulation=4) == 8.0
    assert memory(costs, rows=2, accumulation=4) == 20


def test_pixels_scale_time() -> None:
    assert seconds([cost(2.0)], resolution=128) == 8.0


def test_another_optimizer_adds_what_it_adds_in_the_pair_that_is_most_alike() -> None:
    costs = [
        cost(1.0, rows=1), cost(4.0, rows=4),
        cost(1.5, rows=1, optimizer="prodigy"),
        cost(9.0, rows=1, rank=32), cost(9.1, rows=1, rank=32, optimizer="prodigy"),
    ]  # fmt: skip
    assert seconds(costs, rows=4, optimizer="prodigy") == pytest.approx(4.5)


def test_two_other_settings_add_both_their_differences() -> None:
    costs = [
        cost(4.0, 40), cost(4.5, 45, optimizer="prodigy"), cost(6.0, 30, checkpointing=True),
    ]  # fmt: skip
    assert seconds(costs, optimizer="prodigy", checkpointing=True) == pytest.approx(6.5)
    assert memory(costs, optimizer="prodigy", checkpointing=True) == 35


def test_a_setting_that_nothing_tells_of_adds_nothing() -> None:
    assert seconds([cost(2.0)], optimizer="adafactor") == 2.0


def test_trials_and_calibrations_are_not_subtracted_from_each_other() -> None:
    # Trials tell the clock on the wall, calibrations CPU time: their difference is no setting's.
    costs = [cost(2.0), cost(9.0, source=TRIALS, optimizer="prodigy")]
    assert seconds(costs, optimizer="prodigy", rank=32) == 9.0
    assert seconds(costs, checkpointing=True) == 2.0


def test_of_one_key_the_first_measurement_is_kept() -> None:
    assert seconds([cost(2.0, source=TRIALS), cost(3.0)]) == 2.0


@given(first=positive, second=positive, rows=st.integers(1, 1000))
def test_noise_never_makes_time_negative(first: float, second: float, rows: int) -> None:
    assert seconds([cost(first, rows=2), cost(second, rows=3)], rows=rows) > 0


def test_memory_is_unknown_where_none_was_measured() -> None:
    assert memory([cost(2.0)]) is None
