from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lora_sweep.results.report.noise import dunnett, fit

# Dunnett (1955), table 1a: one-sided, 95 %; by degrees of freedom, for 1 to 5 others.
PUBLISHED = {
    5: (2.02, 2.44, 2.68, 2.85, 2.98),
    10: (1.81, 2.15, 2.34, 2.47, 2.56),
    20: (1.72, 2.03, 2.19, 2.30, 2.39),
}


def grid(rng: np.random.Generator, rows: int, seeds: int) -> list[dict[str, float]]:
    values = rng.normal(size=(rows, seeds)) + np.arange(rows)[:, None]
    return [{str(s): float(v) for s, v in enumerate(row)} for row in values]


@pytest.mark.parametrize("degrees", PUBLISHED)
def test_the_points_are_those_of_dunnetts_table(degrees: int) -> None:
    found = [dunnett(others, degrees) for others in range(1, 6)]
    assert found == pytest.approx(PUBLISHED[degrees], abs=0.006)


@pytest.mark.parametrize("degrees", [1, 2, 7, 400])
def test_against_one_other_the_point_is_students(degrees: int) -> None:
    from scipy.stats import t

    assert dunnett(1, degrees) == pytest.approx(t.ppf(0.95, degrees), rel=2e-3)


def test_a_full_table_has_plain_means_and_the_noise_of_a_two_way_analysis() -> None:
    table = grid(np.random.default_rng(0), 4, 3)
    values = np.array([list(row.values()) for row in table])
    rest = values - values.mean(1, keepdims=True) - values.mean(0, keepdims=True) + values.mean()
    found = fit(table)
    assert found.means == pytest.approx(values.mean(axis=1))
    assert found.degrees == 3 * 2
    assert found.pooled == pytest.approx(np.sqrt((rest**2).sum() / 6))
    floor = found.floor(0, 1)
    assert found.pooled is not None
    assert floor == pytest.approx(dunnett(3, 6) * found.pooled * np.sqrt(2 / 3))


def test_a_table_with_holes_is_fitted_by_least_squares() -> None:
    rng = np.random.default_rng(1)
    table = grid(rng, 5, 4)
    for row, seed in ((0, "1"), (0, "2"), (3, "0")):
        del table[row][seed]
    cells = [(r, int(s), v) for r, row in enumerate(table) for s, v in row.items()]
    design = np.zeros((len(cells), 5 + 4))
    for line, (r, s, _) in enumerate(cells):
        design[line, [r, 5 + s]] = 1
    target = np.array([v for *_, v in cells])
    solved = np.linalg.lstsq(design, target)[0]
    found = fit(table)
    left = target - design @ solved
    assert found.pooled is not None
    assert found.degrees == len(cells) - (5 + 4 - 1)
    assert found.pooled == pytest.approx(np.sqrt(left @ left / found.degrees))
    assert np.diff(found.means) == pytest.approx(np.diff(solved[:5]))
    inverse = np.linalg.pinv(design.T @ design)
    one, other = np.eye(9)[0], np.eye(9)[3]
    wide = np.sqrt((one - other) @ inverse @ (one - other))
    assert found.floor(0, 3) == pytest.approx(dunnett(4, found.degrees) * found.pooled * wide)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=3, max_size=3), st.integers(0, 2**32 - 1))
def test_what_a_seed_does_to_all_settings_is_no_noise(moved: list[float], seed: int) -> None:
    table = grid(np.random.default_rng(seed), 4, 3)
    shifted = [{s: v + moved[int(s)] for s, v in row.items()} for row in table]
    before, after = fit(table), fit(shifted)
    assert after.pooled == pytest.approx(before.pooled, abs=1e-9)
    assert np.diff(after.means) == pytest.approx(np.diff(before.means), abs=1e-9)


def test_a_setting_without_the_unlucky_seed_gains_nothing() -> None:
    table = [{"0": 1.0, "1": 2.01, "2": 3.0}, {"0": 1.1, "1": 2.1}, {"0": 1.0, "1": 2.0, "2": 3.01}]
    found = fit(table)
    assert found.means[1] > max(found.means[0], found.means[2])
    assert found.shifts["2"] == pytest.approx(1.0, abs=0.02)


def test_settings_with_seeds_of_their_own_are_compared_by_plain_means() -> None:
    table = [{"0": 1.0, "1": 2.0}, {"2": 5.0, "3": 7.0}]
    found = fit(table)
    assert list(found.means) == [1.5, 6.0]
    assert found.degrees == 2
    assert found.pooled == pytest.approx(np.sqrt((0.5 + 2.0) / 2))


def test_too_few_repeats_to_compare_within_seeds_count_as_noise() -> None:
    found = fit([{"0": 1.0, "1": 2.0}, {"0": 1.5, "1": 2.5}])
    assert found.degrees == 2
    assert found.pooled == pytest.approx(np.sqrt(0.5))


def test_without_repeats_the_noise_is_not_known() -> None:
    for table in ([{"0": 1.0}, {"0": 2.0}], [{"0": 1.0}, {"1": 2.0}], [{"0": 1.0}]):
        found = fit(table)
        assert found.pooled is None
        assert found.floor(0, 0) is None


@pytest.mark.parametrize(("count", "seeds"), [(2, 4), (5, 3), (30, 3)])
def test_the_truly_best_is_within_the_floor_in_95_of_100_sweeps(count: int, seeds: int) -> None:
    rng = np.random.default_rng(2)
    kept = 0
    for _ in range(1000):
        noise = rng.normal(size=(count, seeds)) + rng.normal(size=seeds)
        found = fit([{str(s): float(v) for s, v in enumerate(row)} for row in noise])
        best = int(found.means.argmin())  # lower is better; all are equally good in truth
        floor = found.floor(0, best)
        assert floor is not None
        kept += best == 0 or found.means[0] - found.means[best] <= floor
    assert 930 <= kept <= 970  # 950 expected; three standard deviations are 21
