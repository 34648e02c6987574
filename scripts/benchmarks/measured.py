"""Work done in a process of its own, and what it took: CPU time, which other processes on the
machine disturb less than the clock.
"""

from __future__ import annotations

import functools
import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def in_fresh_process(work: Callable[P, T], *arguments: P.args, **more: P.kwargs) -> T:
    """What `work`, a function of a module, returns in a new process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        result = pool.apply(work, arguments, more)
        pool.close()
        pool.join()  # so that its CPU time is counted among those of children
    return result


@contextmanager
def counting_children() -> Iterator[Callable[[], float]]:
    """Yields what gives the CPU seconds, user and system, of processes that ended meanwhile."""

    def total() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    before = total()
    yield lambda: total() - before


@dataclass
class Spent:
    """Seconds, of CPU and on the clock, and how often."""

    cpu: float = 0.0
    wall: float = 0.0
    times: int = 0

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Add what is done inside."""
        cpu, wall = time.process_time(), time.perf_counter()
        try:
            yield
        finally:
            self.cpu += time.process_time() - cpu
            self.wall += time.perf_counter() - wall
            self.times += 1

    def on(self, owner: Any, name: str) -> Spent:
        """Count every call of a function of a module or class from now on."""
        function = getattr(owner, name)

        @functools.wraps(function)
        def counted(*arguments: Any, **more: Any) -> Any:
            with self.counting():
                return function(*arguments, **more)

        setattr(owner, name, counted)
        return self
