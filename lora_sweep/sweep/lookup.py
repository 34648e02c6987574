"""Whether what is asked for is on disk already. No torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import yaml

from lora_sweep.config import to_plain
from lora_sweep.config.settings import Embedder, Evaluate, Pivotal, Settings, TeFull
from lora_sweep.results.checkpoint import checkpoint_steps
from lora_sweep.results.store import Store, TrialFolder
from lora_sweep.results.trial_record import TrialRecord, TrialState

# The safe loader in C where there is one: a sweep may look up a thousand trials.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

CADENCE = ("every", "batch_size")
"""Evaluation settings that leave what a finished trial holds as it is."""


def settings_yaml(settings: Settings) -> str:
    """The full resolved settings as config.yaml keeps them."""
    return yaml.safe_dump(to_plain(settings), sort_keys=False, allow_unicode=True)


def settled(
    store: Store, trial: str, settings: Settings, say: Callable[[str], None] | None = None
) -> TrialState | None:
    """The state of a trial with which there is nothing to do, else None; `say` is told of it.

    Raises StoreError where its record is damaged or of a newer version.
    """
    folder = store.trial(trial)
    record = folder.read_record()
    if record is None or not is_settled(folder, record, settings):
        return None
    if say is not None and record.state is TrialState.done:
        say(f"{record.name}: already done ({folder.path})")
    elif say is not None:
        again = f"remove {folder.path} to train it again"
        say(f"{record.name}: already {record.state.value} ({record.error}); {again}")
    return record.state


def is_settled(folder: TrialFolder, record: TrialRecord | None, settings: Settings) -> bool:
    """Whether there is nothing to do: the trial diverged, or is done with every file asked for.

    Other validation pictures, another results.name or a lost file are made from the last
    checkpoint; where that is gone too, a trial whose adapter is still there is left as it is.
    """
    if record is None or record.state not in (TrialState.done, TrialState.diverged):
        return False
    if record.state is TrialState.diverged:
        return True
    if not folder.diffusers_weights.is_file():
        return False
    complete = all(path.is_file() for path in _exported(folder, settings))
    if complete and not asks_for_other_measures(folder, settings.evaluate):
        return True
    return record.steps not in checkpoint_steps(folder.checkpoints)


def _exported(folder: TrialFolder, settings: Settings) -> list[Any]:
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
