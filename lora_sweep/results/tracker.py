"""Progress sent elsewhere beside metrics.jsonl. A tracker never stops a training and never asks."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from lora_sweep.config.settings import Tracker as TrackerSettings
from lora_sweep.config.settings import Wandb
from lora_sweep.errors import SettingsError
from lora_sweep.files import without_nan
from lora_sweep.results.names import TrialName, digest
from lora_sweep.results.private import public_settings, without_secrets
from lora_sweep.results.wandb_files import RunPlan, was_sent
from lora_sweep.results.wandb_mode import check_run
from lora_sweep.results.wandb_run import Picture, Row, Say, WandbTracker, start_run


class Tracker(Protocol):
    """Where a trial's rows, pictures and scores go."""

    def log(self, step: int, row: Row) -> None:
        """One row of metrics; rows of a step that was already sent are passed over."""
        ...

    def pictures(self, step: int, pictures: Sequence[Picture]) -> None:
        """The validation pictures of a step; the same step's are sent once."""
        ...

    def finish(self, summary: Row, failed: bool = False, settled: bool = True) -> None:
        """Final scores; afterwards nothing more is sent. settled: and nothing more will come."""
        ...


class NoTracker:
    """tracker=none."""

    def log(self, step: int, row: Row) -> None: ...

    def pictures(self, step: int, pictures: Sequence[Picture]) -> None: ...

    def finish(self, summary: Row, failed: bool = False, settled: bool = True) -> None: ...


def to_stderr(line: str) -> None:
    """Say a line where there is nobody else to say it."""
    print(line, file=sys.stderr)


def build_tracker(
    settings: TrackerSettings,
    plan: RunPlan,
    history: Iterable[Row] = (),
    pictures: Mapping[int, Sequence[Picture]] | None = None,
    say: Say = to_stderr,
) -> Tracker:
    """The tracker that the settings choose, with `history` already sent.

    history: rows of metrics.jsonl from before a resume or from a shared prefix, and `pictures` of
    those steps; what the tracker has not got yet is sent, so that an offline folder always holds
    the whole run. say: takes the one line that a user should see. Raises SettingsError.
    """
    if not isinstance(settings, Wandb):
        return NoTracker()
    run = start_run(settings, plan, say)
    if run is None:
        return NoTracker()
    tracker = WandbTracker(run, plan, settings, say)
    _feed(tracker, history, dict(pictures or {}))
    return tracker


def _feed(tracker: Tracker, history: Iterable[Row], pictures: dict[int, Sequence[Picture]]) -> None:
    """Send rows, each step's pictures after its rows: no step can be gone back to."""
    last: int | None = None
    for row in history:
        if last is not None and row["step"] != last and last in pictures:
            tracker.pictures(last, pictures.pop(last))
        step = last = int(row["step"])
        tracker.log(step, row)
    for step in sorted(pictures):
        tracker.pictures(step, pictures[step])


def plan_run(
    settings: TrackerSettings,
    trial_id: str,
    name: str,
    *,
    config: Mapping[str, Any],
    folder: Path,
    group: str | None = None,
    varied: TrialName | None = None,
) -> RunPlan:
    """How a trial's run is called. group: of the sweep, unless the settings name one.

    config: the trial's settings as plain containers. folder: where W&B may write (Store.wandb).
    varied: what tells the trial from the others of its sweep; else the run has `name`.

    A run has one group, and a trial may be in several sweeps: its id is the trial's and, in a
    group, a hash of that. So each sweep is whole, and a trial asked for again in the same sweep
    goes on in the same run.
    """
    chosen = settings if isinstance(settings, Wandb) else Wandb()
    group = chosen.group or group
    label = varied.name if varied is not None else ""
    title = " ".join(part for part in (chosen.run_name, label) if part) or name
    tags = dict.fromkeys([*chosen.tags, *(varied.tags if varied is not None else ())])
    return RunPlan(
        id=f"{trial_id}-{digest(group)}" if group else trial_id,
        name=without_secrets(title),
        group=group,
        job_type="trial",
        tags=[without_secrets(tag) for tag in tags],
        config={**public_settings(without_nan(dict(config))), "trial_id": trial_id},
        folder=folder,
    )


def is_sent(settings: TrackerSettings, plan: RunPlan) -> bool:
    """Whether there is nothing to send: no tracker, or its run is whole."""
    return not isinstance(settings, Wandb) or was_sent(settings, plan)


def tracker_problems(settings: TrackerSettings) -> list[str]:
    """What would make `build_tracker` refuse, known before anything is trained."""
    if not isinstance(settings, Wandb):
        return []
    try:
        check_run(settings)
    except SettingsError as error:
        return list(error.problems)
    return []
