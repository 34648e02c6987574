"""A family of the stage tree, trained: each segment once, depth first, forking from snapshots."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from lora_sweep.errors import Diverged, LoraSweepError
from lora_sweep.results.checkpoint import save_checkpoint
from lora_sweep.results.progress import closing_summary, say
from lora_sweep.results.trial_record import TrialState
from lora_sweep.sweep.checkpoints import CheckpointIndex, FoundCheckpoint
from lora_sweep.sweep.faults import note_fault
from lora_sweep.sweep.finish import Finisher
from lora_sweep.sweep.interrupt import Interrupt
from lora_sweep.sweep.live import Live, Snapshot
from lora_sweep.sweep.recorder import Recorder
from lora_sweep.sweep.tree import Address, Family, Segment
from lora_sweep.sweep.trial_log import TrialLog
from lora_sweep.sweep.watch import Watch
from lora_sweep.training.loop import train
from lora_sweep.training.trial import Trial


@dataclass
class FamilyRun:
    """Trains one family. `logs` are its trials' by id, none settled; `live` has the base."""

    family: Family
    logs: Mapping[str, TrialLog]
    live: Live
    checkpoints: CheckpointIndex
    watch: Watch
    interrupt: Interrupt
    steps_before: int = 0  # that lie behind already, in what is reported
    aloud: bool = True  # one of many: say what stopped a trial, and of a done one only where it is
    leaves: Collection[Address] = ()  # ends of segments to be kept for whoever goes on from them
    faults: dict[str, Exception] = field(default_factory=dict)  # by trial
    _at: int | None = field(default=None, init=False)  # segment at whose end the live trial stands

    def run(self) -> None:
        """Train what is wanted; a fault ends the trials that share its segment, and no others.

        Raises KeyboardInterrupt after the step in which it was asked for, with the state saved.
        """
        wanted = self._wanted()
        broken: set[int] = set()
        try:
            for index, segment in enumerate(self.family.segments):
                self.interrupt.check()
                if segment.parent in broken or (
                    wanted[index] and not self._train_or_note(index, segment)
                ):
                    broken.add(index)
            self._leave_waiting("another worker goes on with it")
        except KeyboardInterrupt:
            self._leave_waiting(self.interrupt.reason)
            raise
        finally:
            self.live.leave()
            for log in self.logs.values():
                self._close(log)

    def _leave_waiting(self, reason: str) -> None:
        """Note that nobody works any more on trials that are not done."""
        for log in self.logs.values():
            if log.is_open and log.record.state is TrialState.running:
                with contextlib.suppress(LoraSweepError):  # a full disk takes no record
                    self._note(log, TrialState.waiting, reason)

    def _close(self, log: TrialLog) -> None:
        try:
            log.close()
        except LoraSweepError as error:  # a full disk: what others have left is closed all the same
            self.faults |= note_fault([log], error, self.watch, self.aloud)

    def _wanted(self) -> list[bool]:
        """Whether each segment's end is needed: a trial ends there, or a child starts from it, or
        it is to be left for others and is not there.
        """
        segments = self.family.segments
        wanted = [bool(each.ends) or self._is_leaf(each) for each in segments]
        for index in range(len(segments) - 1, 0, -1):  # children come after their parents
            parent = segments[index].parent
            if (
                parent is not None
                and wanted[index]
                and not self.checkpoints.latest_whole(segments[index], say)
            ):
                wanted[parent] = True
        return wanted

    def _is_leaf(self, segment: Segment) -> bool:
        """Whether a segment's end is to be written, because others go on from it."""
        if (segment.key, segment.stop) not in self.leaves:
            return False
        found = self.checkpoints.latest_whole(segment, say)
        return found is None or found.step < segment.stop

    def _train_or_note(self, index: int, segment: Segment) -> bool:
        """Train a segment; False if its trials, and so everything after it, are lost."""
        logs = self._logs(segment.trials)
        try:
            trial = self._enter(segment)
            self._train(index, segment, trial)
            self._fork(index, segment)
            for log in self._logs(segment.ends):
                end = self._pause if log.request.pauses else self._finish
                end(segment, log, trial)
            self._at = index
            return True
        except Diverged as error:
            for log in logs:
                reason = f"{error}; {_rates(log)}"
                self._note(log, TrialState.diverged, reason, steps=error.step)
                closing_summary(log.request.name, f"diverged: {reason}", seconds=self.live.seconds)
        except Exception as error:
            # Broad on purpose: whatever stops a trial is recorded, and the rest go on.
            self.faults |= note_fault(logs, error, self.watch, self.aloud)
        self.live.leave()
        self._at = None
        return False

    def _enter(self, segment: Segment) -> Trial:
        """Bring the live trial to the furthest known state of a segment, and open the logs."""
        live, logs = self.live, self._logs(segment.trials)
        found = self.checkpoints.latest_whole(segment, say)
        if found is not None:
            trial = live.build(logs[-1].request, _load(found))
            if not logs[-1].has_paused:
                say(f"{logs[-1].request.name}: {_going_on(logs[-1], found.step)}")
        elif segment.parent is None:
            trial = live.build(logs[-1].request)
        elif live.trial is not None and self._at == segment.parent:
            trial = live.trial
        else:
            trial = live.build(logs[-1].request, live.snapshots[segment.parent])
        self._at = None
        # Stages say when the text side stops, whichever trial's settings the live one was built
        # from.
        trial.pivot_step = segment.stop if segment.text_trains else segment.start
        for log in logs:
            if not log.is_open:
                log.open(self._furthest(log))
        return trial

    def _furthest(self, log: TrialLog) -> FoundCheckpoint | None:
        """The last state of a trial that is on disk: its rows up to there need not come again."""
        path = self.family.path(log.request.id)
        found = [self.checkpoints.latest_whole(segment, say) for segment in path]
        return next((each for each in reversed(found) if each is not None), None)

    def _train(self, index: int, segment: Segment, trial: Trial) -> None:
        logs, settings = self._logs(segment.trials), trial.settings.train
        before = sum(len(each.steps) for each in self.family.segments[:index])
        offset = self.steps_before + before - segment.start
        self.watch.entered([log.request.id for log in logs], trial.step, offset + trial.step)
        recorder = Recorder(
            logs,
            self.watch,
            settings.log_every,
            self.live.seconds,
            overflow_is_skipped=self.live.base.dtype == torch.float16,
            offset=offset,
        )
        clock = _Clock(self.live, recorder, shared=len(segment.trials) > 1)
        try:
            with self.interrupt.after_the_step():
                for result in train(trial, segment.stop):
                    recorder.add(result)
                    clock.tell()
                    for log in logs:
                        if _measures_at(log, result.step):
                            recorder.flush()
                            Finisher(log, self.live.prepared).evaluate(trial)
                    stop = self.interrupt.asked
                    if _is_due(result.step, settings.checkpoint_every) or stop:
                        recorder.flush()
                        self._save(segment, logs[-1], logs)
                    if stop:
                        _say_stopped(logs, result.step)
                        raise KeyboardInterrupt
                recorder.flush()
        finally:
            clock.tell()

    def _fork(self, index: int, segment: Segment) -> None:
        """Keep the state for the children that cannot simply go on from the live trial."""
        children = [each for each in self.family.segments if each.parent == index]
        logs, is_leaf = self._logs(segment.trials), self._is_leaf(segment)
        if len(children) > 1:
            self.live.snapshots[index] = self.live.snapshot(segment.key)
        # A killed sweep forks again from here, and a stopped one goes on from here; where a trial
        # ends, both do from what that one leaves.
        is_needed = not segment.ends and (len(children) > 1 or self.interrupt.asked)
        if is_leaf or is_needed:
            self._save(segment, logs[-1], logs, pinned=is_leaf)
        parent = segment.parent
        if parent is not None and index == max(
            i for i, s in enumerate(self.family.segments) if s.parent == parent
        ):
            self.live.snapshots.pop(parent, None)  # the last child has begun

    def _finish(self, segment: Segment, log: TrialLog, trial: Trial) -> None:
        """Save, measure and export a trial at its last step."""
        self._save(segment, log, [log])
        finisher = Finisher(log, self.live.prepared)
        scores = finisher.evaluate(trial)
        finisher.export(trial, scores)
        log.metrics.sync()
        self._note(log, TrialState.done, scores=scores)
        paths = {"folder": log.folder.path} if self.aloud else finisher.paths()
        closing_summary(
            log.request.name, "done", seconds=self.live.seconds, scores=scores, paths=paths
        )
        log.close()

    def _pause(self, segment: Segment, log: TrialLog, trial: Trial) -> None:
        """Save and measure a trial at a step that it is to be gone on from later, or not at all."""
        self._save(segment, log, [log])
        Finisher(log, self.live.prepared).evaluate(trial)
        self._note(log, TrialState.waiting, steps=trial.step)
        log.close()

    def _save(
        self, segment: Segment, owner: TrialLog, logs: Sequence[TrialLog], *, pinned: bool = False
    ) -> None:
        """Write a checkpoint into the owner's folder, after the rows that it belongs to."""
        assert self.live.trial is not None
        step = self.live.trial.step
        state = self.live.snapshot(segment.key)
        for log in logs:
            log.metrics.sync()
        keep = owner.request.settings.train.checkpoints_kept
        save_checkpoint(
            owner.folder.checkpoints, step, state.tensors, state.meta, keep=keep, pinned=pinned
        )
        for log in logs:
            self._note(log, TrialState.running, steps=step)

    def _note(
        self, log: TrialLog, state: TrialState, reason: str | None = None, **changes: Any
    ) -> None:
        """Write what became of a trial, with the seconds that it took so far."""
        if state is not TrialState.waiting:
            changes["seconds"] = self.live.seconds
            changes["seconds_shared"] = self.live.seconds_shared
        log.note(state, reason, **changes)
        self.watch.changed(log.request.id, state, log.record.steps, reason)

    def _logs(self, positions: range) -> list[TrialLog]:
        return [self.logs[self.family.trials[position]] for position in positions]


class _Clock:
    """Keeps the live trial's seconds in step with a recorder's."""

    def __init__(self, live: Live, recorder: Recorder, shared: bool) -> None:
        self.live, self.recorder, self.shared = live, recorder, shared

    def tell(self) -> None:
        """Count the seconds since the last time."""
        seconds = self.recorder.seconds
        if self.shared:
            self.live.seconds_shared += seconds - self.live.seconds
        self.live.seconds = seconds


def _load(found: FoundCheckpoint) -> Snapshot:
    return Snapshot(*found.load())


def _say_stopped(logs: Sequence[TrialLog], step: int) -> None:
    for log in logs:
        say(f"{log.request.name}: stopped; saved is step {step} of {log.request.max_train_steps}")


def _going_on(log: TrialLog, step: int) -> str:
    return f"going on from step {step} of {log.request.max_train_steps}"


def _measures_at(log: TrialLog, step: int) -> bool:
    request = log.request  # at its end, or where it pauses, it is measured in any case
    due = _is_due(step, request.settings.evaluate.every)
    return due and step not in (request.max_train_steps, request.stop_step)


def _is_due(step: int, every: int | None) -> bool:
    return bool(every) and step % (every or 1) == 0


def _rates(log: TrialLog) -> str:
    settings = log.request.settings
    rates = settings.optimizer
    return f"optimizer={rates.name}, lr={rates.lr:g}, te_lr={rates.te_lr}, seed={settings.seed}"
