from __future__ import annotations

import pytest

from lora_sweep.results.report.verdict import judge

CLEAR = [
    {"0": 1.00, "1": 1.11, "2": 1.05},
    {"0": 0.50, "1": 0.60, "2": 0.56},
    {},
    {"0": 1.51, "1": 1.60, "2": 1.55},
]
TIE = [
    {"0": 1.0, "1": 2.0, "2": 3.1},
    {"0": 1.1, "1": 1.9, "2": 3.0},
    {"0": 3.0, "1": 4.1, "2": 5.0},
]


def test_settings_are_ordered_by_what_is_better_and_those_without_a_value_left_out() -> None:
    lower, higher = judge("val_loss", "lower", CLEAR), judge("subject", "higher", CLEAR)
    assert [each.group for each in lower.standings] == [1, 0, 3]
    assert [each.group for each in higher.standings] == [3, 0, 1]
    assert lower.standings[0].mean == pytest.approx((0.50 + 0.60 + 0.56) / 3)
    assert lower.standings[0].spread == pytest.approx(0.0503, abs=1e-4)
    assert not judge("val_loss", "lower", [{}, {}]).standings


def test_a_clear_best_has_nothing_inside_its_noise() -> None:
    found = judge("val_loss", "lower", CLEAR)
    assert not any(each.inside for each in found.standings)
    assert found.standings[0].chance == pytest.approx(1.0, abs=0.001)


def test_what_is_nearer_to_the_best_than_the_floor_is_inside() -> None:
    found = judge("val_loss", "lower", TIE)
    assert [(each.group, each.inside) for each in found.standings] == [
        (1, False), (0, True), (2, False)
    ]  # fmt: skip
    assert found.floor is not None
    assert 0.03 < found.floor < 1.0  # what the seeds do to all, 1 and more, is not in it
    chances = [each.chance or 0.0 for each in found.standings]
    assert sum(chances) == pytest.approx(1.0)
    assert chances[0] > chances[1] > 0.1 > chances[2]


def test_the_chance_of_two_settings_is_that_of_a_one_sided_t_test() -> None:
    from scipy.stats import ttest_rel

    groups = [{"0": 1.0, "1": 1.3, "2": 1.1, "3": 1.6}, {"0": 1.1, "1": 1.2, "2": 1.3, "3": 1.8}]
    found = judge("val_loss", "lower", groups)
    first, second = (list(group.values()) for group in groups)
    p = ttest_rel(first, second, alternative="less").pvalue
    assert found.standings[0].group == 0
    assert found.standings[0].chance == pytest.approx(1 - p, abs=0.01)


def test_values_are_levelled_by_what_their_seed_does() -> None:
    best, *_ = judge("val_loss", "lower", TIE).standings
    assert max(best.levelled) - min(best.levelled) < 0.2
    assert sum(best.levelled) / 3 == pytest.approx(best.mean)


def test_without_repeats_nothing_is_said_of_noise() -> None:
    found = judge("val_loss", "lower", [{"0": 2.0}, {"0": 1.0}])
    assert (found.floor, found.pooled, found.degrees) == (None, None, 0)
    assert [(e.spread, e.inside, e.chance) for e in found.standings] == [(None, False, None)] * 2


def test_equal_values_tie_and_share_the_chance() -> None:
    found = judge("val_loss", "lower", [{"0": 1.0, "1": 1.0}, {"0": 1.0, "1": 1.0}])
    assert found.standings[1].inside
    assert [each.chance for each in found.standings] == [0.5, 0.5]


def test_the_same_results_give_the_same_verdict() -> None:
    assert judge("val_loss", "lower", TIE) == judge("val_loss", "lower", TIE)
