"""Raising all problems with a dataset at once."""

from __future__ import annotations

from collections.abc import Sequence

from lora_sweep.errors import DataError

MAX_LINES = 20


def raise_if_any(problems: Sequence[str]) -> None:
    """Raise DataError with the problems, the first 20 in full and the rest as a number."""
    if not problems:
        return
    shown = list(problems[:MAX_LINES])
    if len(problems) > MAX_LINES:
        shown.append(f"and {len(problems) - MAX_LINES} more")
    raise DataError(shown)
