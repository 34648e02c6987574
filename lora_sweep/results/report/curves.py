"""Histories of trials, thinned so that hundreds of them fit on a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lora_sweep.results.metrics import Row

LOSS = "loss"
RATES = ("lr/unet", "lr", "lr/text")  # effective ones
MEASURED = ("val_loss", "drift", "subject")
"""What the page draws; all other columns stay in metrics.jsonl."""

SMOOTH_POINTS = 96
RAW_POINTS_IN_ALL = 120_000  # shared by all trials of a page
RAW_POINTS = (48, 400)  # of one trial, at least and at most
SMOOTHED_OVER = 1 / 20  # of the steps, and at least:
SMOOTHED_STEPS = 5

Points = list[list[float]]
"""[steps, values]"""


@dataclass(frozen=True)
class Curves:
    """What is drawn of one trial: `lines` by name, and the loss of every step, thinned."""

    lines: dict[str, Points]
    raw: Points


def curves_of(rows: Sequence[Row], num_trials: int) -> Curves:
    """The curves of one trial out of `num_trials` that share the page."""
    lines: dict[str, Points] = {}
    raw: Points = [[], []]
    for name in (LOSS, *RATES, *MEASURED):
        steps, values = _series(rows, name)
        if not steps:
            continue
        if name == LOSS:
            least, most = RAW_POINTS
            budget = max(least, min(most, RAW_POINTS_IN_ALL // max(1, num_trials)))
            raw = envelope(steps, values, budget)
            values = smooth(values)
        lines[name] = _rounded(*thin(steps, values, SMOOTH_POINTS))
    return Curves(lines, _rounded(*raw))


def _series(rows: Sequence[Mapping[str, Any]], name: str) -> tuple[list[float], list[float]]:
    found = {
        row["step"]: float(row[name])
        for row in rows
        if isinstance(row.get(name), int | float) and math.isfinite(row[name])
    }
    steps = sorted(found)
    return [float(step) for step in steps], [found[step] for step in steps]


def smooth(values: Sequence[float]) -> list[float]:
    """Exponential mean over a twentieth of the history, corrected for its beginning (as Adam's)."""
    span = max(SMOOTHED_STEPS, len(values) * SMOOTHED_OVER)
    past = math.exp(-1 / span)
    mean, weight, smoothed = 0.0, 0.0, list[float]()
    for value in values:
        mean = past * mean + (1 - past) * value
        weight = past * weight + (1 - past)
        smoothed.append(mean / weight)
    return smoothed


def thin(steps: Sequence[float], values: Sequence[float], count: int) -> tuple[Any, Any]:
    """At most `count` points, evenly spaced, both ends among them; a flat line is its ends."""
    last = len(steps) - 1
    if last < 1:
        return list(steps), list(values)
    if len(set(values)) == 1:
        return [steps[0], steps[-1]], [values[0], values[-1]]
    count = min(count, len(steps))
    kept = [round(k * last / (count - 1)) for k in range(count)]
    return [steps[k] for k in kept], [values[k] for k in kept]


def envelope(steps: Sequence[float], values: Sequence[float], count: int) -> Points:
    """Lowest and highest value of each of `count / 2` stretches, in order: no peak is lost."""
    if len(steps) <= count:
        return [list(steps), list(values)]
    stretches = count // 2
    kept: list[int] = []
    for k in range(stretches):
        stretch = range(k * len(steps) // stretches, (k + 1) * len(steps) // stretches)
        ends = {min(stretch, key=values.__getitem__), max(stretch, key=values.__getitem__)}
        kept += sorted(ends)
    return [[steps[k] for k in kept], [values[k] for k in kept]]


def _rounded(steps: Sequence[float], values: Sequence[float]) -> Points:
    return [[int(step) for step in steps], [float(f"{value:.4g}") for value in values]]
