"""One trial from request to files: prepare, train, checkpoint, evaluate, export; or resume; or look up."""

from __future__ import annotations

import contextlib
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lora_sweep.config import to_plain
from lora_sweep.config.settings import Settings
from lora_sweep.errors import Diverged, LoraSweepError
from lora_sweep.files import atomic_write
from lora_sweep.model.base import Base, load_base
from lora_sweep.results.checkpoint import latest_checkpoint, save_checkpoint
from lora_sweep.results.metrics import MetricsWriter
from lora_sweep.results.progress import Progress, closing_summary
from lora_sweep.results.store import Store, TrialFolder
from lora_sweep.results.tracker import Tracker, build_tracker
from lora_sweep.results.trial_record import (
    TrialRecord,
    TrialState,
    collect_versions,
    find_commit,
)
from lora_sweep.sweep.device import open_device
from lora_sweep.sweep.finish import Finisher, settings_yaml
from lora_sweep.sweep.interrupt import Interrupt, finish_the_step
from lora_sweep.sweep.prepare import prepare
from lora_sweep.sweep.recorder import Recorder
from lora_sweep.sweep.request import TrialRequest, resolve_request
from lora_sweep.training.loop import train
from lora_sweep.training.trial import Trial, build_trial


@dataclass(frozen=True)
class TrialResult:
    """What became of a trial."""

    record: TrialRecord
    folder: Path

    @property
    def failed(self) -> bool:
        """Whether there is no adapter to use."""
        return self.record.state is not TrialState.done


def run_trial(settings: Settings) -> TrialResult:
    """Train the trial that the settings ask for, go on with it, or find that it is done.

    Raises SettingsError and DataError before anything is written; StoreError where the results folder cannot
    be used. Any other fault of the training itself is recorded in trial.json.
    """
    request = resolve_request(settings)
    store = Store(Path(settings.results.dir))
    store.check_writable()
    folder = store.trial(request.id).create()
    with folder.lock(on_wait=lambda message: print(message, flush=True)):
        record = folder.read_record()
        if record is not None and record.state in (TrialState.done, TrialState.diverged):
            return _looked_up(folder, record)
        folder.remove_leftovers()
        return _run_locked(request, store, folder, record)


def _looked_up(folder: TrialFolder, record: TrialRecord) -> TrialResult:
    again = "" if record.state is TrialState.done else f"; remove {folder.path} to train it again"
    print(f"{record.name}: already {record.state.value} ({record.error or folder.path}){again}")
    return TrialResult(record, folder.path)


def _run_locked(
    request: TrialRequest, store: Store, folder: TrialFolder, before: TrialRecord | None
) -> TrialResult:
    record = (before or TrialRecord(id=request.id)).with_(
        name=request.name,
        state=TrialState.running,
        error=None,
        versions=collect_versions(),
        commit=find_commit(),
    )
    atomic_write(folder.config, settings_yaml(request.settings))
    folder.write_record(record)
    try:
        with finish_the_step() as interrupt:
            return _train(request, store, folder, record, interrupt)
    except Diverged as error:
        reason = f"{error}; {_rates(request.settings)}"
        record = _latest(folder, record).with_(state=TrialState.diverged, error=reason)
        folder.write_record(record)
        closing_summary(record.name, f"diverged: {reason}", seconds=record.seconds)
        return TrialResult(record, folder.path)
    except (Exception, KeyboardInterrupt) as error:
        # The one broad except of the project: whatever stopped a trial is recorded with it.
        interrupted = isinstance(error, KeyboardInterrupt)
        reason = "interrupted" if interrupted else f"{type(error).__name__}: {error}"
        state = TrialState.waiting if interrupted else TrialState.failed
        with contextlib.suppress(LoraSweepError):  # a full disk takes no record either
            folder.write_record(_latest(folder, record).with_(state=state, error=reason))
        if not isinstance(error, LoraSweepError | KeyboardInterrupt):
            traceback.print_exc()
            raise LoraSweepError(f"{request.name} failed: {reason}") from error
        raise


def _latest(folder: TrialFolder, record: TrialRecord) -> TrialRecord:
    return folder.read_record() or record


def _rates(settings: Settings) -> str:
    rates = settings.optimizer
    return f"optimizer={rates.name}, lr={rates.lr:g}, te_lr={rates.te_lr}, seed={settings.seed}"


def _train(
    request: TrialRequest,
    store: Store,
    folder: TrialFolder,
    record: TrialRecord,
    interrupt: Interrupt,
) -> TrialResult:
    settings = request.settings
    base = load_base(settings.model, open_device(settings))
    prepared = prepare(base, request, store)
    trial = build_trial(
        base,
        settings,
        prepared.items,
        prepared.class_items,
        request.max_train_steps,
        prepared.text_identity,
    )
    with contextlib.ExitStack() as stack:
        stack.callback(trial.close)
        seconds = _resume(trial, folder)
        metrics = stack.enter_context(MetricsWriter(folder.metrics, resume_step=trial.step))
        tracker = _open_tracker(request, store, metrics)
        outcome = _Outcome(tracker)
        stack.push(outcome)
        progress = Progress(request.name, request.max_train_steps, first_step=trial.step)
        stack.enter_context(progress)
        fp16 = base.dtype == torch.float16
        recorder = Recorder(
            metrics, tracker, progress, settings.train.log_every, seconds, overflow_is_skipped=fp16
        )
        finisher = Finisher(request, folder, prepared, recorder, tracker)
        record = _loop(trial, base, finisher, recorder, folder, record, interrupt)
        outcome.scores = record.scores
    closing_summary(
        record.name, "done", seconds=record.seconds, scores=record.scores, paths=finisher.paths()
    )
    return TrialResult(record, folder.path)


def _loop(
    trial: Trial,
    base: Base,
    finisher: Finisher,
    recorder: Recorder,
    folder: TrialFolder,
    record: TrialRecord,
    interrupt: Interrupt,
) -> TrialRecord:
    train_settings, evaluate = trial.settings.train, trial.settings.evaluate

    def checkpoint() -> None:
        recorder.flush()
        recorder.metrics.sync()
        tensors, meta = trial.snapshot()
        meta["seconds"] = recorder.seconds
        keep = train_settings.checkpoints_kept
        save_checkpoint(folder.checkpoints, trial.step, tensors, meta, keep=keep)
        folder.write_record(record.with_(steps=trial.step, seconds=recorder.seconds))

    for result in train(trial, trial.max_train_steps):
        recorder.add(result)
        last = result.step == trial.max_train_steps
        if evaluate.every and result.step % evaluate.every == 0 and not last:
            finisher.evaluate(trial)
        every = train_settings.checkpoint_every
        if (every and result.step % every == 0 and not last) or interrupt.asked:
            checkpoint()
        if interrupt.asked:
            raise KeyboardInterrupt
    recorder.flush()
    scores = finisher.evaluate(trial)
    checkpoint()
    finisher.export(trial, scores)
    record = record.with_(
        state=TrialState.done, steps=trial.step, seconds=recorder.seconds, scores=scores
    )
    folder.write_record(record)
    return record


def _resume(trial: Trial, folder: TrialFolder) -> float:
    """Go on from the newest checkpoint, if there is one; returns the seconds trained before it."""
    found = latest_checkpoint(folder.checkpoints)
    if found is None:
        return 0.0
    step, tensors, meta = found
    trial.restore(tensors, meta)
    print(f"going on from step {step} of {trial.max_train_steps}", flush=True)
    return float(meta["seconds"])


def _open_tracker(request: TrialRequest, store: Store, metrics: MetricsWriter) -> Tracker:
    settings = request.settings
    config: dict[str, Any] = {**to_plain(settings), "trial_id": request.id}
    return build_tracker(
        settings.tracker,
        trial_id=request.id,
        name=request.name,
        config=config,
        folder=store.wandb,
        history=metrics.kept,
    )


class _Outcome(contextlib.AbstractContextManager["_Outcome"]):
    """Ends the tracker's run whatever happens, as failed if it was left by an error."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self.scores: dict[str, float | None] = {}

    def __exit__(self, kind: type[BaseException] | None, *details: object) -> None:
        self.tracker.finish(dict(self.scores), failed=kind is not None)
