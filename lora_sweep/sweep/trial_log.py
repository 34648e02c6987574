"""One trial's place on disk while it is being trained: its record, its rows, its tracker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lora_sweep.config import to_plain
from lora_sweep.files import atomic_write
from lora_sweep.results.metrics import MetricsWriter, Row, read_metrics
from lora_sweep.results.progress import say
from lora_sweep.results.store import Store, TrialFolder
from lora_sweep.results.tracker import NoTracker, Tracker, build_tracker
from lora_sweep.results.trial_record import (
    TrialRecord,
    TrialState,
    collect_versions,
    find_commit,
)
from lora_sweep.sweep.checkpoints import FoundCheckpoint
from lora_sweep.sweep.lookup import settings_yaml
from lora_sweep.sweep.request import TrialRequest

MEASURED = "fit_loss"
"""The key that tells rows of measures from rows of steps."""


class TrialLog:
    """What a trial shows of itself; its record says at any time where it stands."""

    def __init__(self, request: TrialRequest, store: Store, group: str | None = None) -> None:
        self.request = request
        self.folder: TrialFolder = store.trial(request.id)
        self.record = self.folder.read_record() or TrialRecord(request.id)
        self._store = store
        self._group = group
        self._metrics: MetricsWriter | None = None
        self._known_step = 0
        self._tracker: Tracker = NoTracker()

    @property
    def is_open(self) -> bool:
        """Whether the trial has taken steps in this process."""
        return self._metrics is not None

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
        if found is not None and found.folder != self.folder and not _reaches(metrics.kept, step):
            metrics.close()
            rows = [row for row in read_metrics(found.folder.metrics) if self._keeps(row, step)]
            metrics = MetricsWriter(self.folder.metrics)
            metrics.extend(rows)
            metrics.kept = rows
        self._known_step = step
        self._metrics = metrics
        versions, commit = collect_versions(), find_commit()
        name = self.request.name
        self.note(TrialState.running, name=name, versions=versions, commit=commit, steps=step)
        self._tracker = build_tracker(
            self.request.settings.tracker,
            trial_id=self.request.id,
            name=name,
            config={**to_plain(self.request.settings), "trial_id": self.request.id},
            folder=self._store.wandb,
            history=metrics.kept,
            group=self._group,
            say=say,
        )

    def _keeps(self, row: Row, step: int) -> bool:
        """Whether a donor's row would be in this trial's file had it run alone."""
        every = self.request.settings.evaluate.every
        measured_here = bool(every) and row["step"] % (every or 1) == 0
        return row["step"] <= step and (MEASURED not in row or measured_here)

    def emit(self, row: Mapping[str, Any]) -> None:
        """Write one row and send it on, unless it is there already."""
        if MEASURED in row and self._is_measured_at(row["step"]):
            return
        if MEASURED not in row and row["step"] <= self._known_step:
            return
        self.metrics.write(row)
        self._tracker.log(row["step"], row)

    @property
    def metrics(self) -> MetricsWriter:
        """The open metrics file."""
        if self._metrics is None:
            raise RuntimeError(f"the log of trial {self.request.id} is not open")
        return self._metrics

    @property
    def tracker(self) -> Tracker:
        """Where pictures go beside the disk."""
        return self._tracker

    def _is_measured_at(self, step: int) -> bool:
        """Whether rows from before a resume hold the measures of a step."""
        return any(row["step"] == step and MEASURED in row for row in self.metrics.kept)

    def note(self, state: TrialState, error: str | None = None, **changes: Any) -> None:
        """Write what is known of the trial."""
        self.record = self.record.with_(state=state, error=error, **changes)
        self.folder.create().write_record(self.record)

    def close(self) -> None:
        """End the file and the tracker's run, which is a failed one unless the trial is done."""
        if self._metrics is not None:
            self._metrics.close()
            failed = self.record.state is not TrialState.done
            self._tracker.finish(dict(self.record.scores), failed=failed)
            self._metrics = None


def _reaches(rows: list[Row], step: int) -> bool:
    """Whether there is a row for the last of `step` steps, so that none before it is missing."""
    return step == 0 or any(row["step"] == step and MEASURED not in row for row in rows)
