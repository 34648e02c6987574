"""What W&B keeps below the results folder, and which runs have all that they will ever get."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_sweep.config.settings import Wandb
from lora_sweep.errors import StoreError
from lora_sweep.files import atomic_write, to_json

STAGING = "WANDB_DATA_DIR"
SECOND_ID = "-offline"
"""Appended to the id of a run that has to begin again while wandb holds the first one."""


@dataclass(frozen=True)
class RunPlan:
    """What a run is called, and where W&B may write."""

    id: str
    name: str
    group: str | None
    job_type: str
    tags: Sequence[str]
    config: Mapping[str, Any]
    folder: Path


def remove_unsent(plan: RunPlan) -> None:
    """Remove offline runs of this id that were never sent: a new one is about to hold it all.

    Sending both would leave on the server the one that is sent last.
    """
    mine = re.compile(rf"offline-run-\d{{8}}_\d{{6}}-{re.escape(plan.id)}({SECOND_ID})?")
    for folder in (plan.folder / "wandb").glob("offline-run-*"):
        if mine.fullmatch(folder.name) and not any(folder.glob("*.synced")):
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def staged_in(folder: Path) -> Iterator[None]:
    """Tables and artifacts wait below `folder` until they are sent, not in the user's home."""
    if STAGING in os.environ:
        yield
        return
    os.environ[STAGING] = str(folder)
    try:
        yield
    finally:
        os.environ.pop(STAGING, None)


def mark_sent(settings: Wandb, plan: RunPlan) -> None:
    """Remember that a run has all that it will ever get."""
    with contextlib.suppress(StoreError):  # then it is sent again some time
        atomic_write(_mark(plan), _marked(settings, plan))


def was_sent(settings: Wandb, plan: RunPlan) -> bool:
    """Whether a run was sent whole, under this name, to this project."""
    try:
        return _mark(plan).read_text(encoding="utf-8") == _marked(settings, plan)
    except (OSError, UnicodeDecodeError):
        return False


def _mark(plan: RunPlan) -> Path:
    return plan.folder / "sent" / f"{plan.id.removesuffix(SECOND_ID)}.json"


def _marked(settings: Wandb, plan: RunPlan) -> str:
    return to_json(
        {
            "project": settings.project,
            "entity": settings.entity,
            "group": plan.group,
            "name": plan.name,
            "tags": list(plan.tags),
        }
    )
