"""Whether what is asked for is on disk already. No torch."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import yaml

from lora_sweep.config import to_plain
from lora_sweep.config.settings import Embedder, Evaluate, Pivotal, Settings, TeFull
from lora_sweep.errors import StoreError
from lora_sweep.results.checkpoint import checkpoint_steps
from lora_sweep.results.samples import read_samples
from lora_sweep.results.store import Store, TrialFolder
from lora_sweep.results.trial_record import DamagedRecord, TrialRecord, TrialState

# The safe loader in C where there is one: a sweep may look up a thousand trials.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# In a header of safetensors; not by json, which takes ten times longer for a thousand tensors.
_ENDS = re.compile(rb'"data_offsets":\[\d+,(\d+)\]')

CADENCE = ("every", "batch_size")
"""Evaluation settings that leave what a finished trial holds as it is."""


def settings_yaml(settings: Settings) -> str:
    """The full resolved settings as config.yaml keeps them."""
    return yaml.safe_dump(to_plain(settings), sort_keys=False, allow_unicode=True)


def settled(
    store: Store, trial: str, settings: Settings, say: Callable[[str], None] | None = None
) -> TrialState | None:
    """The state of a trial with which there is nothing to do, else None; `say` is told of it.

    Raises StoreError where its record is of a newer version.
    """
    folder = store.trial(trial)
    try:
        record = folder.read_record()
    except DamagedRecord:
        return None  # `mend` says so, and then it is made again
    if record is None:
        return None
    if not is_settled(folder, record, settings):
        adapter = folder.diffusers_weights
        if say is not None and record.state is TrialState.done and not _is_whole(adapter):
            say(f"{record.name}: was done, but {adapter} is missing or cut short; it is made again")
        return None
    if say is not None and record.state is TrialState.done:
        say(f"{record.name}: already done ({folder.path})")
    elif say is not None:
        again = f"remove {folder.path} to train it again"
        say(f"{record.name}: already {record.state.value} ({record.error}); {again}")
    return record.state


def is_settled(folder: TrialFolder, record: TrialRecord | None, settings: Settings) -> bool:
    """Whether there is nothing to do: the trial diverged, or is done with every file asked for.

    Other validation pictures, another results.name and files that are lost or cut short are made
    from the last checkpoint; where that is gone too, a trial whose adapter is there is left as it
    is.
    """
    if record is None or record.state not in (TrialState.done, TrialState.diverged):
        return False
    if record.state is TrialState.diverged:
        return True
    if not _is_whole(folder.diffusers_weights):
        return False
    complete = all(_is_whole(path) for path in _exported(folder, settings))
    asked = settings.evaluate
    if complete and _has_its_pictures(folder, asked) and not asks_for_other_measures(folder, asked):
        return True
    return record.steps not in checkpoint_steps(folder.checkpoints)


def _is_whole(path: Path) -> bool:
    """Whether a file is there and, if it is of tensors, as long as its own list of them says."""
    try:
        size = path.stat().st_size
        if path.suffix != ".safetensors":
            return size > 0
        with path.open("rb") as file:
            header_bytes = int.from_bytes(file.read(8), "little")
            header = file.read(min(header_bytes, size))
    except OSError:
        return False
    ends = [int(end) for end in _ENDS.findall(header)]
    return bool(ends) and size == 8 + header_bytes + max(ends)


def _has_its_pictures(folder: TrialFolder, asked: Evaluate) -> bool:
    if not asked.prompts:
        return True
    try:
        listed = read_samples(folder)
    except StoreError:
        return False
    return bool(listed) and all((folder.samples / each.file).is_file() for each in listed)


def _exported(folder: TrialFolder, settings: Settings) -> list[Path]:
    name = settings.results.name
    paths = [folder.kohya_weights(name), folder.card]
    if isinstance(settings.te_mode, Pivotal):
        paths.append(folder.embeddings(name))
    if isinstance(settings.te_mode, TeFull):
        paths += [folder.text_encoder, folder.text_encoder_2]
    return paths


def asks_for_other_measures(folder: TrialFolder, asked: Evaluate) -> bool:
    """Whether what a trial on disk was measured by, if it was, is not what is asked for."""
    try:
        had = dict(yaml.load(folder.config.read_text(encoding="utf-8"), _LOADER)["evaluate"])
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError):
        return True
    wanted = to_plain(asked)
    return any(name not in had or had[name] != wanted[name] for name in _decisive(asked))


def _decisive(asked: Evaluate) -> set[str]:
    """The settings that decide what a finished trial has to hold; what is not asked for may be
    there.
    """
    names = {"loss_timesteps"} if asked.loss_timesteps else set[str]()
    if not asked.prompts:
        return names
    names |= {field.name for field in fields(asked)} - {*CADENCE, "loss_timesteps"}
    if asked.embedder is Embedder.none:
        names -= {"embedder", "clip"}
    if asked.embedder is not Embedder.dinov2:
        names -= {"dinov2"}
    return names
