"""One job as whoever submitted it follows it. No torch."""

from __future__ import annotations

from collections.abc import Sequence

from lora_sweep.errors import LoraSweepError
from lora_sweep.results.board import Board
from lora_sweep.sweep.cluster.engine import JobState, Seen
from lora_sweep.sweep.cluster.ledger import Batch, JobFile
from lora_sweep.sweep.cluster.node import states_of
from lora_sweep.sweep.cluster.progress import UnitProgress, faults_of
from lora_sweep.sweep.giving_up import give_up
from lora_sweep.sweep.unit import Unit


class Tracked:
    """A job that is not known to be over.

    first: the number that the board has for its first unit; the others follow.
    """

    def __init__(
        self, batch: Batch, number: int, id_: str, job: JobFile, board: Board, first: int
    ) -> None:
        self.batch = batch
        self.number = number
        self.id = id_
        self.job = job
        self.is_over = False
        self.starts = 0  # submissions in a row that never began
        self.is_held = batch.jobs[number].start is not None
        self.attempts = 0
        self._attempts_before = 0  # this submission
        self._board = board
        self._first = first
        self._units: list[UnitProgress] = []

    @property
    def began_since_submitted(self) -> bool:
        """Whether a node has begun it since it was submitted last."""
        return self.attempts > self._attempts_before

    def look(self, seen: Seen) -> None:
        """Read what its node has left."""
        notes = self.batch.notes(self.number)
        self.attempts = sum(note["event"] == "began" for note in notes)
        self.is_over = any(note["event"] == "over" for note in notes)
        if self.attempts and not self._units:
            start = self.batch.jobs[self.number].start
            self._units = [
                UnitProgress(unit, self._first + at, self._board, start)
                for at, unit in enumerate(self.job.units)
            ]
        if seen.state is not JobState.waiting:
            for unit in self._units:
                unit.look()

    def submitted(self, id_: str) -> None:
        """It has another name now."""
        self.id = id_
        self._attempts_before = self.attempts
        self.is_held = False

    def is_ready(self, parents: Sequence[Unit]) -> bool:
        """Whether its parent has left the state that it goes on from."""
        start = self.batch.jobs[self.number].start
        return start is None or states_of(parents).get(start[0], 0) >= start[1]

    def end(self, *, finished: bool) -> None:
        """Nobody trains it any more."""
        for unit in self._units:
            unit.end(finished=finished)

    def faults(self) -> list[tuple[Unit, dict[str, Exception]]]:
        """What stopped trials of its units."""
        return [
            (unit, {trial: LoraSweepError(why) for trial, why in faults_of([unit]).items()})
            for unit in self.job.units
        ]

    def give_up(self, reason: str) -> None:
        """Record what is left of it as failed."""
        for unit in self.job.units:
            for trial, error in give_up(unit, reason).items():
                if trial in self._board.trials:
                    record = self._board.trials[trial]
                    self._board.changed(trial, type(record.state).failed, record.step, str(error))
