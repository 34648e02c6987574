"""How far units are, by what their trials leave in the results folder. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lora_sweep.errors import StoreError
from lora_sweep.results.board import Board
from lora_sweep.results.store import Store
from lora_sweep.results.trial_record import TrialState
from lora_sweep.sweep.hand_over import with_leaves
from lora_sweep.sweep.stages import spec_of
from lora_sweep.sweep.tree import Address, Family, build_tree
from lora_sweep.sweep.unit import Unit
from lora_sweep.sweep.watch import StepRow, step_row


def position(family: Family, steps: Mapping[str, int]) -> int:
    """Steps of a family that lie behind when each of its trials has come so far."""
    total = 0
    for segment in family.segments:
        furthest = max(steps.get(family.trials[at], 0) for at in segment.trials)
        total += min(max(0, furthest - segment.start), len(segment.steps))
    return total


@dataclass
class _Rows:
    """The rows of one metrics.jsonl as they come."""

    path: Path
    offset: int = 0
    step: int = 0

    def read(self) -> list[StepRow]:
        """Training steps since the last time; a file that a resumed trial has cut is read anew."""
        try:
            size = self.path.stat().st_size
            if size == self.offset:
                return []
            with self.path.open("rb") as file:
                file.seek(self.offset if size > self.offset else 0)
                data = file.read()
        except OSError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self.offset = (self.offset if size > self.offset else 0) + len(whole)
        rows: list[StepRow] = []
        for line in whole.splitlines():
            try:
                values = json.loads(line)
            except ValueError:
                continue
            if values.get("loss") is not None and values["step"] > self.step:
                rows.append(step_row(values))
                self.step = values["step"]
        return rows


@dataclass
class UnitProgress:
    """Tells a board of one unit that is trained elsewhere; `worker` is a number of its own."""

    unit: Unit
    worker: int
    board: Board
    start: Address | None = None  # what lies before is another unit's
    _rows: dict[str, _Rows] = field(default_factory=dict)
    _states: dict[str, TrialState] = field(default_factory=dict)
    _moving: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        store = Store(self.unit.root)
        (family,) = build_tree(spec_of(request) for request in self.unit.requests).families
        self._family = with_leaves(family, self.unit.leaves, self.unit.until)
        self._before = self.start[1] if self.start is not None else 0
        self._folders = {trial: store.trial(trial) for trial in self.unit.trials}
        self._rows = {trial: _Rows(f.metrics) for trial, f in self._folders.items()}
        self.board.began(self.worker, self.unit.steps - self._before)

    def look(self) -> None:
        """Report what is new."""
        for trial in self.unit.trials:
            if trial in self.board.trials:
                self._look_at_record(trial)
        new = {trial: found for trial, rows in self._rows.items() if (found := rows.read())}
        moving = tuple(trial for trial in new if trial in self.board.trials)
        if not moving:
            return
        # Trials in the same segment have the same rows; the longest tells of all.
        rows = max((new[trial] for trial in moving), key=len)
        if moving != self._moving:
            self._moving = moving
            self.board.entered(self.worker, moving, rows[0][0] - 1, self._position())
        self.board.stepped(self.worker, rows, self._position())

    def end(self, *, finished: bool) -> None:
        """Nobody trains it any more."""
        self.look()
        self.board.ended(self.worker, finished=finished)

    def _position(self) -> int:
        steps = {trial: rows.step for trial, rows in self._rows.items()}
        return max(0, position(self._family, steps) - self._before)

    def _look_at_record(self, trial: str) -> None:
        try:
            record = self._folders[trial].read_record()
        except StoreError:
            return
        if record is None or record.state is self._states.get(trial, TrialState.waiting):
            return
        self._states[trial] = record.state
        if record.state is not TrialState.running:
            self.board.changed(trial, record.state, record.steps, record.error)


def faults_of(units: Sequence[Unit]) -> dict[str, str]:
    """Trials of units that have failed, with the reasons that their records give."""
    found: dict[str, str] = {}
    for unit in units:
        store = Store(unit.root)
        for trial in unit.trials:
            try:
                record = store.trial(trial).read_record()
            except StoreError as error:
                found[trial] = str(error)
                continue
            if record is not None and record.state is TrialState.failed:
                found[trial] = record.error or "it failed"
    return found
