"""Whoever takes the units of a sweep and sees to it that they are trained. No torch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from lora_sweep.results.board import Board, Reporter
from lora_sweep.results.lock import LockHeld
from lora_sweep.sweep.interrupt import Interrupt
from lora_sweep.sweep.unit import Unit

More = Callable[[Unit, Mapping[str, Exception]], Sequence[Unit]]
"""Is told which unit has ended, and what stopped its trials; returns what is to be trained next."""


def no_more(unit: Unit, faults: Mapping[str, Exception]) -> Sequence[Unit]:
    """What a sweep has to add to its units, all of which are known from the beginning."""
    return ()


class Executor(Protocol):
    """Trains units, here or elsewhere.

    All state of record is in the results folder: an executor may lose a worker, or be stopped, at
    any time, and the same units given again go on from their checkpoints.
    """

    faults: dict[str, Exception]  # what stopped trials, by trial
    left: bool  # units are trained by others, and nobody waits for them

    def run(
        self, units: Sequence[Unit], board: Board, interrupt: Interrupt, more: More = no_more
    ) -> None:
        """Train all units, given with the most work first, and report to the board.

        more: called in this thread whenever a unit has ended; what it returns comes next. Units
        that another process of the results folder works on come last, and are waited for. Raises
        KeyboardInterrupt, with every state saved, after `interrupt` was asked to stop.
        """
        ...


class InProcess:
    """One unit after the other, in this process."""

    def __init__(self, *, alone: bool = False) -> None:
        self.alone = alone  # the one trial of the command: see Trainer
        self.faults: dict[str, Exception] = {}
        self.left = False

    def run(
        self, units: Sequence[Unit], board: Board, interrupt: Interrupt, more: More = no_more
    ) -> None:
        """See Executor."""
        from lora_sweep.sweep.trainer import Trainer  # imports torch

        trainer, watch = Trainer(interrupt, alone=self.alone), Reporter(board)
        todo = deque((unit, False) for unit in units)
        held: deque[tuple[Unit, bool]] = deque()  # by other processes: last, and waited for
        while waiting := todo or held:
            unit, blocking = waiting.popleft()
            interrupt.check()
            board.began(watch.worker, unit.steps)
            try:
                faults = trainer.train(unit, watch, blocking=blocking)
            except LockHeld:
                board.ended(watch.worker, finished=False)
                held.append((unit, True))
                continue
            self.faults |= faults
            board.ended(watch.worker)
            todo.extendleft((each, False) for each in reversed(more(unit, faults)))
