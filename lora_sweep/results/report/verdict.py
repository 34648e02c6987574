"""Which settings are best by a measure, and which of the others cannot be told from them.

The noise is judged by repeats with other seeds (noise.py). The chance of being best is taken from
1,000 or more draws of all means at once under the same model (normal noise of one width, flat
prior).
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lora_sweep.results.report.noise import Fit, fit

Better = Literal["lower", "higher"]

DRAWS = 20_000
LARGEST_DRAW = 4_000_000  # numbers in memory at once: 32 MB


@dataclass(frozen=True)
class Standing:
    """One settings' place. `group` is its position among those judged."""

    group: int
    mean: float  # as if it had run with every seed that any has run with
    spread: float | None  # standard deviation over its own seeds; None for a single one
    levelled: tuple[float, ...]  # its values without what their seeds do to all settings
    floor: float | None  # how far from the best it would have to be to differ; None: not known
    inside: bool  # not to be told from the best
    chance: float | None  # of being the best; None: not known


@dataclass(frozen=True)
class Verdict:
    """All settings that have the measure, best first."""

    measure: str
    better: Better
    standings: tuple[Standing, ...]
    floor: float | None  # of two settings with as many repeats as the best has
    pooled: float | None  # standard deviation of the noise; None where nothing was repeated
    degrees: int  # of freedom of `pooled`


def judge(measure: str, better: Better, groups: Sequence[Mapping[str, float]]) -> Verdict:
    """Order settings, each with its values by seed; those without any are left out."""
    judged = [index for index, values in enumerate(groups) if values]
    if not judged:
        return Verdict(measure, better, (), None, None, 0)
    fitted = fit([groups[index] for index in judged])
    chances = _chances(fitted, better)
    sign = 1.0 if better == "lower" else -1.0
    order = sorted(range(len(judged)), key=lambda k: (sign * fitted.means[k], k))
    best = order[0]
    standings: list[Standing] = []
    for k in order:
        values = groups[judged[k]]
        floor = fitted.floor(k, best) if k != best else None
        away = abs(float(fitted.means[k] - fitted.means[best]))
        standings.append(
            Standing(
                group=judged[k],
                mean=float(fitted.means[k]),
                spread=statistics.stdev(values.values()) if len(values) > 1 else None,
                levelled=tuple(value - fitted.shifts[seed] for seed, value in values.items()),
                floor=floor,
                inside=floor is not None and away <= floor,
                chance=chances[k] if chances is not None else None,
            )
        )
    return Verdict(
        measure, better, tuple(standings), _typical_floor(fitted, best), fitted.pooled,
        fitted.degrees,
    )  # fmt: skip


def _typical_floor(fitted: Fit, best: int) -> float | None:
    """That of the best and the setting whose mean is known as well as most are."""
    others = [k for k in range(len(fitted.means)) if k != best]
    floors = [floor for k in others if (floor := fitted.floor(k, best)) is not None]
    return statistics.median_low(floors) if floors else None


def _chances(fitted: Fit, better: Better) -> list[float] | None:
    """How often each mean is the best one; ties share."""
    if fitted.pooled is None:
        return None
    count = len(fitted.means)
    draws = max(1_000, min(DRAWS, LARGEST_DRAW // count))
    random = np.random.default_rng(0)  # the same page for the same results
    scale = np.sqrt(fitted.degrees / random.chisquare(fitted.degrees, size=(draws, 1)))
    values, vectors = np.linalg.eigh(fitted.covariance)
    spread = vectors * np.sqrt(np.clip(values, 0.0, None))
    errors = random.standard_normal((draws, count)) @ spread.T * (fitted.pooled * scale)
    drawn = fitted.means + errors
    best = drawn.min(axis=1) if better == "lower" else drawn.max(axis=1)
    wins = drawn == best[:, None]
    return [float(share) for share in (wins / wins.sum(axis=1, keepdims=True)).mean(axis=0)]
