"""A sweep trained by the jobs of a scheduler: submitted, watched, submitted again. No torch.

All state of record is in the results folder; whoever runs this may be killed at any time, and the
same command finds the jobs again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from lora_sweep.results.board import Board
from lora_sweep.results.lock import file_lock
from lora_sweep.results.progress import say
from lora_sweep.results.store import Store
from lora_sweep.sweep.cluster.arrange import JOBS_PER_WORKER, arrange
from lora_sweep.sweep.cluster.engine import Engine, JobState, Seen
from lora_sweep.sweep.cluster.ledger import Batch, open_batches, read_job, write_batch
from lora_sweep.sweep.cluster.options import ClusterError
from lora_sweep.sweep.cluster.pictures import SharedPictures
from lora_sweep.sweep.cluster.tracked import Tracked
from lora_sweep.sweep.cluster.units import units_of_jobs
from lora_sweep.sweep.cluster.why import why_it_never_began
from lora_sweep.sweep.cluster.work import expected_work
from lora_sweep.sweep.executor import More, no_more
from lora_sweep.sweep.interrupt import Interrupt
from lora_sweep.sweep.stages import spec_of
from lora_sweep.sweep.tree import build_tree
from lora_sweep.sweep.unit import Unit

MOST_STARTS = 3  # of a job that never begins, before it is given up
SAVING_SECONDS = 120.0  # for jobs that were cancelled


class ClusterExecutor:
    """An Executor of the jobs of an engine."""

    def __init__(self, engine: Engine, *, detach: bool = False) -> None:
        self.engine = engine
        self.detach = detach
        self.left = False  # jobs go on; nothing is known of their end
        self.faults: dict[str, Exception] = {}
        self._tracked: list[Tracked] = []
        self._numbers = 0  # of units, for the board
        self._has_begun = False  # any job: the nodes see the results folder, and have the package
        self._is_silent = False

    def run(
        self, units: Sequence[Unit], board: Board, interrupt: Interrupt, more: More = no_more
    ) -> None:
        """See Executor. With `detach`, returns when the jobs are submitted."""
        self.engine.open()
        try:
            self._take(units, board)
            if self.detach:
                self.left = True
                return
            while self._tracked:
                self._look(board, more)
                if interrupt.asked:
                    self._cancel()
                    interrupt.check()
                if self._tracked:
                    time.sleep(self.engine.options.poll_seconds)
        except KeyboardInterrupt:
            if self._tracked and self.engine.outlives and not interrupt.asked:
                say(self._words_of_leaving())
            elif not interrupt.asked:
                self._cancel()
            raise
        finally:
            self.engine.close()

    def _take(self, units: Sequence[Unit], board: Board) -> None:
        """Find the jobs that train some of the trials already; submit what is left."""
        if not units:
            return
        store = Store(units[0].root)
        with file_lock(store.cluster.lock, on_wait=say):
            covered = self._find(store, {t for unit in units for t in unit.trials}, board)
            left = {r.id: r for unit in units for r in unit.requests if r.id not in covered}
            if left:
                self._submit(store, units, left, board)

    def _find(self, store: Store, wanted: set[str], board: Board) -> set[str]:
        """Follow the jobs of earlier commands that are alive; returns the trials they end."""
        covered: set[str] = set()
        for batch in open_batches(store, self.engine.options.launcher):
            ids = batch.ids() or self.engine.recover(batch)
            open_jobs = {n: ids[n] for n in ids if not batch.is_over(n)}
            seen = self.engine.look(list(open_jobs.values()))
            if seen is None:
                raise ClusterError(f"{self.engine.options.launcher} does not answer")
            alive = {n: i for n, i in open_jobs.items() if seen[i].state is not JobState.ended}
            if not alive:
                batch.folder.finished.touch()
                continue
            # A part that ends no trial is needed by one that does.
            useful = [n for n in alive if {*batch.jobs[n].trials} & wanted]
            for number in alive if useful else []:
                self._follow(batch, number, alive[number], board)
                covered |= {*batch.jobs[number].trials}
            if useful:
                say(f"found {len(alive)} jobs of {batch.folder.name}: {_listed(alive.values())}")
        return covered

    def _submit(
        self, store: Store, units: Sequence[Unit], left: Mapping[str, object], board: Board
    ) -> None:
        pictures = SharedPictures(store.cluster)
        requests = {r.id: pictures.of(r) for u in units for r in u.requests if r.id in left}
        families = build_tree(spec_of(request) for request in requests.values()).families
        work = expected_work(families, requests, store)
        options = self.engine.options
        most, limit = options.jobs or JOBS_PER_WORKER * options.workers, self.engine.most_jobs()
        if limit is not None and most > limit:
            most = limit
        found = arrange(families, work.segments, options.workers, most)
        names = {trial: name for unit in units for trial, name in unit.names.items()}
        root = store.root.absolute()
        jobs = units_of_jobs(found, requests, root, units[0].group, names)
        batch = write_batch(store.cluster, options.launcher, jobs, options.max_attempts)
        ids = self.engine.submit(batch, range(len(jobs)))
        cut = len(found.parts) - len(families)
        parts = f", cut into {len(found.parts)} parts" if cut else ""
        say(
            f"submitted {len(jobs)} jobs for {len(families)} families{parts}, at most "
            f"{options.workers} at once: {_listed(ids.values())}"
        )
        for number, id_ in ids.items():
            self._follow(batch, number, id_, board)

    def _follow(self, batch: Batch, number: int, id_: str, board: Board) -> None:
        job = read_job(batch.folder.job(number))
        self._tracked.append(Tracked(batch, number, id_, job, board, self._numbers))
        self._numbers += len(job.units)

    def _look(self, board: Board, more: More) -> None:
        seen = self.engine.look([job.id for job in self._tracked])
        if seen is None:
            if not self._is_silent:
                say(f"{self.engine.options.launcher} does not answer; asking again")
            self._is_silent = True
            return
        self._is_silent = False
        for job in list(self._tracked):
            stands = seen[job.id]
            job.look(stands)
            self._has_begun = self._has_begun or job.attempts > 0
            if job.is_over:
                self._end(job, board, more)
            elif stands.state is JobState.ended:
                self._again(job, stands, board, more)
        self._release(seen)

    def _end(self, job: Tracked, board: Board, more: More) -> None:
        """A job is over: what became of its trials is in their records."""
        self._tracked.remove(job)
        job.end(finished=True)
        for unit, faults in job.faults():
            self.faults |= faults
            new = more(unit, faults) if unit.until is None else ()
            if new:
                self._take(new, board)
        if all(job.batch.is_over(number) for number in range(len(job.batch.jobs))):
            job.batch.folder.finished.touch()

    def _again(self, job: Tracked, seen: Seen, board: Board, more: More) -> None:
        """A job has ended and is not over: it is submitted again, and goes on where it was."""
        if job.began_since_submitted:
            say(f"job {job.id}: {seen.words}; it is submitted again")
        else:
            reason = why_it_never_began(self.engine, job, seen)
            job.starts += 1
            if not self._has_begun:
                self._cancel(wait=False)
                raise ClusterError(f"{reason}; what was done before is kept")
            if job.starts >= MOST_STARTS:
                say(f"job {job.id} is given up: {reason}")
                job.give_up(f"its job never began, {job.starts} times: {reason}")
                self._end(job, board, more)
                return
            say(f"job {job.id}: {reason}; it is submitted again")
        self.engine.cancel([job.id])  # a job may be held for good
        try:
            job.submitted(self.engine.submit(job.batch, [job.number])[job.number])
        except ClusterError as error:
            say(f"job {job.id}: {error}; trying again")  # the queue may be full

    def _release(self, seen: Mapping[str, Seen]) -> None:
        """Let jobs begin whose state is there, or will not come: nodes may not be able to."""
        open_jobs = {(job.batch.folder.path, job.number): job for job in self._tracked}
        for job in self._tracked:
            if not job.is_held or seen.get(job.id, Seen(JobState.ended)).state is not (
                JobState.waiting
            ):
                continue
            parent = job.batch.jobs[job.number].parent
            assert parent is not None
            before = open_jobs.get((job.batch.folder.path, parent))
            if before is None or job.is_ready(before.job.units):
                try:
                    self.engine.release(job.batch, [job.number])
                    job.is_held = False
                except ClusterError as error:
                    say(str(error))

    def _cancel(self, *, wait: bool = True) -> None:
        ids = [job.id for job in self._tracked]
        say(f"cancelling {len(ids)} jobs; those that run save their state")
        self.engine.cancel(ids)
        end = time.monotonic() + SAVING_SECONDS
        while wait and ids and time.monotonic() < end:
            seen = self.engine.look(ids) or {}
            ids = [i for i in ids if seen.get(i, Seen(JobState.running)).state is JobState.running]
            if ids:
                time.sleep(min(1.0, self.engine.options.poll_seconds))
        for job in self._tracked:
            job.end(finished=False)

    def _words_of_leaving(self) -> str:
        ids = list(dict.fromkeys(job.id.split("_")[0] for job in self._tracked))
        return (
            f"jobs go on without this command: {_listed(ids)}; run it again to follow them, or end "
            f"them with: scancel {' '.join(ids)}"
        )


def _listed(ids: object) -> str:
    found = list(ids) if not isinstance(ids, str) else [ids]  # type: ignore[call-overload]
    shown = [str(each) for each in found[:8]]
    return ", ".join(shown) + (f" and {len(found) - 8} more" if len(found) > 8 else "")
