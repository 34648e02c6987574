"""What a sweep asks of a scheduler. No torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

from lora_sweep.sweep.cluster.ledger import Batch
from lora_sweep.sweep.cluster.options import ClusterOptions


class JobState(Enum):
    """Where a job stands with its scheduler."""

    waiting = "waiting"
    running = "running"
    ended = "ended"


@dataclass(frozen=True)
class Seen:
    """A job as the scheduler shows it; `words` are its own, for people."""

    state: JobState
    words: str = ""


class Engine(Protocol):
    """SLURM or Ray. Nothing here is of record: the results folder tells what is done."""

    outlives: bool  # jobs go on without whoever submitted them

    @property
    def options(self) -> ClusterOptions: ...

    def open(self) -> None:
        """Raises ClusterError where there is no such scheduler, or it does not answer."""
        ...

    def most_jobs(self) -> int | None:
        """How many jobs may be submitted together; None for any number."""
        ...

    def submit(self, batch: Batch, numbers: Sequence[int]) -> dict[int, str]:
        """Submit jobs of a batch; returns what the scheduler calls them.

        Those with a `start` are held back until `release`, save when they are submitted again.
        Raises ClusterError when the scheduler refuses them.
        """
        ...

    def recover(self, batch: Batch) -> dict[int, str]:
        """Jobs that were submitted by somebody who died before noting it."""
        ...

    def look(self, ids: Collection[str]) -> Mapping[str, Seen] | None:
        """How jobs stand; None where the scheduler does not answer now."""
        ...

    def release(self, batch: Batch, numbers: Sequence[int]) -> None:
        """Let jobs begin that were held back; nothing happens to others. Raises ClusterError."""
        ...

    def cancel(self, ids: Collection[str]) -> None:
        """End jobs; those that run save their state."""
        ...

    def log(self, batch: Batch, number: int, id_: str) -> Path | None:
        """Where a job's words are; None where it said nothing."""
        ...

    def close(self) -> None:
        """Let go of the scheduler."""
        ...
