"""Loading a transformers model for measuring: safetensors only, whole, with pictures prepared by
PIL.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoImageProcessor

from lora_sweep.errors import ModelError
from lora_sweep.files import sha256_of
from lora_sweep.quiet import hide_progress_bars
from lora_sweep.results.embedders.interface import BATCH
from lora_sweep.results.embedders.places import Source, local_folder

_UNREADABLE = (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError)


def load_pretrained(source: Source, cls: Any) -> tuple[Any, Any, str]:
    """The frozen fp32 model on the CPU, its image processor, and what identifies both.

    Raises ModelError where anything is missing, weights included: transformers fills missing
    weights at random.
    """
    hide_progress_bars()
    folder = local_folder(source)
    place = source.place if folder is None else str(folder)
    try:
        model, info = cls.from_pretrained(
            place, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
        # PIL's arithmetic everywhere: torchvision's gives other numbers, and may not be there.
        processor = AutoImageProcessor.from_pretrained(place, backend="pil")
    except _UNREADABLE as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"{_named(source)}: it cannot be loaded ({reason})") from error
    if missing := sorted(info["missing_keys"]):
        raise ModelError(
            f"{_named(source)}: it is no whole {cls.__name__}: {len(missing)} weights are missing, "
            f"the first is {missing[0]}"
        )
    if folder is None:
        identity = f"{place}@{model.config._commit_hash}"
    else:
        files = sorted(p for p in folder.iterdir() if p.suffix in {".safetensors", ".json"})
        content = "\n".join(f"{path.name} {sha256_of(path)}" for path in files)
        identity = hashlib.sha256(content.encode()).hexdigest()
    model.requires_grad_(False).eval()
    return model, processor, f"{source.kind.name}:{identity}"


def _named(source: Source) -> str:
    return f"evaluate.{source.kind.name} is {source.place!r}"


@torch.no_grad()
def embed_pictures(
    module: nn.Module,
    prepare: Callable[[list[Image.Image]], Tensor],
    embed: Callable[[Tensor], Tensor],
    pictures: Sequence[Image.Image],
) -> Tensor:
    """Unit embeddings (N, D), fp32 on the CPU, in batches on the module's device."""
    device = next(module.parameters()).device
    found = [
        embed(prepare([p.convert("RGB") for p in pictures[start : start + BATCH]]).to(device))
        for start in range(0, len(pictures), BATCH)
    ]
    return F.normalize(torch.cat(found).float(), dim=-1).cpu()


def processed(processor: Any) -> Callable[[list[Image.Image]], Tensor]:
    """The function that prepares pictures by a transformers image processor."""
    return lambda pictures: processor(images=pictures, return_tensors="pt")["pixel_values"]
