"""A scheduler of a few lines."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from lora_sweep.sweep.cluster import attempts, node
from lora_sweep.sweep.cluster.engine import JobState, Seen
from lora_sweep.sweep.cluster.ledger import Batch, read_job
from lora_sweep.sweep.cluster.options import ClusterOptions, SlurmOptions
from lora_sweep.sweep.interrupt import Interrupt


class Engine:
    """Runs a job whenever it is looked at; `fate` says what becomes of each start."""

    outlives = True

    def __init__(self, fate: Callable[[int, int], str] = lambda job, start: "runs") -> None:
        self.options: ClusterOptions = SlurmOptions(workers=2, poll_seconds=0.001)
        self.fate = fate
        self.jobs: dict[str, tuple[Batch, int]] = {}  # that wait
        self.held: set[str] = set()
        self.submitted: list[int] = []
        self.cancelled: list[str] = []

    def open(self) -> None: ...

    def close(self) -> None: ...

    def most_jobs(self) -> int | None:
        return None

    def submit(self, batch: Batch, numbers: Sequence[int]) -> dict[int, str]:
        first = not batch.ids()
        ids: dict[int, str] = {}
        for number in numbers:
            ids[number] = str(100 + len(self.submitted))
            self.submitted.append(number)
            self.jobs[ids[number]] = (batch, number)
            if first and batch.jobs[number].start is not None:
                self.held.add(ids[number])
        batch.submitted(ids)
        return ids

    def recover(self, batch: Batch) -> dict[int, str]:
        return {}

    def look(self, ids: Collection[str]) -> Mapping[str, Seen] | None:
        return {id_: self._look(id_) for id_ in ids}

    def _look(self, id_: str) -> Seen:
        if id_ not in self.jobs:
            return Seen(JobState.ended, "FAILED")
        if id_ in self.held:
            return Seen(JobState.waiting, "JobHeldUser")
        batch, number = self.jobs[id_]
        match self.fate(number, self.submitted.count(number)):
            case "waits":
                return Seen(JobState.waiting, "Resources")
            case "is killed":
                job = read_job(batch.folder.job(number))
                attempts.begin(job, batch.notes(number), {"host": "n1"})
            case "runs":
                node.run_job(batch.folder.job(number), Interrupt(), {}, self.release)
            case "never begins":
                pass
            case fate:
                raise AssertionError(fate)
        del self.jobs[id_]
        return Seen(JobState.running)

    def release(self, batch: Batch, numbers: Sequence[int]) -> None:
        self.held -= {batch.ids()[number] for number in numbers}

    def cancel(self, ids: Collection[str]) -> None:
        self.cancelled += ids

    def log(self, batch: Batch, number: int, id_: str) -> Path | None:
        path = batch.folder.logs / "log"
        return path if path.is_file() else None
