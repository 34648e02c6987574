"""How a running sweep stands: every trial's state and step, and all steps together. No torch."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lora_sweep.results.trial_record import TrialState

SMOOTHING = 0.95  # weight of the past in the loss that is shown
FAULTY = (TrialState.failed, TrialState.diverged)


class Smoothed:
    """A running mean that forgets, without a pull towards zero at its beginning or by NaN."""

    def __init__(self) -> None:
        self._sum = self._weight = 0.0

    def add(self, value: float) -> None:
        """Take one value more; NaN is passed over."""
        if value == value:
            self._sum = SMOOTHING * self._sum + (1 - SMOOTHING) * value
            self._weight = SMOOTHING * self._weight + (1 - SMOOTHING)

    @property
    def value(self) -> float | None:
        """None before the first value."""
        return self._sum / self._weight if self._weight else None


@dataclass
class BoardTrial:
    """One trial as it is shown."""

    id: str
    label: str
    total_steps: int
    state: TrialState = TrialState.waiting
    step: int = 0
    loss: Smoothed = field(default_factory=Smoothed)
    rate: float | None = None  # effective learning rate, the highest of its groups
    worker: int | None = None  # that is training it now
    facts: Mapping[str, str] = field(default_factory=dict)  # more columns, by name


class Listener(Protocol):
    """Is told when something moves."""

    def entered(self, position: int) -> None:
        """Steps that come are other work than those before; `position` of all lie behind."""
        ...

    def stepped(self, rows: Sequence[tuple[int, float, float | None]], position: int) -> None:
        """Rows of (step, loss, rate) of some trial, after which `position` steps lie behind."""
        ...


@dataclass
class _Family:
    """What a worker has in hand."""

    steps: int
    position: int = 0
    trials: Sequence[str] = ()
    entered_at: float = 0.0  # seconds
    trained: int = 0  # steps since then


class Board:
    """All trials of a sweep; workers report to it.

    trials: in the order asked for. total_steps: to be trained, shared ones counted once.
    shared_steps: that sharing saves.
    """

    def __init__(
        self,
        trials: Iterable[BoardTrial],
        total_steps: int,
        shared_steps: int = 0,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.trials = {trial.id: trial for trial in trials}
        self.total_steps = total_steps
        self.shared_steps = shared_steps
        self.expected = 0  # trials of a search, which come one by one
        self.headline = ""  # a line for people, such as the best so far
        self.faults = 0  # trials that failed or diverged since the beginning
        self.on_fault: Callable[[], None] = lambda: None  # called after each of them
        self.on_end: Callable[[], None] = lambda: None  # called when a trial has come to an end
        self.listener: Listener | None = None
        self.clock = clock
        self.latest: BoardTrial | None = None  # whose step was reported last
        self._families: dict[int, _Family] = {}
        self._done = 0  # steps of families that are ended
        self._trained = 0
        self._began: float | None = None

    @property
    def position(self) -> int:
        """Steps that lie behind: trained now, found on disk, or lost with a trial that failed."""
        at_hand = sum(family.position for family in self._families.values())
        return min(self.total_steps, self._done + at_hand)

    @property
    def num_trials(self) -> int:
        """Trials that there are, and that will come."""
        return max(len(self.trials), self.expected)

    @property
    def has_begun(self) -> bool:
        """Whether any trial was entered."""
        return self._began is not None

    @property
    def counts(self) -> Counter[TrialState]:
        """Trials by state."""
        return Counter(trial.state for trial in self.trials.values())

    @property
    def seconds_left(self) -> float | None:
        """By the mean speed of all workers together; None before the first step."""
        if self._began is None or not self._trained:
            return None
        pace = (self.clock() - self._began) / self._trained
        return pace * (self.total_steps - self.position)

    def seconds_left_of(self, trial: BoardTrial) -> float | None:
        """Until a trial that is being trained has its last step, if others do not come between."""
        family = self._families.get(trial.worker) if trial.worker is not None else None
        if family is None or not family.trained:
            return None
        pace = (self.clock() - family.entered_at) / family.trained
        return pace * (trial.total_steps - trial.step)

    def add(self, trial: BoardTrial) -> None:
        """Show one trial more."""
        self.trials[trial.id] = trial

    def began(self, worker: int, steps: int) -> None:
        """A worker was given a family with so many steps to train."""
        self._families[worker] = _Family(steps)

    def ended(self, worker: int, *, finished: bool = True) -> None:
        """A worker has done with its family; unfinished, another will go on with it."""
        family = self._families.pop(worker, None)
        if family is None:
            return
        self._release(family)
        if finished:
            self._done += family.steps

    def entered(self, worker: int, trials: Sequence[str], step: int, position: int) -> None:
        """See `Watch.entered`."""
        family = self._families[worker]
        self._release(family)
        family.trials, family.position = trials, min(position, family.steps)
        family.entered_at, family.trained = self.clock(), 0
        if self._began is None:
            self._began = self.clock()
        for trial in self._of(trials):
            trial.state, trial.step, trial.worker = TrialState.running, step, worker
        if self.listener is not None:
            self.listener.entered(self.position)

    def stepped(
        self, worker: int, rows: Sequence[tuple[int, float, float | None]], position: int
    ) -> None:
        """See `Watch.stepped`."""
        family = self._families[worker]
        family.position = min(position, family.steps)
        family.trained += len(rows)
        self._trained += len(rows)
        for trial in self._of(family.trials):
            for _, loss, _ in rows:
                trial.loss.add(loss)
            trial.step, _, trial.rate = rows[-1]
            self.latest = trial
        if self.listener is not None:
            self.listener.stepped(rows, self.position)

    def changed(self, trial: str, state: TrialState, step: int, reason: str | None) -> None:
        """See `Watch.changed`."""
        shown = self.trials[trial]
        if state is not TrialState.running:
            shown.worker = None
        is_new = state is not shown.state
        shown.state, shown.step = state, step
        if is_new and state in FAULTY:
            self.faults += 1
            self.on_fault()
        if is_new and state in (*FAULTY, TrialState.done):
            self.on_end()

    def _release(self, family: _Family) -> None:
        for trial in self._of(family.trials):
            if trial.state is TrialState.running:
                trial.state = TrialState.waiting
            trial.worker = None
        family.trials = ()

    def _of(self, trials: Sequence[str]) -> list[BoardTrial]:
        return [self.trials[trial] for trial in trials]


@dataclass(frozen=True)
class Reporter:
    """One worker's reports to a board; a `Watch`."""

    board: Board
    worker: int = 0

    def entered(self, trials: Sequence[str], step: int, position: int) -> None:
        self.board.entered(self.worker, trials, step, position)

    def stepped(self, rows: Sequence[tuple[int, float, float | None]], position: int) -> None:
        self.board.stepped(self.worker, rows, position)

    def changed(self, trial: str, state: TrialState, step: int, reason: str | None) -> None:
        self.board.changed(trial, state, step, reason)
