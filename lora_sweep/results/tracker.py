"""Progress sent elsewhere beside metrics.jsonl. A tracker never stops a training and never asks."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from lora_sweep.config.settings import Tracker as TrackerSettings
from lora_sweep.config.settings import Wandb
from lora_sweep.errors import SettingsError
from lora_sweep.files import without_nan
from lora_sweep.results.wandb_run import Row, Say, check_run, start_run

SECRET_VARIABLES = ("WANDB_API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_TOKEN")
CREDENTIALS_IN_URL = re.compile(r"(?<=://)[^/\s@]+(?=@)")


class Tracker(Protocol):
    """Where a trial's rows, pictures and scores go."""

    def log(self, step: int, row: Row) -> None:
        """One row of metrics; rows of a step that was already sent are passed over."""
        ...

    def pictures(self, step: int, pictures: Mapping[str, Path]) -> None:
        """Pictures by caption."""
        ...

    def finish(self, summary: Row, failed: bool = False) -> None:
        """Final scores; afterwards nothing more is sent."""
        ...


class NoTracker:
    """tracker=none."""

    def log(self, step: int, row: Row) -> None: ...

    def pictures(self, step: int, pictures: Mapping[str, Path]) -> None: ...

    def finish(self, summary: Row, failed: bool = False) -> None: ...


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)


def build_tracker(
    settings: TrackerSettings,
    *,
    trial_id: str,
    name: str,
    config: Mapping[str, Any],
    folder: Path,
    history: Iterable[Row] = (),
    group: str | None = None,
    say: Say = _to_stderr,
) -> Tracker:
    """The tracker that the settings choose, with `history` already sent.

    config: the trial's settings as plain containers. folder: where W&B may write (Store.wandb).
    history: rows of metrics.jsonl from before a resume or from a shared prefix; what the tracker
    has not got yet is sent, so that an offline folder always holds the whole run. group: of the
    sweep, unless the settings name one. say: takes the one line that a user should see.
    Raises SettingsError.
    """
    if not isinstance(settings, Wandb):
        return NoTracker()
    tracker = start_run(
        settings,
        trial_id,
        name=settings.run_name or name,
        group=settings.group or group,
        config=without_secrets(without_nan(dict(config))),
        folder=folder,
        say=say,
    )
    if tracker is None:
        return NoTracker()
    for row in history:
        tracker.log(row["step"], row)
    return tracker


def tracker_problems(settings: TrackerSettings) -> list[str]:
    """What would make `build_tracker` refuse, known before anything is trained."""
    if not isinstance(settings, Wandb):
        return []
    try:
        check_run(settings)
    except SettingsError as error:
        return list(error.problems)
    return []


def without_secrets(value: Any, environ: Mapping[str, str] = os.environ) -> Any:
    """Plain containers with keys and tokens of the environment, and logins in URLs, blotted out."""
    if isinstance(value, str):
        for name in SECRET_VARIABLES:
            if secret := environ.get(name):
                value = value.replace(secret, "***")
        return CREDENTIALS_IN_URL.sub("***", value)
    if isinstance(value, Mapping):
        return {key: without_secrets(item, environ) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_secrets(item, environ) for item in value]
    return value
