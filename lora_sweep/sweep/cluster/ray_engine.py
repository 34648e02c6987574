"""Ray: jobs are tasks of Ray core, of which so many run at once. No torch.

Ray is handed the path of a job's JSON and nothing else.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lora_sweep.quiet import quiet_libraries
from lora_sweep.sweep.cluster.engine import JobState, Seen
from lora_sweep.sweep.cluster.job_thread import JobThread
from lora_sweep.sweep.cluster.ledger import Batch
from lora_sweep.sweep.cluster.options import ClusterError, RayOptions

CANCELLED = "the task was cancelled"
KNOCK_SECONDS = 10.0


class Ray:
    """An Engine. Tasks end with the process that submitted them."""

    outlives = False

    def __init__(self, options: RayOptions) -> None:
        self.options = options
        self._ray: Any = None
        self._task: Any = None
        self._refs: dict[str, Any] = {}  # tasks that Ray has
        self._waiting: deque[tuple[str, Path, Path]] = deque()  # id, job, log: for a free place
        self._held: dict[str, tuple[str, Path, Path]] = {}
        self._ended: dict[str, str] = {}  # how
        self._submitted = 0

    def open(self) -> None:
        """See Engine."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray  # pyright: ignore[reportMissingImports]
        except ImportError:
            raise ClusterError(
                "hydra/launcher=ray needs the package ray: pip install -e '.[ray]'"
            ) from None
        self._ray = ray
        try:
            _knock(self.options.address)  # Ray itself asks for minutes where nobody answers
            ray.init(
                address=self.options.address,
                include_dashboard=None if self.options.address else False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        except Exception as error:
            # Broad on purpose: Ray has errors of many kinds for an address where nothing answers.
            words = str(error).strip().splitlines() or [type(error).__name__]
            raise ClusterError(
                f"hydra.launcher.address={self.options.address}: Ray does not answer: {words[0]}"
            ) from error
        self._task = self._make_task()

    def _make_task(self) -> Any:
        o, has = self.options, self._ray.cluster_resources()
        gpus = o.gpus if o.gpus is not None else float(has.get("GPU", 0) > 0)
        wanted = {"CPU": o.cpus, "GPU": gpus, **o.resources}
        if o.memory_gb is not None:
            wanted["memory"] = o.memory_gb * 2**30
        for name, amount in wanted.items():
            if amount > has.get(name, 0):
                self._ray.shutdown()
                raise ClusterError(
                    f"a task asks for {amount:g} of {name}, and all machines of the Ray cluster "
                    f"together have {has.get(name, 0):g}; ask for less in hydra.launcher"
                )
        return self._ray.remote(
            num_cpus=o.cpus,
            num_gpus=gpus,
            memory=None if o.memory_gb is None else int(wanted["memory"]),
            resources=dict(o.resources) or None,
            max_retries=0,  # whether to try again is for whoever watches the results folder
        )(run_task)

    def most_jobs(self) -> int | None:
        """See Engine."""
        return None

    def submit(self, batch: Batch, numbers: Sequence[int]) -> dict[int, str]:
        """See Engine."""
        first = not batch.ids()
        ids: dict[int, str] = {}
        for number in numbers:
            self._submitted += 1
            id_ = ids[number] = f"{batch.folder.name[-6:]}-{number}-{self._submitted}"
            task = (id_, batch.folder.job(number).resolve(), _log(batch, id_).resolve())
            if first and batch.jobs[number].start is not None:
                self._held[id_] = task
            else:
                self._waiting.append(task)
        batch.submitted(ids)
        self._start()
        return ids

    def _start(self) -> None:
        while self._waiting and len(self._refs) < self.options.workers:
            id_, path, log = self._waiting.popleft()
            self._refs[id_] = self._task.remote(str(path), str(log), id_)

    def recover(self, batch: Batch) -> dict[int, str]:
        """See Engine."""
        return {}

    def look(self, ids: Collection[str]) -> Mapping[str, Seen] | None:
        """See Engine."""
        refs = list(self._refs.values())
        ready = set(self._ray.wait(refs, num_returns=len(refs), timeout=0)[0] if refs else ())
        for id_, ref in list(self._refs.items()):
            if ref in ready:
                self._ended[id_] = self._how_it_ended(ref)
                del self._refs[id_]
        self._start()
        return {id_: self._seen(id_) for id_ in ids}

    def _seen(self, id_: str) -> Seen:
        if id_ in self._refs:
            return Seen(JobState.running)
        if id_ in self._held or any(id_ == each[0] for each in self._waiting):
            return Seen(JobState.waiting)
        return Seen(JobState.ended, self._ended.get(id_, "its Ray is gone"))

    def _how_it_ended(self, ref: Any) -> str:
        try:
            self._ray.get(ref)
        except Exception as error:
            # Broad on purpose: a task may have raised anything, or its process may be gone.
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            last = lines[-1] if lines and "Traceback" in str(error) else (lines or [""])[0]
            return f"{type(error).__name__.split('(')[0]}: {last}"
        return "it has ended"

    def release(self, batch: Batch, numbers: Sequence[int]) -> None:
        """See Engine."""
        ids = batch.ids()
        for number in numbers:
            task = self._held.pop(ids[number], None)
            if task is not None:
                self._waiting.append(task)
        self._start()

    def cancel(self, ids: Collection[str]) -> None:
        """See Engine."""
        for id_ in ids:
            self._held.pop(id_, None)
            if id_ in self._refs:
                self._ray.cancel(self._refs[id_], force=False)
        self._waiting = deque(each for each in self._waiting if each[0] not in ids)

    def log(self, batch: Batch, number: int, id_: str) -> Path | None:
        """See Engine."""
        path = _log(batch, id_)
        return path if path.is_file() and path.stat().st_size else None

    def close(self) -> None:
        """See Engine."""
        if self._ray is not None:
            self._ray.shutdown()


def _knock(address: str | None) -> None:
    """Raise OSError where an address is HOST:PORT and nobody listens there."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), KNOCK_SECONDS).close()


def run_task(path: str, log: str, id_: str) -> bool:
    """One job, in a process of Ray; whether it is over."""
    if not Path(path).is_file():
        raise ClusterError(f"there is no {path} on {os.uname().nodename}")
    with _words_to(Path(log)):
        quiet_libraries()
        job = JobThread(Path(path), {"id": id_})
        try:
            return job.run()
        except KeyboardInterrupt:
            job.stop(CANCELLED)
            return False


def _log(batch: Batch, id_: str) -> Path:
    return batch.folder.logs / f"{id_}.log"


@contextlib.contextmanager
def _words_to(path: Path) -> Iterator[None]:
    """Let what this process and its children say go to a file: Ray's own are on the node."""
    kept = [os.dup(1), os.dup(2)]
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
            stream.flush()
            os.dup2(file, descriptor)
        yield
    finally:
        for stream, descriptor, old in zip((sys.stdout, sys.stderr), (1, 2), kept, strict=True):
            stream.flush()
            os.dup2(old, descriptor)
            os.close(old)
        os.close(file)
