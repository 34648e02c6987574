"""Whoever takes the units of a sweep and sees to it that they are trained. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lora_sweep.results.board import Board, Reporter
from lora_sweep.results.lock import LockHeld
from lora_sweep.sweep.interrupt import Interrupt
from lora_sweep.sweep.unit import Unit


class Executor(Protocol):
    """Trains units, here or elsewhere.

    All state of record is in the results folder: an executor may lose a worker, or be stopped, at
    any time, and the same units given again go on from their checkpoints.
    """

    faults: dict[str, Exception]  # what stopped trials, by trial

    def run(self, units: Sequence[Unit], board: Board, interrupt: Interrupt) -> None:
        """Train all units, given with the most work first, and report to the board.

        Units that another process of the results folder works on come last, and are waited for.
        Raises KeyboardInterrupt, with every state saved, after `interrupt` was asked to stop.
        """
        ...


class InProcess:
    """One unit after the other, in this process."""

    def __init__(self, *, alone: bool = False) -> None:
        self.alone = alone  # the one trial of the command: see Trainer
        self.faults: dict[str, Exception] = {}

    def run(self, units: Sequence[Unit], board: Board, interrupt: Interrupt) -> None:
        """See Executor."""
        from lora_sweep.sweep.trainer import Trainer  # imports torch

        trainer, watch = Trainer(interrupt, alone=self.alone), Reporter(board)
        held: list[Unit] = []
        for blocking, some in ((False, units), (True, held)):
            for unit in some:
                interrupt.check()
                board.began(watch.worker, unit.steps)
                try:
                    self.faults |= trainer.train(unit, watch, blocking=blocking)
                    board.ended(watch.worker)
                except LockHeld:
                    board.ended(watch.worker, finished=False)
                    held.append(unit)
