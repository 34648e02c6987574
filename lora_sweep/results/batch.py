"""Where the jobs of a cluster lie below the results folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class BatchFolder:
    """The files of jobs that were submitted together."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def batch(self) -> Path:
        """The jobs: their trials, and which goes on from which."""
        return self.path / "batch.json"

    @property
    def submissions(self) -> Path:
        """What the scheduler calls each job, a row for each time that it was submitted."""
        return self.path / "submissions.jsonl"

    @property
    def finished(self) -> Path:
        """Is there when no job is left to be looked at."""
        return self.path / "finished"

    @property
    def logs(self) -> Path:
        """What jobs say, and what submitit keeps."""
        return self.path / "logs"

    @property
    def jobs(self) -> Path:
        return self.path / "jobs"

    def job(self, number: int) -> Path:
        """What a node reads: the units of one job."""
        return self.jobs / f"{number:05d}.json"

    def notes(self, number: int) -> Path:
        """What nodes write: when they began the job, and how they left it."""
        return self.jobs / f"{number:05d}.notes.jsonl"


@dataclass(frozen=True)
class ClusterFolder:
    """Everything that is kept of jobs."""

    path: Path

    @property
    def lock(self) -> Path:
        """Held by whoever submits: two at once would submit the same."""
        return self.path / ".lock"

    @property
    def pictures(self) -> Path:
        """Copies of the pictures that trials see, by content: nodes may not have their folder."""
        return self.path / "pictures"

    def batch(self, name: str) -> BatchFolder:
        """The folder of a batch, there or not."""
        return BatchFolder(self.path / name)

    def batches(self) -> list[BatchFolder]:
        """All batches, the oldest first."""
        if not self.path.is_dir():
            return []
        found = [BatchFolder(path) for path in sorted(self.path.iterdir())]
        return [each for each in found if each.batch.is_file()]
