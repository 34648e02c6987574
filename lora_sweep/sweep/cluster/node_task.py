"""A job on a node as submitit calls it. No torch.

submitit hands work over in pickle files of its own; all that ours hold is the name of this class
and the path of a job's JSON.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from lora_sweep.quiet import quiet_libraries
from lora_sweep.sweep.cluster.job_thread import JobThread
from lora_sweep.sweep.cluster.ledger import Batch
from lora_sweep.sweep.cluster.options import ClusterError

TIME_IS_UP = "the job's time is up, or others need its place"
CANCELLED = "the job was cancelled"
LAST_SECONDS = 120.0  # a cancelled job waits to be killed, so that its scheduler sees it so
COMMAND_SECONDS = 60.0


class NodeTask:
    """Called on a node with the path of a job; `checkpoint` is called before its time is up."""

    def __init__(self) -> None:
        self._job: JobThread | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"_job": None}

    def __call__(self, path: str) -> bool:
        """Train; whether the job is over."""
        quiet_libraries()
        signal.signal(signal.SIGTERM, self._cancelled)
        self._job = JobThread(Path(path), {"id": job_id()}, release)
        return self._job.run()

    def checkpoint(self, path: str) -> Any:
        """Save; submitit then requeues the job."""
        from submitit.helpers import (  # pyright: ignore[reportMissingImports]
            DelayedSubmission,
        )

        self._stop(TIME_IS_UP)
        return DelayedSubmission(NodeTask(), path)

    def _stop(self, reason: str) -> None:
        if self._job is not None:
            self._job.stop(reason)

    def _cancelled(self, signum: int, frame: FrameType | None) -> None:
        self._stop(CANCELLED)
        # Preempted jobs are sent the same signal; one that ended by itself would not be requeued.
        time.sleep(LAST_SECONDS)


def job_id() -> str:
    """What SLURM calls the job that this process is of."""
    array, task = (os.environ.get(f"SLURM_ARRAY_{name}_ID") for name in ("JOB", "TASK"))
    return f"{array}_{task}" if array else os.environ.get("SLURM_JOB_ID", "")


def release(batch: Batch, numbers: Sequence[int]) -> None:
    """Let held jobs begin; raises ClusterError where SLURM does not answer."""
    ids = batch.ids()
    known = [ids[number] for number in numbers if number in ids]
    if len(known) < len(numbers):
        raise ClusterError(f"{batch.folder.submissions} does not yet name all jobs")
    for id_ in known:
        command = ["scontrol", "release", id_]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ClusterError(f"{' '.join(command)}: {error}") from error
        if done.returncode and "already" not in done.stderr and not _is_gone(done.stderr):
            raise ClusterError(f"{' '.join(command)}: {done.stderr.strip()}")


def _is_gone(words: str) -> bool:
    """Whether there is nothing to release: the job was cancelled, or has ended."""
    return any(part in words for part in ("Invalid job id", "finished", "completing"))
