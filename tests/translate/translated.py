"""A translation as the user meets it: its printed command, read by a shell and composed."""

from __future__ import annotations

import shlex
from functools import lru_cache
from typing import Any

from lora_sweep.config import Settings, to_plain
from lora_sweep.config.compose import compose
from lora_sweep.results.card import flatten
from lora_sweep.translate.result import Note, Translation, command


@lru_cache(maxsize=512)
def composed_once(overrides: tuple[str, ...]) -> Settings:
    """Hydra takes a tenth of a second; translating composes the same words."""
    return compose(overrides)


def overrides_of(translation: Translation) -> list[str]:
    """What stands after `python -m lora_sweep` in the printed command."""
    words = shlex.split(command(translation).replace("\\\n", ""))  # shlex does not join lines
    assert words[:3] == ["python", "-m", "lora_sweep"]
    return words[3:]


def composed(translation: Translation, *more: str) -> Settings:
    """The settings of the printed command, and of more overrides after it."""
    return composed_once((*overrides_of(translation), *more))


def values_of(translation: Translation) -> dict[str, Any]:
    """The same by dotted names."""
    return flatten(to_plain(composed(translation)))


def said(translation: Translation, kind: Note) -> str:
    """All notes of a kind."""
    return "\n".join(translation.notes.get(kind, []))
