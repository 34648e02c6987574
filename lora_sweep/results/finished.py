"""Trials that are done, found by what a user calls them, with the settings that they had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import yaml

from lora_sweep.config import settings_from_plain
from lora_sweep.config.settings import Settings
from lora_sweep.errors import SettingsError, StoreError
from lora_sweep.results.store import Store, TrialFolder
from lora_sweep.results.trial_record import TrialRecord, TrialState

SHOWN = 5  # ids in a message


@dataclass(frozen=True)
class FinishedTrial:
    """A trial with weights."""

    folder: TrialFolder
    record: TrialRecord
    settings: Settings

    @property
    def id(self) -> str:
        return self.folder.id


def finished_trials(root: Path, asked: Sequence[str]) -> list[FinishedTrial]:
    """The trials of a results folder that are asked for, each once, in the order of asking.

    A trial may be called by its id, by a beginning of it that no other has, or by its folder.
    Raises StoreError where there is none, it is not done, or a file of it cannot be read.
    """
    found: dict[Path, FinishedTrial] = {}
    for name in asked:
        folder = _find(root, name)
        if folder.path not in found:
            found[folder.path] = _read(folder)
    return list(found.values())


def _find(root: Path, name: str) -> TrialFolder:
    if (Path(name) / "trial.json").is_file():
        return TrialFolder(Path(name).absolute())
    ids = [trial.id for trial in Store(root).trials()]
    begun = [id for id in ids if id.startswith(name)] if name else []
    if name in ids or len(begun) == 1:
        return Store(root).trial(name if name in ids else begun[0])
    if not ids:
        raise StoreError(
            f"there is no trial in {root}; train one, or say where they are with --results"
        )
    if begun:
        raise StoreError(f"{len(begun)} trials begin with {name}: {_listed(begun)}")
    close = get_close_matches(name, ids, n=SHOWN, cutoff=0.7)
    raise StoreError(
        f"there is no trial {name!r} in {root}; "
        + (f"did you mean {' or '.join(close)}?" if close else f"there are {_listed(ids)}")
    )


def _listed(ids: Sequence[str]) -> str:
    more = len(ids) - SHOWN
    return ", ".join(ids[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _read(folder: TrialFolder) -> FinishedTrial:
    record = folder.read_record()
    if record is None or record.state is not TrialState.done:
        state = TrialState.waiting.value if record is None else record.state.value
        why = f" ({record.error})" if record is not None and record.error else ""
        raise StoreError(
            f"trial {folder.id} is {state}{why}: only one that is done has weights; run its "
            "command again"
        )
    try:
        content = yaml.safe_load(folder.config.read_text(encoding="utf-8"))
        settings = settings_from_plain(content if isinstance(content, dict) else {})
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise StoreError(f"{folder.config} cannot be read: {error}") from error
    except SettingsError as error:
        raise StoreError(
            f"{folder.config} is not of this version of lora_sweep: {error.problems[0]}"
        ) from error
    return FinishedTrial(folder, record, settings)
