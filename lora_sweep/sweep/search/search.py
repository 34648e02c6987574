"""A study under way: which trial comes next, up to which step, and what becomes of it.

A trial is trained up to its next rung, measured, and comes back with a checkpoint; then it is
pruned, or handed out again. Nothing waits for others, and a process that is killed leaves a study
that the next one goes on with: every decision is made from what is on disk and in the storage.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from lora_sweep.errors import DataError, LoraSweepError, ModelError, SettingsError
from lora_sweep.results import trial_record
from lora_sweep.results.board import Board, BoardTrial
from lora_sweep.results.progress import say
from lora_sweep.sweep.lookup import settled
from lora_sweep.sweep.search.best import headline, told_text, value_text
from lora_sweep.sweep.search.disk import (
    Scores,
    first_stage,
    measured_at,
    note_pruned,
    read_record,
    values_of,
)
from lora_sweep.sweep.search.hand import Hand, Hands
from lora_sweep.sweep.search.pictures import show_pictures
from lora_sweep.sweep.search.pruners import judge
from lora_sweep.sweep.search.runners import Runner
from lora_sweep.sweep.search.study import StudyPlan, go_on, take_place
from lora_sweep.sweep.unit import Unit

TRIAL, SCORES, REASON = "trial", "scores", "reason"
"""User attributes: a trial's id, all its measures, why it failed."""

DONE, DIVERGED = trial_record.TrialState.done, trial_record.TrialState.diverged
PRUNED, FAILED = trial_record.TrialState.pruned, trial_record.TrialState.failed


class Search:
    """Hands out the trials of a study; `first` and `more` are for an executor.

    workers: how many units may be in hand at once. artifacts: takes pictures; None: no pictures.
    """

    def __init__(
        self,
        plan: StudyPlan,
        study: optuna.Study,
        hands: Hands,
        runner: Runner,
        board: Board,
        *,
        workers: int = 1,
        artifacts: Path | None = None,
    ) -> None:
        self.plan = plan
        self.study = study
        self.board = board
        self._store = hands.store
        self._hands = hands
        self._runner = runner
        self._workers = workers
        self._artifacts = artifacts
        self._out: dict[str, Hand] = {}  # being trained, by trial
        self._parked: list[Hand] = []  # begin as one that is being trained does
        board.expected = plan.total
        self._show_best()

    def first(self) -> list[Unit]:
        """As many units as there are workers, if there are so many to be had now."""
        units: list[Unit] = []
        while len(self._out) < self._workers and (unit := self._next()) is not None:
            units.append(unit)
        return units

    def more(self, unit: Unit, faults: Mapping[str, Exception]) -> Sequence[Unit]:
        """Take a unit back; what comes next."""
        (trial,) = unit.trials
        hand = self._out.pop(trial)
        going_on = self._returned(hand, faults.get(trial))
        self._show_best()
        return [*([going_on] if going_on else []), *self.first()]

    def let_go(self) -> None:
        """Leave what is in hand to whoever comes next."""
        for hand in [*self._out.values(), *self._parked]:
            with contextlib.suppress(Exception):  # the storage may be what has failed
                self._runner.let_go(hand.trial)

    def others(self) -> list[FrozenTrial]:
        """Trials in the hands of other processes that live."""
        return [trial for trial in self._running() if not self._runner.has(trial)]

    def _running(self) -> list[FrozenTrial]:
        trials = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        return [trial for trial in trials if trial.number < self.plan.total]

    def _next(self) -> Unit | None:
        """A unit of a trial that is free, or None where there is none now."""
        for hand in list(self._parked):
            if self._stage_is_free(hand):
                self._parked.remove(hand)
                if unit := self._advance(hand):
                    return unit
        while len(self._parked) < self._workers and (trial := self._free()) is not None:
            hand = self._begin(trial)
            if hand is not None and not self._stage_is_free(hand):
                self._parked.append(hand)
            elif hand is not None and (unit := self._advance(hand)):
                return unit
        return None

    def _free(self) -> Trial | None:
        return self._adopted() or take_place(self.study, self.plan.total)

    def _adopted(self) -> Trial | None:
        """A trial whose process has died."""
        mine = {hand.number for hand in [*self._out.values(), *self._parked]}
        for trial in self._running():
            if trial.number in mine or (not self._runner.has(trial) and self._runner.lives(trial)):
                continue
            return go_on(self.study, trial)
        return None

    def _begin(self, trial: Trial) -> Hand | None:
        """Find out what the trial is; None where it is impossible, which ends it."""
        self._runner.claim(trial)
        try:
            hand = self._hands.take(trial)
        except (SettingsError, DataError, ModelError) as error:
            say(f"trial {trial.number}: impossible: {error}")
            self._fail(trial, str(error))
            return None
        trial.set_user_attr(TRIAL, hand.request.id)
        if hand.request.id not in self.board.trials:
            steps = hand.request.max_train_steps
            self.board.add(BoardTrial(hand.request.id, hand.label, steps))
        return hand

    def _stage_is_free(self, hand: Hand) -> bool:
        """Whether no trial that begins alike is being trained: its steps are worth waiting for."""
        stage = first_stage(hand.request)
        return all(first_stage(other.request) != stage for other in self._out.values())

    def _returned(self, hand: Hand, fault: Exception | None) -> Unit | None:
        self._hands.remember(hand, first_stage(hand.request))
        record = read_record(self._store, hand.request.id)
        if fault is not None or (record is not None and record.state is FAILED):
            self._fail(hand.trial, str(fault or (record and record.error)))
            return None
        return self._advance(hand)

    def _advance(self, hand: Hand) -> Unit | None:
        """What is to be trained of a trial next, or None where it is told."""
        with contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError):  # by somebody else
            return self._judge(hand)
        return None

    def _judge(self, hand: Hand) -> Unit | None:
        """Judge the trial at every rung that lies behind it."""
        request, folder = hand.request, self._store.trial(hand.request.id)
        try:
            state = settled(self._store, request.id, request.settings)
            steps = record.steps if (record := folder.read_record()) else 0
            rungs = [
                step for step in self.plan.rungs if hand.passed < step < request.max_train_steps
            ]
            measured = measured_at(folder, request, rungs)
        except LoraSweepError as error:
            return self._fail(hand.trial, str(error))
        if state is DIVERGED:
            return self._fail(hand.trial, (record and record.error) or "diverged")
        for step in rungs:
            if step in measured:
                if self._is_pruned(hand, step, measured[step], is_done=state is DONE):
                    return None
            elif steps <= step and state is not DONE:
                return self._hand_out(hand, step)
            hand.passed = step
        if state is DONE:
            return self._finish(hand, record.scores if record else {})
        return self._hand_out(hand, request.max_train_steps)

    def _hand_out(self, hand: Hand, step: int) -> Unit | None:
        if hand.asked_for == step:
            return self._fail(hand.trial, f"it was trained to step {step} and left no measures")
        hand.asked_for = step
        unit = self._hands.unit(hand, step, first_stage(hand.request))
        self._out[hand.request.id] = hand
        self.board.total_steps += unit.steps
        return unit

    def _is_pruned(self, hand: Hand, step: int, scores: Scores, *, is_done: bool) -> bool:
        """Report a rung; prune the trial if it is to be, unless its result is there already."""
        values = values_of(scores, self.plan.settings.objectives)
        if isinstance(values, str):
            self._fail(hand.trial, f"{values} at step {step}")
            return True
        (value,) = values
        trial = self._latest(hand)
        if step not in trial.intermediate_values:
            hand.trial.report(value, step)
            trial = self._latest(hand)
        self._show(hand, value, step)
        if is_done or not judge(self.study, trial, step):
            return False
        if not note_pruned(self._store.trial(hand.request.id), hand.request, scores):
            return False  # another process trains it on: its result will be there
        self._pictures(hand)
        hand.trial.set_user_attr(SCORES, _plain(scores))
        self.study.tell(hand.trial, state=TrialState.PRUNED, skip_if_finished=True)
        self.board.changed(hand.request.id, PRUNED, step, None)
        name = self.plan.settings.objectives[0]
        say(f"trial {hand.label}: pruned: {name} {value:.4g} at step {step}")
        return True

    def _finish(self, hand: Hand, scores: Scores) -> None:
        values = values_of(scores, self.plan.settings.objectives)
        if isinstance(values, str):
            return self._fail(hand.trial, values)
        self._pictures(hand)
        hand.trial.set_user_attr(SCORES, _plain(scores))
        self.study.tell(hand.trial, values, skip_if_finished=True)
        steps = hand.request.max_train_steps
        self._show(hand, values[0], steps)
        self.board.changed(hand.request.id, DONE, steps, None)
        say(f"trial {hand.label}: {told_text(self.plan.settings.objectives, values)}")
        return None

    def _fail(self, trial: Trial, reason: str) -> None:
        with contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError):
            trial.set_user_attr(REASON, reason)
        self.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)

    def _pictures(self, hand: Hand) -> None:
        if self._artifacts is not None:
            show_pictures(hand.trial, self._store.trial(hand.request.id), self._artifacts)

    def _latest(self, hand: Hand) -> FrozenTrial:
        return self.study._storage.get_trial(hand.trial._trial_id)  # pyright: ignore[reportPrivateUsage]

    def _show(self, hand: Hand, value: float, step: int) -> None:
        rungs = [*self.plan.rungs]
        rung = str(rungs.index(step) + 1) if step in rungs else "end"
        self.board.trials[hand.request.id].facts = {"value": value_text(value), "rung": rung}

    def _show_best(self) -> None:
        self.board.headline = headline(self.study, self.plan.settings.objectives)


def _plain(scores: Scores) -> dict[str, float | None]:
    return {name: value for name, value in scores.items() if name != "step"}
