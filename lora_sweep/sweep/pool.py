"""Several processes on one machine, each with the base loaded once, that share the families of a
sweep. No torch.
"""

from __future__ import annotations

import queue
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lora_sweep.errors import LoraSweepError
from lora_sweep.results.board import Board
from lora_sweep.results.progress import say
from lora_sweep.results.trial_record import TrialState
from lora_sweep.sweep.cost.machine import available_memory
from lora_sweep.sweep.executor import More, no_more
from lora_sweep.sweep.giving_up import WorkerStopped, give_up
from lora_sweep.sweep.interrupt import Interrupt
from lora_sweep.sweep.memory import gib, predicted_memory
from lora_sweep.sweep.unit import Unit
from lora_sweep.sweep.worker_process import Report, WorkerProcess

MOST_DEATHS = 3  # of workers over one family, before it is given up
POLL_SECONDS = 0.2
GRACE_SECONDS = 5.0  # for a worker that was told to stop at once


@dataclass(frozen=True)
class _Order:
    unit: Unit
    blocking: bool = False  # wait for another process that works on it


class WorkerPool:
    """An Executor of `count` processes; of several GPUs, each sees one.

    A unit goes to one worker as a whole: families are not cut at forks, where the state would have
    to travel, so the longest family bounds how much more workers can help.
    """

    def __init__(self, count: int, gpus: Sequence[str] = ()) -> None:
        self.count = count
        self.gpus = gpus
        self.faults: dict[str, Exception] = {}
        self.left = False
        self._reports: queue.Queue[Report] = queue.Queue()
        self._workers: dict[int, WorkerProcess] = {}
        self._orders: dict[int, _Order] = {}  # in hand, by worker
        self._todo: deque[_Order] = deque()
        self._held: deque[_Order] = deque()  # by other processes: last
        self._deaths: Counter[tuple[str, ...]] = Counter()  # by the trials of a unit
        self._told_to_stop = False
        self._more: More = no_more
        self._slots: dict[int, int] = {}  # the place of each worker, which decides its GPU
        self._started = 0

    def run(
        self, units: Sequence[Unit], board: Board, interrupt: Interrupt, more: More = no_more
    ) -> None:
        """See Executor."""
        self._more = more
        self._todo.extend(_Order(unit) for unit in units)
        try:
            with interrupt.after_the_step():
                self._fill()
                while self._workers:
                    self._take_reports(board)
                    if interrupt.asked and not self._told_to_stop:
                        self._stop(interrupt.reason)
        finally:
            self._end_all()
        interrupt.check()

    def _take_reports(self, board: Board) -> None:
        try:
            report = self._reports.get(timeout=POLL_SECONDS)
            while True:
                self._take(report, board)
                report = self._reports.get_nowait()
        except queue.Empty:
            return

    def _take(self, report: Report, board: Board) -> None:
        values, number = report.values, report.worker
        match report.event:
            case "said":
                say(values["line"])
            case "ready":
                self._workers[number].is_ready = True
                self._give(number, board)
            case "entered":
                board.entered(number, values["trials"], values["step"], values["position"])
            case "stepped":
                board.stepped(number, [tuple(row) for row in values["rows"]], values["position"])
            case "changed":
                state = TrialState(values["state"])
                board.changed(values["trial"], state, values["step"], values["reason"])
            case "held":
                self._held.append(_Order(self._orders.pop(number).unit, blocking=True))
                board.ended(number, finished=False)
                self._give(number, board)
            case "finished":
                reasons = values["faults"].items()
                faults = {trial: LoraSweepError(reason) for trial, reason in reasons}
                self.faults |= faults
                unit = self._orders.pop(number).unit
                board.ended(number)
                self._next(unit, faults)
                self._give(number, board)
                self._fill()
            case "gone":
                self._bury(number, board)
            case _:
                raise AssertionError(report.event)

    def _next(self, unit: Unit, faults: Mapping[str, Exception]) -> None:
        """Take up what comes after a unit that has ended."""
        if not self._told_to_stop:
            new = self._more(unit, faults)
            self._todo.extendleft(_Order(each) for each in reversed(new))

    def _give(self, number: int, board: Board) -> None:
        """Hand out what is next; a worker for which there is nothing is dismissed."""
        worker = self._workers[number]
        waiting = self._todo or self._held
        if self._told_to_stop or not waiting:
            worker.dismiss()
            return
        order = self._orders[number] = waiting.popleft()
        board.began(number, order.unit.steps)
        worker.give(order.unit, blocking=order.blocking)

    def _fill(self) -> None:
        """Start workers for what is not handed out."""
        free = [slot for slot in range(self.count) if slot not in self._slots.values()]
        coming = sum(not worker.is_ready for worker in self._workers.values())
        wanted = len(self._todo) + len(self._held) - coming
        for slot in free[: max(0, wanted)]:
            gpu = self.gpus[slot % len(self.gpus)] if self.gpus else None
            number = self._started
            self._started += 1
            self._slots[number] = slot
            self._workers[number] = WorkerProcess(number, self._reports, gpu)

    def _bury(self, number: int, board: Board) -> None:
        """A worker has ended: of itself, or killed, and then another goes on with its unit."""
        worker, order = self._workers.pop(number), self._orders.pop(number, None)
        del self._slots[number]
        if self._told_to_stop:
            return  # and what it has done stays on the board
        board.ended(number, finished=False)
        if not worker.is_ready:
            raise WorkerStopped(f"a worker could not start: {worker.how_it_ended()}")
        if order is not None:
            unit = order.unit
            self._deaths[unit.trials] += 1
            deaths = self._deaths[unit.trials]
            how = worker.how_it_ended()
            say(f"worker {worker.pid} is gone: {how} (time {deaths} of {MOST_DEATHS})")
            if deaths < MOST_DEATHS:
                self._todo.appendleft(order)
            else:
                self._give_up(unit, f"its worker died {deaths} times; the last time {how}", board)
                self._next(unit, {t: self.faults[t] for t in unit.trials if t in self.faults})
        self._fill()

    def _give_up(self, unit: Unit, reason: str, board: Board) -> None:
        faults = give_up(unit, reason + memory_hint(unit))
        self.faults |= faults
        for trial in faults:
            board.changed(trial, TrialState.failed, 0, str(faults[trial]))

    def _stop(self, reason: str) -> None:
        self._told_to_stop = True
        self._todo.clear()
        self._held.clear()
        for worker in self._workers.values():
            worker.stop(reason)

    def _end_all(self) -> None:
        """Leave no worker behind; those that still run are told to stop at once, or killed."""
        try:
            for worker in self._workers.values():
                worker.stop("stopped at once")
                if not self._told_to_stop:
                    worker.stop("stopped at once")
            for worker in self._workers.values():
                worker.wait(GRACE_SECONDS)
        finally:
            for worker in self._workers.values():
                worker.kill()
            self._workers.clear()


def memory_hint(unit: Unit) -> str:
    """What memory there is, for a worker that the system may have killed for want of it."""
    predicted = max((predicted_memory(request) or 0 for request in unit.requests), default=0)
    available = gib(available_memory())
    return (
        "; the system kills processes when memory runs out: predicted were "
        f"{gib(predicted or None)}, available are {available}"
    )
