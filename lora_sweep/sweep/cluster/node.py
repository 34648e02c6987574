"""What runs on a node: `python -m lora_sweep.sweep.cluster.node JOBFILE`. No torch in this process:
its workers train.

By hand it does the same, should a job be looked into.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lora_sweep.errors import LoraSweepError
from lora_sweep.quiet import quiet_libraries
from lora_sweep.results.board import Board, BoardTrial
from lora_sweep.results.checkpoint import checkpoint_steps, unpin
from lora_sweep.results.progress import say
from lora_sweep.results.store import Store
from lora_sweep.sweep.checkpoints import CheckpointIndex
from lora_sweep.sweep.cluster import attempts
from lora_sweep.sweep.cluster.ledger import Batch, JobFile, read_batch, read_job
from lora_sweep.sweep.gpus import gpus_for
from lora_sweep.sweep.interrupt import Interrupt, interruptible
from lora_sweep.sweep.pool import WorkerPool
from lora_sweep.sweep.unit import Unit

LOOK_SECONDS = 5.0  # between two looks for states that other jobs wait for

Release = Callable[[Batch, Sequence[int]], None]
"""Lets jobs of a batch begin that were held back."""


def run_job(
    path: Path,
    interrupt: Interrupt,
    about: Mapping[str, Any] | None = None,
    release: Release | None = None,
) -> bool:
    """Train what is left of a job; whether it is over. Raises LoraSweepError for a wrong file.

    about: what the scheduler calls it. release: lets the jobs begin that go on from its states.
    """
    job = read_job(path)
    batch = read_batch(job.batch)
    where = {"host": socket.gethostname(), "pid": os.getpid(), **(about or {})}
    units = attempts.begin(job, batch.notes(job.number), where)
    say(f"job {job.number} of {batch.folder.name} on {where['host']}: {_words(units)}")
    with _Releasing(batch, job, release) as releasing:
        try:
            _train(units, interrupt)
        except KeyboardInterrupt:
            attempts.stopped(job, interrupt.reason)
            say(f"job {job.number}: {interrupt.reason}; saved")
            return False
        releasing.all = True
    attempts.over(job)
    _let_go(batch, job)
    return True


def _train(units: Sequence[Unit], interrupt: Interrupt) -> None:
    if not units:
        return
    gpus = gpus_for(units)
    shown = [BoardTrial(r.id, r.name, r.max_train_steps) for unit in units for r in unit.requests]
    board = Board(shown, sum(unit.steps for unit in units))
    WorkerPool(min(len(units), max(1, len(gpus))), gpus).run(units, board, interrupt)


class _Releasing:
    """While a job is trained, lets those begin whose state is there; with `all`, all at its end."""

    def __init__(self, batch: Batch, job: JobFile, release: Release | None) -> None:
        self.all = False
        self._batch, self._job, self._release = batch, job, release
        self._held = set(batch.children(job.number)) if release is not None else set[int]()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _Releasing:
        if self._held:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._held:
            self._over.set()
            self._thread.join()
            self._look()

    def _watch(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        there = states_of(self._job.units)
        ready = [n for n in self._held if self.all or self._is_there(n, there)]
        if ready and self._release is not None:
            try:
                self._release(self._batch, ready)
            except LoraSweepError as error:
                say(str(error))  # whoever submitted, or the next that runs the command, does it
                return
            self._held -= set(ready)

    def _is_there(self, number: int, there: Mapping[str, int]) -> bool:
        start = self._batch.jobs[number].start
        return start is None or there.get(start[0], 0) >= start[1]


def states_of(units: Sequence[Unit]) -> dict[str, int]:
    """For each stage, the furthest step of which there is a state."""
    folders = [Store(unit.root).trial(trial) for unit in units for trial in unit.trials]
    return CheckpointIndex(folders).furthest()


def _let_go(batch: Batch, job: JobFile) -> None:
    """Unpin the state that a job went on from, once nobody needs it any more."""
    parent, start = batch.jobs[job.number].parent, batch.jobs[job.number].start
    if parent is None or start is None:
        return
    siblings = [n for n in batch.children(parent) if batch.jobs[n].start == start]
    if not all(batch.is_over(number) for number in siblings):
        return
    for unit in read_job(batch.folder.job(parent)).units:
        store = Store(unit.root)
        for request in unit.requests:
            folder = store.trial(request.id).checkpoints
            if start[1] in checkpoint_steps(folder):
                unpin(folder, start[1], request.settings.train.checkpoints_kept)


def _words(units: Sequence[Unit]) -> str:
    trials = sum(len(unit.requests) for unit in units)
    return f"{trials} trials in {len(units)} families to train"


def main() -> int:
    """Run one job; 0 when it is over, 1 when it stopped before, 2 when there is no such job."""
    if len(sys.argv) != 2:
        print("usage: python -m lora_sweep.sweep.cluster.node JOBFILE", file=sys.stderr)
        return 2
    quiet_libraries()
    began = time.monotonic()
    try:
        with interruptible() as interrupt:
            is_over = run_job(Path(sys.argv[1]), interrupt)
    except LoraSweepError as error:
        print(f"lora_sweep: {error}", file=sys.stderr)
        return 2
    say(f"{'over' if is_over else 'stopped'} after {time.monotonic() - began:.0f} s")
    return 0 if is_over else 1


if __name__ == "__main__":
    sys.exit(main())
