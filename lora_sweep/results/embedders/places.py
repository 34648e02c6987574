"""Which embedders the settings ask for, and whether they can be had. No torch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from lora_sweep.config.settings import Embedder, Settings
from lora_sweep.nano import WEIGHTS

HUB_CLIP = "openai/clip-vit-large-patch14"
HUB_DINOV2 = "facebook/dinov2-base"
NANO = "nano"
"""The place of the packaged CLIP, as `model.path` has it for the packaged base."""

_MODEL_TYPES = {Embedder.clip: "clip", Embedder.dinov2: "dinov2"}
_TIMEOUT = 10.0  # seconds, for the hub


@dataclass(frozen=True)
class Source:
    """One embedder and, where it has several models, which: "nano", a folder, or a hub name."""

    kind: Embedder
    place: str = ""


def picture_source(settings: Settings) -> Source | None:
    """What embeds pictures; None when pictures are not measured."""
    kind = settings.evaluate.embedder
    match kind:
        case Embedder.none:
            return None
        case Embedder.auto | Embedder.clip:
            return text_source(settings)
        case Embedder.dinov2:
            return Source(Embedder.dinov2, settings.evaluate.dinov2 or HUB_DINOV2)
        case Embedder.efficientnet | Embedder.face:
            return Source(kind)


def text_source(settings: Settings) -> Source | None:
    """The CLIP that compares samples with their prompts; None when pictures are not measured."""
    if settings.evaluate.embedder is Embedder.none:
        return None
    default = NANO if settings.model.path == NANO else HUB_CLIP
    return Source(Embedder.clip, settings.evaluate.clip or default)


def embedder_problems(settings: Settings) -> list[str]:
    """What was asked for by name and cannot be had; with `auto` and evaluate.clip=null nothing is.

    May ask the hub whether a model is there, with a time limit, and downloads nothing.
    """
    return list(_problems(settings)) if settings.evaluate.prompts else []


def _problems(settings: Settings) -> Iterator[str]:
    asked, pictures, text = settings.evaluate, picture_source(settings), text_source(settings)
    if pictures is None or text is None:
        return
    reason = unavailable(pictures)
    if reason is not None and asked.embedder not in (Embedder.auto, Embedder.clip):
        yield f"{_shown(settings)}: {reason}"
    reason = unavailable(text)
    if reason is not None and (asked.clip is not None or asked.embedder is Embedder.clip):
        shown = "null" if asked.clip is None else asked.clip
        yield (
            f"evaluate.clip={shown}: {reason}; allowed: a folder with a CLIPModel in safetensors, "
            "a hub name, or evaluate.embedder=none to measure no pictures"
        )


def _shown(settings: Settings) -> str:
    asked = settings.evaluate
    if asked.embedder is Embedder.dinov2 and asked.dinov2 is not None:
        return f"evaluate.dinov2={asked.dinov2}"
    return f"evaluate.embedder={asked.embedder.name}"


@lru_cache(maxsize=64)
def unavailable(source: Source) -> str | None:
    """Why a model cannot be had, or None when it can. Asked once in a process.

    Packages that some embedders need are the business of the rules, which refuse without them.
    """
    if source.kind not in _MODEL_TYPES:
        return None
    folder = local_folder(source)
    if folder is not None:
        return _folder_problem(folder, _MODEL_TYPES[source.kind])
    if source.place.startswith((".", "/", "~")) or source.place.count("/") != 1:
        return f"there is no such folder: {source.place}"
    return _hub_problem(source.place)


def local_folder(source: Source) -> Path | None:
    """The folder of a model that is on this machine; None for a hub name."""
    path = WEIGHTS / "clip" if source.place == NANO else Path(source.place).expanduser()
    return path if path.is_dir() else None


def _folder_problem(folder: Path, model_type: str) -> str | None:
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{folder / 'config.json'} is not a model's config ({type(error).__name__})"
    if found != model_type:
        return f"{folder} holds a model of type {found}, not {model_type}"
    if not any(folder.glob("*.safetensors")):
        return f"{folder} has no .safetensors file"
    if not (folder / "preprocessor_config.json").is_file():
        return f"{folder} has no preprocessor_config.json, which says how pictures are prepared"
    return None


def _hub_problem(name: str) -> str | None:
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled

    weights = ("model.safetensors", "model.safetensors.index.json")
    try:
        if any(isinstance(try_to_load_from_cache(name, file), str) for file in weights):
            return None
        HfApi().model_info(name, timeout=_TIMEOUT)
    except (OSError, ValueError, HTTPError, HfHubHTTPError, OfflineModeIsEnabled) as error:
        return (
            f"{name} is no folder here and not in the local hub cache, and the hub cannot be asked "
            f"({type(error).__name__})"
        )
    return None
