"""Jobs on disk: what each is to train, what the scheduler calls it, how nodes have left it. No
torch.

Whoever submits may die at any time: who comes next finds here which jobs there are.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_sweep.errors import StoreError
from lora_sweep.files import atomic_write, make_folder, store_error
from lora_sweep.results.batch import BatchFolder, ClusterFolder
from lora_sweep.results.store import Store
from lora_sweep.sweep.cluster.units import JobUnits
from lora_sweep.sweep.tree import Address
from lora_sweep.sweep.unit import Unit, unit_from_plain

FORMAT = 1
"""Version of the files below <results>/cluster."""


@dataclass(frozen=True)
class BatchJob:
    """One job as all may know it, without its settings."""

    trials: tuple[str, ...]  # that are done with it
    units: int
    parent: int | None  # the job of the batch that leaves the state `start`
    start: Address | None


@dataclass(frozen=True)
class Batch:
    """Jobs that were submitted together."""

    folder: BatchFolder
    engine: str  # slurm or ray
    host: str  # of who submitted
    created: float  # seconds since 1970
    jobs: tuple[BatchJob, ...]

    def ids(self) -> dict[int, str]:
        """What the scheduler calls the jobs, each by its last submission."""
        return {int(row["job"]): str(row["id"]) for row in _rows(self.folder.submissions)}

    def submitted(self, ids: Mapping[int, str]) -> None:
        """Keep what the scheduler calls jobs."""
        now = time.time()
        for number, id_ in ids.items():
            append(self.folder.submissions, {"job": number, "id": id_, "time": now})

    def notes(self, number: int) -> list[dict[str, Any]]:
        """What nodes have noted of a job."""
        return _rows(self.folder.notes(number))

    def is_over(self, number: int) -> bool:
        """Whether a node has done with a job, whatever became of its trials."""
        return any(note["event"] == "over" for note in self.notes(number))

    def children(self, number: int) -> list[int]:
        """Jobs that go on from states of a job."""
        return [at for at, job in enumerate(self.jobs) if job.parent == number]


@dataclass(frozen=True)
class JobFile:
    """What a node is told: everything but the cluster itself."""

    batch: BatchFolder
    number: int
    units: tuple[Unit, ...]
    max_attempts: int


def write_batch(
    cluster: ClusterFolder, engine: str, jobs: Sequence[JobUnits], max_attempts: int
) -> Batch:
    """Put jobs on disk, to be submitted next; raises StoreError."""
    name = f"{time.strftime('%Y-%m-%d-%H-%M-%S')}-{secrets.token_hex(3)}"
    folder = cluster.batch(name)
    make_folder(folder.jobs)
    make_folder(folder.logs)
    for number, job in enumerate(jobs):
        units = [unit.to_plain() for unit in job.units]
        values = {"format": FORMAT, "max_attempts": max_attempts, "units": units}
        _write_plainly(folder.job(number), json.dumps(values, allow_nan=False))
    listed = tuple(BatchJob(job.trials, len(job.units), job.parent, job.start) for job in jobs)
    batch = Batch(folder, engine, socket.gethostname(), time.time(), listed)
    values = {
        "format": FORMAT,
        "engine": engine,
        "host": batch.host,
        "created": batch.created,
        "jobs": [
            {"trials": j.trials, "units": j.units, "parent": j.parent, "start": j.start}
            for j in listed
        ],
    }
    atomic_write(folder.batch, json.dumps(values))  # last: the batch is whole, or is none
    return batch


def read_batch(folder: BatchFolder) -> Batch:
    """Raises StoreError when the file is damaged or too new."""
    values = _read(folder.batch)
    try:
        jobs = tuple(
            BatchJob(tuple(j["trials"]), j["units"], j["parent"], _address(j["start"]))
            for j in values["jobs"]
        )
        return Batch(folder, values["engine"], values["host"], values["created"], jobs)
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{folder.batch} is damaged: {error!r}; remove the folder") from error


def read_job(path: Path) -> JobFile:
    """The job of a file jobs/NUMBER.json; raises StoreError, and SettingsError for settings that
    this version lacks.
    """
    values = _read(path)
    units = tuple(unit_from_plain(each) for each in values["units"])
    return JobFile(BatchFolder(path.parents[1]), int(path.stem), units, values["max_attempts"])


def open_batches(store: Store, engine: str) -> list[Batch]:
    """Batches of an engine with jobs that may not be over."""
    found = [folder for folder in store.cluster.batches() if not folder.finished.is_file()]
    batches = [read_batch(folder) for folder in found]
    return [batch for batch in batches if batch.engine == engine]


def append(path: Path, row: Mapping[str, Any]) -> None:
    """Write one row more, which is there after a crash; raises StoreError."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise store_error(path, "write to", error) from error


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise store_error(path, "read", error) from error
    rows: list[dict[str, Any]] = []
    for line in lines:
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue  # cut off by a crash
    return rows


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_bytes())
    except OSError as error:
        raise store_error(path, "read", error) from error
    except ValueError as error:
        raise StoreError(f"{path} is damaged: {error}; remove the folder") from error
    if values.get("format") != FORMAT:
        raise StoreError(
            f"{path} has format {values.get('format')!r}, this lora_sweep reads {FORMAT}; nodes "
            "and login node need the same version"
        )
    return values


def _address(value: Any) -> Address | None:
    return None if value is None else (str(value[0]), int(value[1]))


def _write_plainly(path: Path, text: str) -> None:
    # Not atomic_write: nobody reads it before batch.json, and a sync for each of a thousand takes
    # minutes.
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise store_error(path, "write", error) from error
