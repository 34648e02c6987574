"""What tools on picture sets say on a terminal while they work, and how texts are shown there."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


def printable(text: str) -> str:
    """Text on one line, with whatever could steer a terminal written as its escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@contextmanager
def patience(line: str, seconds: float = 2) -> Iterator[None]:
    """Say on stderr what takes long, once it does."""
    timer = threading.Timer(seconds, lambda: print(line, file=sys.stderr, flush=True))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class Progress:
    """Says on stderr how far a long check is: always on a terminal, else every half minute."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._start = self._last = time.monotonic()
        self._live = sys.stderr.isatty()

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if now - self._last < (0.5 if self._live else 30) and done < self._total:
            return
        self._last = now
        seconds = (now - self._start) / done * (self._total - done)
        left = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
        line = f"{done} of {self._total} pictures, {left} left"
        if self._live:
            print(f"\r{line:<60}", end="\n" if done == self._total else "", file=sys.stderr)
        elif done < self._total:
            print(line, file=sys.stderr)
