"""An SDXL in diffusers' folder layout: of this machine, or of the hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, StableDiffusionXLPipeline

from lora_sweep.errors import ModelError
from lora_sweep.model.folder_files import (
    INDEX,
    SCHEDULER,
    WEIGHTS,
    files_of,
    missing_files,
    parts_without,
    variants,
    weight_files,
)
from lora_sweep.model.noise_schedule import check_kind
from lora_sweep.model.parts import Parts


def load_folder(
    folder: Path, variant: str | None, dtype: torch.dtype, vae: AutoencoderKL | torch.dtype
) -> Parts:
    """The parts in a folder; `vae` is one that is loaded already, or the precision of its own.

    Raises ModelError for what is missing or of another kind, and what the libraries raise for
    damaged files.
    """
    own_vae = isinstance(vae, torch.dtype)
    parts = tuple(WEIGHTS) if own_vae else parts_without("another")
    check_folder(folder, variant, parts)
    given: dict[str, Any] = {} if own_vae else {"vae": vae}
    pipeline = StableDiffusionXLPipeline.from_pretrained(
        str(folder),
        variant=variant,
        use_safetensors=True,
        add_watermarker=False,
        local_files_only=True,
        # By part: a VAE that is read in 16 bits and widened afterwards keeps the rounding.
        dtype={"vae": vae if own_vae else dtype, "default": dtype},
        **given,
    )
    return Parts(
        unet=pipeline.unet,
        vae=pipeline.vae,
        text_encoder=pipeline.text_encoder,
        text_encoder_2=pipeline.text_encoder_2,
        tokenizer=pipeline.tokenizer,
        tokenizer_2=pipeline.tokenizer_2,
        scheduler_config=dict(pipeline.scheduler.config),
    )


def check_folder(folder: Path, variant: str | None, parts: tuple[str, ...]) -> None:
    """Raise ModelError unless the folder is of an SDXL and has all files of these parts."""
    index = _index(folder)
    names = files_of(folder)
    if variant is not None and not weight_files(names, "unet", variant):
        there = ", ".join(variants(names, "unet")) or "nothing that is read"
        raise ModelError(f"model.variant={variant}: its unet has no such weights, but {there}")
    if not (lacking := missing_files(names, variant, parts)):
        check_kind(_scheduler_config(folder, index))
        return
    pickled = [name for name in names if name.endswith((".bin", ".ckpt", ".pt"))]
    why = (
        "; weights in .bin files are not read, since they can run code: convert them to "
        ".safetensors"
        if pickled and all(not weight_files(names, part, variant) for part in parts)
        else ""
    )
    raise ModelError(f"it lacks {', '.join(lacking)}{why}")


def _index(folder: Path) -> dict[str, Any]:
    """What the folder says that it holds; raises ModelError unless that is an SDXL base."""
    if not (folder / INDEX).is_file():
        raise ModelError(
            "the folder has no model_index.json; allowed: a diffusers SDXL folder, a hub name, or "
            "a .safetensors file with model=sdxl_file"
        )
    try:
        index: Any = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        name = index.get("_class_name")
    except (ValueError, AttributeError, OSError) as error:
        raise ModelError(f"its model_index.json cannot be read ({error})") from error
    if name != "StableDiffusionXLPipeline":
        raise ModelError(f"it holds a {name}; allowed: StableDiffusionXLPipeline")
    absent = [part for part in ("text_encoder", "text_encoder_2") if not _is_there(index, part)]
    if absent:
        raise ModelError(
            f"it has not two text encoders (no {' and no '.join(absent)}; a refiner cannot be "
            "trained on)"
        )
    return index


def _scheduler_config(folder: Path, index: dict[str, Any]) -> dict[str, Any]:
    """Before any weights are read; of two names for its class, diffusers goes by the index."""
    config: dict[str, Any] = json.loads((folder / SCHEDULER).read_text(encoding="utf-8"))
    named = index.get("scheduler")
    if isinstance(named, list) and len(named) == 2:
        config["_class_name"] = named[1]
    return config


def _is_there(index: dict[str, Any], part: str) -> bool:
    named = index.get(part)
    return isinstance(named, list) and bool(named) and named[0] is not None
