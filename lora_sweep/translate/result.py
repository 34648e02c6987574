"""What a translation gives: choices and values of settings, and notes for the reader."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any

from lora_sweep.config import Settings, problems, to_plain, warnings
from lora_sweep.config.compose import compose
from lora_sweep.config.words import WIDTH, command_lines, override
from lora_sweep.errors import SettingsError

DEFAULT_CHOICES = {
    "model": "nano",
    "dataset": "huggy",
    "te_mode": "pivotal",
    "optimizer": "prodigy",
    "schedule": "constant",
    "snr": "none",
    "prior": "none",
    "evaluate": "default",
    "tracker": "none",
}
"""The choices of conf/config.yaml, which a command need not name."""

SECTIONS = (
    "model",
    "dataset",
    "te_mode",
    "lora",
    "optimizer",
    "schedule",
    "snr",
    "prior",
    "train",
    "seed",
    "evaluate",
    "tracker",
    "results",
)
"""The order in which a command names its settings."""

SHORT = {"lora.rank": "rank"}
SNR_CHOICES = {1.0: "gamma1", 5.0: "gamma5", None: "none"}


class Note(Enum):
    """What a note is about, as its heading says it."""

    read = "How it was read"
    said = "Said in another way here"
    differs = "What will differ"
    idle = "Had no effect in the original"
    missing = "Has no counterpart here"
    neutral = "Needs no setting here"
    advice = "Worth knowing"
    settle = "To settle before it runs"


@dataclass
class Translation:
    """Settings that stand for another trainer's; filled in step by step."""

    choices: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    notes: dict[Note, list[str]] = field(default_factory=dict)

    def choose(self, group: str, choice: str) -> None:
        self.choices[group] = choice

    def set(self, setting: str, value: Any) -> None:
        self.values[setting] = value

    def note(self, kind: Note, text: str) -> None:
        notes = self.notes.setdefault(kind, [])
        if text not in notes:
            notes.append(text)

    def note_all(self, kind: Note, texts: Iterable[str]) -> None:
        for text in texts:
            self.note(kind, text)


def overrides(translation: Translation) -> list[str]:
    """Return what differs from the defaults, as overrides in readable order.

    A value is left out where the choices alone give it. Raises SettingsError where a value cannot
    be set.
    """
    alone = _composed(_choices(translation))
    words: list[str] = []
    for section in SECTIONS:
        choice = translation.choices.get(section)
        if choice is not None and choice != DEFAULT_CHOICES[section]:
            words.append(f"{section}={choice}")
        words += [
            override(SHORT.get(setting, setting), value)
            for setting, value in translation.values.items()
            if setting.partition(".")[0] == section and not _has(alone, setting, value)
        ]
    return words


def settled(translation: Translation) -> Settings | None:
    """Return the settings that the overrides compose to; what objects to them becomes notes."""
    try:
        settings = compose(overrides(translation))
    except SettingsError as error:
        translation.note_all(Note.settle, error.problems)
        return None
    translation.note_all(Note.settle, problems(settings))
    translation.note_all(Note.advice, warnings(settings))
    return settings


def command(translation: Translation) -> str:
    """Return the command, wrapped and quoted for a shell."""
    return command_lines(["python", "-m", "lora_sweep", *overrides(translation)])


def notes_text(translation: Translation, footer: Sequence[str] = ()) -> str:
    """Return the notes under their headings, or nothing."""
    parts = [
        "\n".join([f"{kind.value}:", *map(_item, translation.notes[kind])])
        for kind in Note
        if translation.notes.get(kind)
    ]
    return "\n\n".join([*parts, *footer]) if parts else ""


def _item(note: str) -> str:
    return textwrap.fill(
        note,
        WIDTH,
        initial_indent="- ",
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _choices(translation: Translation) -> tuple[str, ...]:
    return tuple(f"{group}={choice}" for group, choice in translation.choices.items())


@lru_cache(maxsize=256)
def _composed(words: tuple[str, ...]) -> Settings:
    return compose(words)


def _has(settings: Settings, setting: str, value: Any) -> bool:
    found: Any = to_plain(settings)
    for key in setting.split("."):
        if not isinstance(found, dict) or key not in found:
            return False
        found = found[key]
    if isinstance(found, bool) is not isinstance(value, bool):
        return False
    return found == (list(value) if isinstance(value, tuple) else value)
