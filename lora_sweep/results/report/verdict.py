"""Which settings are best by a measure, and which of the others cannot be told from them.

Trials that differ in seeds alone are repeats. Their spread, pooled over all settings, is the noise
floor: with the standard deviation s of v degrees of freedom, the means of n and m repeats differ
when they are further apart than t(97.5 %, v) * s * sqrt(1/n + 1/m), Fisher's least significant
difference. The chance of being best is taken from 1,000 or more draws of all means at once under
the same model (normal noise of one width, flat prior).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Better = Literal["lower", "higher"]

DRAWS = 20_000
LARGEST_DRAW = 4_000_000  # numbers in memory at once: 32 MB
NORMAL_975 = 1.959964
EXACT_T = {1: 12.7062, 2: 4.3027, 3: 3.1824, 4: 2.7764}
"""97.5 % points of Student's t where the series below is not exact to four digits."""


@dataclass(frozen=True)
class Standing:
    """One settings' place. `group` is its position among those judged."""

    group: int
    mean: float
    spread: float | None  # standard deviation over repeats; None for a single one
    values: tuple[float, ...]
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
    pooled: float | None  # standard deviation over repeats; None where nothing was repeated
    degrees: int  # of freedom of `pooled`


def judge(measure: str, better: Better, groups: Sequence[Sequence[float]]) -> Verdict:
    """Order groups of repeats by their means; empty groups are left out."""
    judged = [index for index, values in enumerate(groups) if values]
    samples = [np.asarray(groups[index], float) for index in judged]
    means = [float(values.mean()) for values in samples]
    counts = [len(values) for values in samples]
    degrees = sum(count - 1 for count in counts)
    squares = sum(float(((values - values.mean()) ** 2).sum()) for values in samples)
    pooled = math.sqrt(squares / degrees) if degrees else None
    chances = _chances(means, counts, pooled, degrees, better)
    sign = 1.0 if better == "lower" else -1.0
    order = sorted(range(len(judged)), key=lambda k: (sign * means[k], k))
    standings: list[Standing] = []
    for k in order:
        best = order[0]
        floor = noise_floor(pooled, degrees, counts[k], counts[best])
        inside = floor is not None and k != best and abs(means[k] - means[best]) <= floor
        spread = float(samples[k].std(ddof=1)) if counts[k] > 1 else None
        values = tuple(float(value) for value in samples[k])
        chance = chances[k] if chances is not None else None
        standings.append(Standing(judged[k], means[k], spread, values, floor, inside, chance))
    floor = noise_floor(pooled, degrees, counts[order[0]], counts[order[0]]) if order else None
    return Verdict(measure, better, tuple(standings), floor, pooled, degrees)


def noise_floor(pooled: float | None, degrees: int, count: int, other: int) -> float | None:
    """The least difference of two means that is one; None where nothing was repeated."""
    if pooled is None:
        return None
    return t_975(degrees) * pooled * math.sqrt(1 / count + 1 / other)


def t_975(degrees: int) -> float:
    """The 97.5 % point of Student's t; exact to 0.1 % (Abramowitz and Stegun, 26.7.5)."""
    if degrees in EXACT_T:
        return EXACT_T[degrees]
    z, v = NORMAL_975, float(degrees)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / v + second / v**2 + third / v**3


def _chances(
    means: Sequence[float],
    counts: Sequence[int],
    pooled: float | None,
    degrees: int,
    better: Better,
) -> list[float] | None:
    """How often each mean is the best one; ties share."""
    if pooled is None:
        return None
    draws = max(1_000, min(DRAWS, LARGEST_DRAW // len(means)))
    random = np.random.default_rng(0)  # the same page for the same results
    sigma = pooled * np.sqrt(degrees / random.chisquare(degrees, size=(draws, 1)))
    errors = random.standard_normal((draws, len(means))) * sigma / np.sqrt(np.asarray(counts))
    drawn = np.asarray(means) + errors
    best = drawn.min(axis=1) if better == "lower" else drawn.max(axis=1)
    wins = drawn == best[:, None]
    return [float(share) for share in (wins / wins.sum(axis=1, keepdims=True)).mean(axis=0)]
