"""One trial's place on disk while it is being trained: its record, its rows, its tracker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lora_sweep.config import to_plain
from lora_sweep.config.settings import Wandb
from lora_sweep.errors import LoraSweepError
from lora_sweep.files import atomic_write
from lora_sweep.results.metrics import MetricsWriter, Row, is_measured, reaches, read_metrics
from lora_sweep.results.names import TrialName
from lora_sweep.results.private import public_text
from lora_sweep.results.progress import say
from lora_sweep.results.samples import Sample, copy_samples, read_samples
from lora_sweep.results.store import Store, TrialFolder
from lora_sweep.results.tracker import NoTracker, Tracker, build_tracker, is_sent, plan_run
from lora_sweep.results.trial_record import (
    TrialRecord,
    TrialState,
    collect_versions,
    find_commit,
)
from lora_sweep.results.wandb_run import Picture
from lora_sweep.sweep.checkpoints import FoundCheckpoint
from lora_sweep.sweep.lookup import settings_yaml
from lora_sweep.sweep.request import TrialRequest

SETTLED = (TrialState.done, TrialState.diverged)


class TrialLog:
    """What a trial shows of itself; its record says at any time where it stands."""

    def __init__(
        self,
        request: TrialRequest,
        store: Store,
        group: str | None = None,
        varied: TrialName | None = None,
    ) -> None:
        self.request = request
        self.folder: TrialFolder = store.trial(request.id)
        self.record = self.folder.read_record() or TrialRecord(request.id)
        self._plan = plan_run(
            request.settings.tracker,
            request.id,
            request.name,
            config=to_plain(request.settings),
            folder=store.wandb,
            group=group,
            varied=varied,
        )
        self._metrics: MetricsWriter | None = None
        self._known_step = 0
        self._tracker: Tracker = NoTracker()

    @property
    def is_open(self) -> bool:
        """Whether the trial has taken steps in this process."""
        return self._metrics is not None

    @property
    def has_paused(self) -> bool:
        """Whether the trial was left at a step as planned, to be gone on with."""
        record = self.record
        return record.state is TrialState.waiting and record.steps > 0 and record.error is None

    def open(self, found: FoundCheckpoint | None) -> None:
        """Begin, or go on: with rows up to a state on disk that this trial passes, whoever saved
        it.

        Rows of steps before it that come again, because another trial needs those steps, are the
        same and are passed over.
        """
        step = found.step if found is not None else 0
        self.folder.remove_leftovers()
        atomic_write(self.folder.config, settings_yaml(self.request.settings))
        metrics = MetricsWriter(self.folder.metrics, resume_step=step)
        if found is not None and found.folder != self.folder and not reaches(metrics.kept, step):
            metrics.close()
            rows = [row for row in read_metrics(found.folder.metrics) if self._keeps(row, step)]
            metrics = MetricsWriter(self.folder.metrics)
            metrics.extend(rows)
            metrics.kept = rows
            measured = {row["step"] for row in rows if is_measured(row)}
            copy_samples(found.folder, self.folder, measured.__contains__)
        self._known_step = step
        self._metrics = metrics
        versions, commit = collect_versions(), find_commit()
        name = self.request.name
        self.note(TrialState.running, name=name, versions=versions, commit=commit, steps=step)
        # The last step's pictures are drawn again.
        self._tracker = self._send(metrics.kept, min(step, self.request.max_train_steps - 1))

    def _send(self, history: Iterable[Row], up_to_step: int) -> Tracker:
        """The tracker, which has got these rows, and the pictures on disk up to a step."""
        pictures: dict[int, list[Picture]] = {}
        if up_to_step > 0:
            for sample in read_samples(self.folder):
                if sample.step <= up_to_step:
                    pictures.setdefault(sample.step, []).append(self._picture(sample))
        settings = self.request.settings.tracker
        return build_tracker(settings, self._plan, history, pictures, say)

    def _picture(self, sample: Sample) -> Picture:
        return Picture(self.folder.samples / sample.file, sample.prompt, sample.seed)

    def _keeps(self, row: Row, step: int) -> bool:
        """Whether a donor's row would be in this trial's file had it run alone."""
        every = self.request.settings.evaluate.every
        measured_here = bool(every) and row["step"] % (every or 1) == 0
        return row["step"] <= step and (not is_measured(row) or measured_here)

    def emit(self, row: Mapping[str, Any]) -> None:
        """Write one row and send it on, unless it is there already."""
        if is_measured(row) and self._is_there(row):
            return
        if not is_measured(row) and row["step"] <= self._known_step:
            return
        self.metrics.write(row)
        self._tracker.log(row["step"], row)

    @property
    def metrics(self) -> MetricsWriter:
        """The open metrics file."""
        if self._metrics is None:
            raise RuntimeError(f"the log of trial {self.request.id} is not open")
        return self._metrics

    def show(self, step: int, samples: Sequence[Sample]) -> None:
        """Send the pictures of a step on."""
        self._tracker.pictures(step, [self._picture(sample) for sample in samples])

    def _is_there(self, row: Mapping[str, Any]) -> bool:
        """Whether rows from before a resume hold these measures; others of the step come after."""
        kept = (each for each in self.metrics.kept if each["step"] == row["step"])
        return any(is_measured(each) and row.items() <= each.items() for each in kept)

    def note(self, state: TrialState, error: str | None = None, **changes: Any) -> None:
        """Write what is known of the trial."""
        self.record = self.record.with_(state=state, error=error, **changes)
        self.folder.create().write_record(self.record)

    def close(self) -> None:
        """End the file and the tracker's run, which is a failed one unless the trial is done."""
        if self._metrics is not None:
            self._metrics.close()
            self._finish()
            self._metrics = None

    def catch_up(self) -> None:
        """Send a trial that is settled to where this sweep's runs go, unless it is there."""
        settings = self.request.settings.tracker
        if self.record.state in SETTLED and not is_sent(settings, self._plan):
            self._tracker = self._send(read_metrics(self.folder.metrics), self.record.steps)
            self._finish()

    def _finish(self) -> None:
        record = self.record
        summary = {
            **record.scores,
            "state": record.state.value,
            "steps": record.steps,
            "seconds_shared": record.seconds_shared,
            "error": public_text(record.error) if record.error else None,
        }
        failed = record.state is not TrialState.done
        self._tracker.finish(summary, failed, settled=record.state in SETTLED)


def catch_up(
    requests: Sequence[TrialRequest],
    store: Store,
    group: str | None = None,
    names: Mapping[str, TrialName] | None = None,
) -> None:
    """Send what other sweeps have trained, and what was lost, so that the tracker has all trials.

    What cannot be sent is said; it stops nothing.
    """
    for request in {request.id: request for request in requests}.values():
        if isinstance(request.settings.tracker, Wandb):
            try:
                TrialLog(request, store, group, (names or {}).get(request.id)).catch_up()
            except LoraSweepError as error:
                say(f"{request.name}: not sent to W&B: {error}")
