"""SLURM, through submitit: jobs are an array, of which so many run at once. No torch."""

from __future__ import annotations

import contextlib
import getpass
import io
import re
import shutil
import subprocess
import warnings
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from lora_sweep.sweep.cluster import node_task
from lora_sweep.sweep.cluster.engine import JobState, Seen
from lora_sweep.sweep.cluster.ledger import Batch
from lora_sweep.sweep.cluster.node_task import NodeTask
from lora_sweep.sweep.cluster.options import ClusterError, SlurmOptions
from lora_sweep.sweep.cluster.why import CANNOT_START

COMMANDS = ("sbatch", "squeue", "scontrol", "scancel", "srun")
SECONDS = 60.0  # for one command
MOST_TIMEOUTS = 10**6  # submitit's limit; ours is attempts without a step gained
STUCK = (
    "BadConstraints", "InvalidAccount", "InvalidQOS", "JobHoldMaxRequeue", "PartitionConfig",
    "PartitionNodeLimit", "PartitionTimeLimit", "held state", "requeued held",
)  # fmt: skip
"""Reasons for which SLURM leaves a job waiting for good."""


class Slurm:
    """An Engine."""

    outlives = True

    def __init__(self, options: SlurmOptions) -> None:
        self.options = options

    def open(self) -> None:
        """See Engine."""
        missing = [name for name in COMMANDS if shutil.which(name) is None]
        if missing:
            raise ClusterError(
                f"hydra/launcher=slurm: there is no {', '.join(missing)} on this machine; run the "
                "command on a login node of a SLURM cluster, or use hydra/launcher=tree"
            )
        try:
            import submitit  # noqa: F401  # pyright: ignore
        except ImportError:
            raise ClusterError(
                "hydra/launcher=slurm needs the package submitit: pip install -e '.[slurm]'"
            ) from None
        try:
            told = _run("sinfo", "-h", "-o", "%R")
        except ClusterError as error:
            raise ClusterError(f"SLURM does not answer: {error}") from error
        partitions = sorted(set(told.split()))
        wanted = (self.options.partition or "").split(",")
        if unknown := [name for name in wanted if name and name not in partitions]:
            raise ClusterError(
                f"hydra.launcher.partition={','.join(unknown)}: SLURM has no such partition; it "
                f"has {', '.join(partitions)}"
            )

    def most_jobs(self) -> int | None:
        """See Engine."""
        found = re.search(r"MaxArraySize\s*=\s*(\d+)", _run("scontrol", "show", "config"))
        return int(found[1]) - 1 if found else None

    def submit(self, batch: Batch, numbers: Sequence[int]) -> dict[int, str]:
        """See Engine."""
        first = not batch.ids()
        held = [n for n in numbers if first and batch.jobs[n].start is not None]
        executor = self._executor(batch, hold=bool(held))
        paths = [str(batch.folder.job(number).resolve()) for number in numbers]
        try:
            # submitit warns, and prints what sbatch says beside raising it.
            with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
                warnings.simplefilter("ignore")
                jobs = executor.map_array(NodeTask(), paths)
        except Exception as error:
            # Broad on purpose: submitit hands sbatch's words on in errors of several kinds.
            raise ClusterError(f"SLURM refuses the jobs: {_reason(error)}") from error
        ids = {number: str(job.job_id) for number, job in zip(numbers, jobs, strict=True)}
        batch.submitted(ids)
        if held:
            self.release(batch, [number for number in numbers if number not in held])
        return ids

    def _executor(self, batch: Batch, *, hold: bool) -> Any:
        import submitit  # pyright: ignore[reportMissingImports]

        o = self.options
        # Open until the cluster ends it: what counts is whether an attempt gains a step.
        executor = submitit.SlurmExecutor(
            folder=batch.folder.logs, max_num_timeout=MOST_TIMEOUTS, python=o.python
        )
        given = {
            "partition": o.partition,
            "account": o.account,
            "qos": o.qos,
            "constraint": o.constraint,
            "gres": o.gres,
            "mem": None if o.mem_gb is None else f"{o.mem_gb}GB",
            "setup": list(o.setup) or None,
        }
        executor.update_parameters(
            job_name=f"lora_sweep-{batch.folder.name}",
            time=o.time_minutes,
            cpus_per_task=o.cpus,
            signal_delay_s=o.signal_seconds,
            array_parallelism=o.workers,
            stderr_to_stdout=True,
            # srun of newer versions does not take it over from sbatch.
            srun_args=[f"--cpus-per-task={o.cpus}"],
            additional_parameters={
                "requeue": True,
                **({"hold": True} if hold else {}),
                **o.extra,
            },
            **{name: value for name, value in given.items() if value is not None},
        )
        return executor

    def recover(self, batch: Batch) -> dict[int, str]:
        """See Engine."""
        name = f"lora_sweep-{batch.folder.name}"
        told = _run("squeue", "-h", "-r", "-n", name, "-o", "%i")
        # The first submission has all jobs, as an array unless there is but one.
        ids = {int(i.partition("_")[2] or 0): i for i in told.split()}
        if ids:
            batch.submitted(ids)
        return ids

    def look(self, ids: Collection[str]) -> Mapping[str, Seen] | None:
        """See Engine."""
        if not ids:
            return {}
        try:
            told = _run("squeue", "-h", "-r", "-u", getpass.getuser(), "-o", "%i|%T|%r|%N")
        except ClusterError:
            return None
        found: dict[str, Seen] = {}
        for line in told.splitlines():
            id_, state, reason, node = (line.split("|") + [""] * 3)[:4]
            if any(words in reason for words in STUCK):
                found[id_] = Seen(JobState.ended, f"{CANNOT_START}: {reason}")
            elif state == "PENDING":
                found[id_] = Seen(JobState.waiting, reason)
            else:
                found[id_] = Seen(JobState.running, node)
        gone = [id_ for id_ in ids if id_ not in found]
        words = _how_they_ended(gone) if gone else {}
        return {
            id_: found.get(id_) or Seen(JobState.ended, words.get(id_, "it has ended"))
            for id_ in ids
        }

    def release(self, batch: Batch, numbers: Sequence[int]) -> None:
        """See Engine."""
        node_task.release(batch, numbers)

    def cancel(self, ids: Collection[str]) -> None:
        """See Engine."""
        if ids:
            with contextlib.suppress(ClusterError):
                _run("scancel", *ids)

    def log(self, batch: Batch, number: int, id_: str) -> Path | None:
        """See Engine."""
        found = [p for p in batch.folder.logs.glob(f"{id_}_*_log.out") if p.stat().st_size]
        return found[0] if found else None

    def close(self) -> None:
        """See Engine."""


def _how_they_ended(ids: Sequence[str]) -> dict[str, str]:
    """What sacct says of jobs; nothing where the cluster keeps no accounts."""
    try:
        told = _run("sacct", "-n", "-X", "-P", "-o", "JobID,State,ExitCode,NodeList",
                    "-j", ",".join(ids))  # fmt: skip
    except ClusterError:
        return {}
    found: dict[str, str] = {}
    for line in told.splitlines():
        id_, state, code, node = (line.split("|") + [""] * 3)[:4]
        status = f", status {code}" if code not in ("", "0:0") else ""
        found[id_] = f"{state}{status} on {node or 'no node'}"
    return found


def _run(*command: str) -> str:
    """A command's output; raises ClusterError with its own words."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except FileNotFoundError:
        raise ClusterError(f"there is no {command[0]} on this machine") from None
    except subprocess.TimeoutExpired:
        raise ClusterError(f"{command[0]} took more than {SECONDS:.0f} seconds") from None
    if done.returncode:
        words = " ".join((done.stderr or done.stdout).split())
        raise ClusterError(f"{command[0]} says: {words or f'status {done.returncode}'}")
    return done.stdout


def _reason(error: BaseException) -> str:
    """What sbatch said, in one line."""
    words = " ".join(str(error).split()) or type(error).__name__
    words = words.replace("sbatch: error: ", "").removeprefix("Batch job submission failed: ")
    return words.replace("Batch job submission failed: ", "")
