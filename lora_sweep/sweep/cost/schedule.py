"""Families on workers. No torch."""

from __future__ import annotations

import heapq
from collections.abc import Sequence


def makespan(seconds: Sequence[float], workers: int) -> float:
    """Seconds until all jobs are done when each worker, once free, takes the longest that is left.

    At most 4/3 - 1/(3 workers) times the shortest possible (Graham 1969, theorem 3).
    """
    if workers < 1:
        raise ValueError(f"workers={workers}: must be at least 1")
    free_at = [0.0] * min(workers, max(1, len(seconds)))
    for job in sorted(seconds, reverse=True):
        heapq.heapreplace(free_at, free_at[0] + job)
    return max(free_at)


def slowdown(workers: int, threads: int, cores: int) -> float:
    """How much longer a step takes when workers of several threads share too few cores."""
    return max(1.0, workers * threads / cores)
