"""Memory that a trial is expected to need, in words for people. No torch."""

from __future__ import annotations

from lora_sweep.sweep.request import TrialRequest


def predicted_memory(request: TrialRequest) -> int | None:
    """Bytes that the trial was expected to need at its peak; None where nobody knows."""
    return None


def gib(size: int | None) -> str:
    """A size for people."""
    if size is None:
        return "unknown"
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"
