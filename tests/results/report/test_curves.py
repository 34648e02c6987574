from __future__ import annotations

import math

import pytest

from lora_sweep.results.report.curves import RAW_POINTS, curves_of, envelope, smooth, thin


def test_smoothing_keeps_a_constant_and_the_first_value() -> None:
    assert smooth([0.3] * 50) == pytest.approx([0.3] * 50)
    assert smooth([1.0, 0.0])[0] == 1.0


def test_smoothing_is_the_exponential_mean_with_its_beginning_corrected() -> None:
    values = [math.sin(k) for k in range(40)]
    past = math.exp(-1 / 5)
    for last in (0, 7, 39):
        weights = [past ** (last - k) for k in range(last + 1)]
        expected = sum(w * v for w, v in zip(weights, values, strict=False)) / sum(weights)
        assert smooth(values)[last] == pytest.approx(expected)


def test_thinning_keeps_both_ends_and_draws_a_flat_line_by_them() -> None:
    steps = [float(k) for k in range(1, 1001)]
    kept, _ = thin(steps, steps, 96)
    assert (len(kept), kept[0], kept[-1]) == (96, 1.0, 1000.0)
    assert thin(steps, [2.0] * 1000, 96) == ([1.0, 1000.0], [2.0, 2.0])
    assert thin([5.0], [1.0], 96) == ([5.0], [1.0])


def test_the_raw_loss_loses_no_peak() -> None:
    values = [0.0] * 5000
    values[1234], values[4321] = 9.0, -9.0
    steps, kept = envelope([float(k) for k in range(5000)], values, 100)
    assert len(steps) <= 200
    assert steps == sorted(steps)
    assert (1234.0, 9.0) in zip(steps, kept, strict=True)
    assert (4321.0, -9.0) in zip(steps, kept, strict=True)


def test_rows_become_lines_by_name_without_what_is_no_number() -> None:
    rows = [
        {"step": 1, "loss": 0.5, "lr/unet": 1e-4, "note": "x"},
        {"step": 2, "loss": float("nan"), "lr/unet": 1e-4},
        {"step": 2, "val_loss": 0.25},
        {"step": 2, "loss": 0.4},
    ]
    curves = curves_of(rows, 1)
    assert list(curves.lines) == ["loss", "lr/unet", "val_loss"]
    assert curves.raw == [[1, 2], [0.5, 0.4]]
    assert curves.lines["val_loss"] == [[2], [0.25]]
    assert curves_of([], 1).lines == {}


def test_many_trials_share_the_room_for_raw_losses() -> None:
    rows = [{"step": k, "loss": math.sin(k)} for k in range(2000)]
    alone, one_of_many = curves_of(rows, 1).raw, curves_of(rows, 1000).raw
    assert len(alone[0]) == RAW_POINTS[1]
    assert len(one_of_many[0]) <= 120
