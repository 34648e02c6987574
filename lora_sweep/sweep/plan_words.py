"""How a plan writes times, sizes and rows. No torch."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

from lora_sweep.results.progress import duration

WIDTH = 80
NAME = 18  # of a row
UNKNOWN = "unknown"


def row(name: str, value: str) -> str:
    """One named value below a heading."""
    return f"  {name:<{NAME}}  {value}".rstrip()


def rows(name: str, text: str) -> list[str]:
    """A longer text beside its name."""
    lines = textwrap.wrap(text, WIDTH - NAME - 4, break_on_hyphens=False)
    return [row(name if index == 0 else "", line) for index, line in enumerate(lines)]


def span(values: Sequence[float], text: Callable[[float], str]) -> str:
    """The smallest and the largest value, or the one that all are."""
    low, high = text(min(values)), text(max(values))
    return low if low == high else f"{low} to {high}"


def time_text(seconds: float) -> str:
    """As `duration`; two days and more as days."""
    return f"{seconds / 86400:.1f} days" if seconds >= 48 * 3600 else duration(seconds)


def size_text(size: float) -> str:
    """Bytes in their largest unit."""
    for unit, name in ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB")):
        if size >= unit:
            return f"{size / unit:.{1 if size < 100 * unit else 0}f} {name}"
    return f"{size / 1024:.0f} KiB"
