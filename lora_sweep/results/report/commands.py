"""Commands that run a trial again, and how its files are used in other tools."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lora_sweep.config import to_plain
from lora_sweep.config.words import override, shell_word
from lora_sweep.errors import SettingsError
from lora_sweep.results.card import flatten
from lora_sweep.results.report.read import ReportTrial

PROGRAM = ("python", "-m", "lora_sweep")
GROUPS = ("model", "dataset", "optimizer", "schedule", "te_mode", "prior", "tracker")
"""Groups whose section has the name of the choice."""

OF_A_SWEEP = re.compile(r"[+~]*(sweep|hydra)\b")
"""Overrides that say which trials a sweep has and how it runs; none of one trial."""

DIFFUSERS_SECTION = re.compile(r"## diffusers\n\n```python\n(.*?)```", re.DOTALL)


class Rerun:
    """Commands of trials; what a choice of groups composes to is looked up once."""

    def __init__(self) -> None:
        self._defaults: dict[tuple[str, ...], dict[str, Any]] = {}

    def command(self, trial: ReportTrial, *more: str) -> str | None:
        """The command that asks for this very trial, with other overrides behind; None if unknown.

        Overrides in `more` replace those of the same key.
        """
        overrides = self.overrides(trial)
        if overrides is None:
            return None
        replaced = {text.partition("=")[0] for text in more}
        kept = [text for text in overrides if text.lstrip("+").partition("=")[0] not in replaced]
        return " ".join([*PROGRAM, *map(shell_word, (*kept, *more))])

    def overrides(self, trial: ReportTrial) -> list[str] | None:
        """Those it was asked for with, else those that lead from the defaults to its settings."""
        if trial.overrides is not None:
            return [text for text in trial.overrides if not OF_A_SWEEP.match(text)]
        return self._derived(trial.settings) if trial.settings else None

    def _derived(self, settings: Mapping[str, Any]) -> list[str] | None:
        chosen = [f"{g}={settings[f'{g}.name']}" for g in GROUPS if f"{g}.name" in settings]
        own = [text if not text.startswith("dataset=") else "dataset=folder" for text in chosen]
        try:
            defaults = self._composed(tuple(chosen))
        except SettingsError:  # dataset.name may be anything with dataset.path
            chosen = own
            try:
                defaults = self._composed(tuple(chosen))
            except SettingsError:
                return None
        if set(settings) - set(defaults):
            return None
        chosen += [
            override(key, value) for key, value in settings.items() if defaults[key] != value
        ]
        return chosen

    def _composed(self, chosen: tuple[str, ...]) -> dict[str, Any]:
        if chosen not in self._defaults:
            # Imported here: Hydra takes a second, and trials of a sweep have their overrides.
            from lora_sweep.config.compose import compose

            self._defaults[chosen] = flatten(to_plain(compose(chosen)))
        return self._defaults[chosen]


def diffusers_code(trial: ReportTrial) -> str | None:
    """The snippet of the trial's card; None before it is exported."""
    try:
        card = trial.folder.card.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    found = DIFFUSERS_SECTION.search(card)
    return found.group(1) if found else None


def comfyui_lines(settings: Mapping[str, Any]) -> list[str]:
    """What to put where in ComfyUI and A1111."""
    name = settings.get("results.name", "lora")
    lines = [
        f"ComfyUI: put {name}.safetensors into models/loras and load it with Load LoRA.",
        f"A1111: put it into models/Lora and write <lora:{name}:1> in the prompt.",
    ]
    if settings.get("te_mode.name") == "pivotal":
        words = " ".join(_texts(settings.get("dataset.abstractions")))
        lines.append(
            f"New words: put {name}_emb.safetensors into models/embeddings (A1111: embeddings); "
            f"in place of {words or 'the trigger'} write embedding:{name}_emb in ComfyUI, "
            f"{name}_emb in A1111."
        )
    if settings.get("te_mode.name") == "full":
        lines.append(
            "The text encoders were trained whole: in ComfyUI load text_encoder.safetensors and "
            "text_encoder_2.safetensors with DualCLIPLoader (type sdxl). A1111 cannot."
        )
    if settings.get("lora.use_dora"):
        lines.append("This is a DoRA: diffusers applies it as trained; other tools may differ.")
    return lines


def _texts(value: Any) -> Sequence[str]:
    return [str(item) for item in value] if isinstance(value, list | tuple) else []
