"""The address of a trial: a hash of everything that can change its adapter, and of nothing else."""

from __future__ import annotations

import hashlib
import json
from dataclasses import Field, fields, is_dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from lora_sweep.config.resolve import resolved
from lora_sweep.config.settings import Settings

TRAINING_VERSION = 1
"""Raised when the same settings would train another adapter than before."""

COVERED_BY_HASHES = frozenset(
    {
        "dataset.path",
        "dataset.config_name",
        "model.path",
        "model.vae",
        "model.revision",
        "model.variant",
        "model.single_file",
        "prior.path",
    }
)
"""Settings that only say where content lies; the content's own hash takes their place in the id."""


def trial_id(settings: Settings, dataset_hash: str, base_hash: str) -> str:
    """Return the trial's id, 12 hex digits.

    `dataset_hash` covers pictures, captions, held-out pictures and real class pictures;
    `base_hash` covers all weights of the base, its VAE included.
    """
    content = {
        "settings": identity_values(settings),
        "dataset": dataset_hash,
        "base": base_hash,
        "training_version": TRAINING_VERSION,
    }
    return hashlib.sha256(_dumps(content).encode()).hexdigest()[:12]


def canonical_json(settings: Settings) -> str:
    """Return the settings that can change the adapter as JSON; equal settings give equal text."""
    return _dumps(identity_values(settings))


def identity_values(settings: Settings) -> dict[str, Any]:
    """Return the settings that can change the adapter, nulls resolved, as plain values.

    Sections are shared with other calls: they are to be read only.
    """
    return _values(resolved(settings), "")


def _values(part: Any, path: str) -> dict[str, Any]:
    return {
        field.name: identity_value(getattr(part, field.name), f"{path}{field.name}")
        for field in fields(part)
        if _counts(field, getattr(part, field.name), f"{path}{field.name}")
    }


def _counts(field: Field[Any], value: Any, path: str) -> bool:
    if not field.metadata.get("identity", True) or path in COVERED_BY_HASHES:
        return False
    return not (field.metadata.get("later") and value == field.default)


# A sweep holds few different sections, however many trials: each is written out once.
@lru_cache(maxsize=16384)
def _section(section: Any, path: str) -> dict[str, Any]:
    return _values(section, f"{path}.")


def identity_value(value: Any, path: str) -> Any:
    """Return a setting or section as plain values, to be read only; `path` is its dotted name."""
    if is_dataclass(value):
        return _section(value, path)
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, tuple):
        return [identity_value(item, path) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)  # 1.0 and 1 are one value, and so are 0.0 and -0.0
    return value


def _dumps(content: dict[str, Any]) -> str:
    return json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )
