"""How far behind the best a setting has to be before that is more than noise.

Trials of one seed share their luck: the same noise, order of pictures and beginning. So a value is
taken as setting + seed + noise, fitted by least squares, and settings are compared within seeds.
Where that leaves too little to judge the noise by, seeds count as noise themselves.

The floor is that of multiple comparisons with the best (Hsu 1981): with a chance of 95 % the
setting that is truly best is among those nearer to the best than it. It grows with the number of
settings, as does the luck of the luckiest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CONFIDENCE = 0.95
NODES = 64  # of the integrals below; the result is exact to three digits
SLICES = 400
FEWEST_DEGREES = 2
"""Below it the noise itself is hardly known, and seeds are better counted as noise."""


@dataclass(frozen=True)
class Fit:
    """Settings as if each had run with every seed."""

    means: Array  # of each setting, without what its seeds did
    covariance: Array  # of the means, in units of the noise's variance
    shifts: Mapping[str, float]  # what each seed does to all settings; their sum is 0
    pooled: float | None  # standard deviation of the noise; None: nothing was repeated
    degrees: int  # of freedom of `pooled`

    def floor(self, one: int, other: int) -> float | None:
        """How far apart two settings are at most by noise; None where that is not known."""
        if self.pooled is None:
            return None
        c = self.covariance
        wide = math.sqrt(c[one, one] + c[other, other] - 2 * c[one, other])
        return dunnett(len(self.means) - 1, self.degrees) * self.pooled * wide


def fit(settings: Sequence[Mapping[str, float]]) -> Fit:
    """Fit settings, each with its values by seed; none may be empty."""
    seeds = list(dict.fromkeys(seed for values in settings for seed in values))
    table = np.full((len(settings), len(seeds)), math.nan)
    for row, values in enumerate(settings):
        for seed, value in values.items():
            table[row, seeds.index(seed)] = value
    known = ~np.isnan(table)
    degrees = int(known.sum()) - len(settings) - len(seeds) + 1
    within = _within_seeds(table, known) if len(settings) > 1 and len(seeds) > 1 else None
    if within is None or degrees < FEWEST_DEGREES:
        degrees = int(known.sum()) - len(settings)
        within = _plain(table, known)
    means, covariance, shifts = within
    residuals = np.where(known, table - means[:, None] - shifts, 0.0)
    pooled = math.sqrt(float((residuals**2).sum()) / degrees) if degrees else None
    known_shifts = dict(zip(seeds, map(float, shifts), strict=True))
    return Fit(means, covariance, known_shifts, pooled, degrees)


def _plain(table: Array, known: Any) -> tuple[Array, Array, Array]:
    counts = known.sum(axis=1)
    means = np.where(known, table, 0.0).sum(axis=1) / counts
    return means, np.diag(1 / counts), np.zeros(table.shape[1])


def _within_seeds(table: Array, known: Any) -> tuple[Array, Array, Array] | None:
    """Means, their covariance and the seeds' shifts; None if no seed joins some of the settings.

    The normal equations with the settings eliminated: one row for each seed.
    """
    share = known / known.sum(axis=1, keepdims=True)  # of a setting's mean that is of each seed
    means, _, _ = _plain(table, known)
    information = np.diag(known.sum(axis=0).astype(float)) - known.T.astype(float) @ share
    if np.linalg.matrix_rank(information, hermitian=True) < len(information) - 1:
        return None
    inverse = np.linalg.pinv(information, hermitian=True)
    off = np.where(known, table - means[:, None], 0.0).sum(axis=0)
    shifts = inverse @ off
    covariance = np.diag(1 / known.sum(axis=1)) + share @ inverse @ share.T
    return means - share @ shifts, covariance, shifts


@cache
def dunnett(others: int, degrees: int) -> float:
    """The 95 % point of Dunnett's one-sided t, for one setting against so many others.

    Student's one-sided t for one other. The point d at which, over the noise's estimated width s
    and one setting's luck z, the mean of Phi(z + sqrt(2) d s)^others is 95 %.
    """
    from scipy.special import gammaincinv, ndtr

    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    weights = weights / weights.sum()
    middles = (np.arange(SLICES) + 0.5) / SLICES
    widths = np.sqrt(gammaincinv(degrees / 2, middles) * 2 / degrees)
    low, high = 0.0, 100.0
    while high - low > 1e-6:
        d = (low + high) / 2
        below = ndtr(nodes + math.sqrt(2) * d * widths[:, None]) ** max(1, others)
        low, high = (low, d) if (below @ weights).mean() > CONFIDENCE else (d, high)
    return high
