"""The most memory that a trial's process is expected to hold, part by part. No torch.

On a GPU it is the GPU's memory; on the CPU it is what the system counts, with what the allocator
keeps of freed blocks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from lora_sweep.config.resolve import has_text_phase
from lora_sweep.config.settings import (
    Adafactor,
    AdamW,
    AdamW8bit,
    Pivotal,
    Precision,
    PriorSettings,
    ProdigyPlus,
    Settings,
    TeFull,
    TeLora,
)
from lora_sweep.data import clip_words
from lora_sweep.model.folder_files import SDXL_FOLDER
from lora_sweep.model.main_memory import WORTH_IT
from lora_sweep.sweep.cost.activations import (
    Coefficients,
    Unit,
    activation_bytes,
    coefficients,
    trained_through,
    unet_units,
)
from lora_sweep.sweep.cost.footprint import BYTES, FP32, TOKENS, Trained, state_bytes, trained
from lora_sweep.sweep.cost.resident import Parts, gives_back, resident
from lora_sweep.sweep.cost.shapes import BaseShapes, base_shapes

KEPT, KEPT_BEYOND = 0.7, 0.35
"""Of all activations, checkpointed or not, what the C library's allocator keeps on the CPU when
they are freed: of the first GiB, and of the rest, as measured. To have blocks given back at once
would cost 7 to 60 % of a step.
"""

KEPT_IN_BLOCKS, KEPT_AT_LEAST = 0.075, 200 << 20
"""Where freed memory is given back between blocks, what one of them adds to what is left: of all
activations, and bytes, as measured.
"""

ENCODE, DECODE = 5.0, 7.5
"""Pictures in a VAE at once: numbers per pixel and channel of its widest level, as measured."""

GIB = 2**30


@dataclass(frozen=True)
class Peak:
    """The phase that needs most, and what it needs, in bytes."""

    phase: str  # what the process is doing then
    parts: Mapping[str, int]

    @property
    def total(self) -> int:
        """All parts."""
        return sum(self.parts.values())


def computed_peak(settings: Settings, device: str) -> Peak | None:
    """The most that a trial needs on "cpu" or "cuda"; None where the base is not known."""
    base, size = base_shapes(settings.model), trained(settings)
    if base is None or size is None:
        return None
    phases = [
        Peak("loading", _loading(settings, base, device)),
        Peak("encoding pictures", _encoding(settings, base, device)),
        Peak("training", _training(settings, base, size, device)),
        Peak("stepping", _stepping(settings, base, size, device)),
    ]
    if settings.evaluate.prompts:
        phases.append(Peak("drawing pictures", _drawing(settings, base, size, device)))
    return max(phases, key=lambda phase: phase.total)


def _loading(settings: Settings, base: BaseShapes, device: str) -> Parts:
    parts = resident(settings.model, base, device)
    if settings.model.single_file and device == "cpu":  # copied out of it, part by part
        parts["mapped file"] = BYTES[settings.model.precision] * sum(base.weights.values())
    return parts


def _encoding(settings: Settings, base: BaseShapes, device: str) -> Parts:
    parts = resident(settings.model, base, device, unet=False, vae=True)
    return parts | {"picture": _picture(settings, base, ENCODE)}


def _training(settings: Settings, base: BaseShapes, size: Trained, device: str) -> Parts:
    parts = resident(settings.model, base, device, text=_text_is_there(settings))
    parts |= _trained_parts(settings, size)
    if device == "cuda" and settings.train.offload_optimizer:
        del parts["optimizer state"]  # it comes when the activations are gone
    checkpointing = settings.train.gradient_checkpointing
    parts["activations"] = _activations(settings, base, size, device, checkpointing=checkpointing)
    return parts | _kept(settings, base, size, device)


def _stepping(settings: Settings, base: BaseShapes, size: Trained, device: str) -> Parts:
    parts = resident(settings.model, base, device, text=_text_is_there(settings))
    parts |= _trained_parts(settings, size)
    parts["in passing"] = _in_passing(settings, base, size, device)
    return parts | _kept(settings, base, size, device)


def _text_is_there(settings: Settings) -> bool:
    """Whether the base's text encoders are there while the text side trains: te_mode=full trains
    copies, and parks them.
    """
    return has_text_phase(settings) and not isinstance(settings.te_mode, TeFull)


def _in_passing(settings: Settings, base: BaseShapes, size: Trained, device: str) -> int:
    """What the optimizer makes and drops as it steps: two of its vectors at once."""
    optimizer, numbers = settings.optimizer, max(size.unet, size.text)
    if isinstance(optimizer, Adafactor | ProdigyPlus):  # they go tensor by tensor
        full = isinstance(settings.te_mode, TeFull)
        numbers = clip_words.SIZE * max(base.table_widths()) if full else 0
    elif isinstance(optimizer, AdamW8bit) or (isinstance(optimizer, AdamW) and device == "cuda"):
        numbers = 0  # one kernel
    return 2 * FP32 * numbers


def _kept(settings: Settings, base: BaseShapes, size: Trained, device: str) -> Parts:
    if device != "cpu":
        return {}
    whole = _activations(settings, base, size, device, checkpointing=False)
    if gives_back(settings.model, base, device):
        in_blocks = max(KEPT_AT_LEAST, round(KEPT_IN_BLOCKS * whole))
        return {"kept by the allocator": WORTH_IT + in_blocks}
    beyond = max(0, whole - GIB)
    return {"kept by the allocator": round(KEPT * (whole - beyond) + KEPT_BEYOND * beyond)}


def _activations(
    settings: Settings, base: BaseShapes, size: Trained, device: str, *, checkpointing: bool
) -> int:
    text_trains = has_text_phase(settings)
    per = coefficients(settings.model.precision is not Precision.fp32, device)
    rows = settings.train.batch_size * (2 if isinstance(settings.prior, PriorSettings) else 1)
    lora_numbers = size.unet + (size.text if isinstance(settings.te_mode, TeLora) else 0)
    found = activation_bytes(
        trained_through(_units(base.folder), settings.lora.blocks, text_trains),
        settings.model.resolution // base.vae_factor,
        rows,
        per,
        checkpointing=checkpointing,
        adapter_numbers=lora_numbers,
    )
    if text_trains:
        found += _text_activations(settings, base, size, rows, per, checkpointing=checkpointing)
    return found


def _text_activations(
    settings: Settings,
    base: BaseShapes,
    size: Trained,
    rows: int,
    per: Coefficients,
    *,
    checkpointing: bool,
) -> int:
    """Of both encoders: blocks as the UNet's, without attention to another text."""
    width = base.text_width / 2
    layers = sum(base.layers.values())
    each = per.element if checkpointing else 0.7 * per.transformer
    casts = 2 * size.text if isinstance(settings.te_mode, TeFull) and per.element == 2 else 0
    return round(rows * TOKENS * width * layers * each + casts)


def _trained_parts(settings: Settings, size: Trained) -> Parts:
    optimizer = settings.optimizer
    state = state_bytes(optimizer, size.unet, size.unet_factored)
    state += state_bytes(optimizer, size.text, size.text_factored)
    return {"adapter and gradients": 2 * FP32 * (size.unet + size.text), "optimizer state": state}


def _drawing(settings: Settings, base: BaseShapes, size: Trained, device: str) -> Parts:
    mode = settings.te_mode
    until_the_end = not isinstance(mode, Pivotal | TeLora | TeFull) or mode.frac >= 1
    text = _text_is_there(settings) and (until_the_end or settings.evaluate.every is not None)
    parts = resident(settings.model, base, device, vae=True, text=text)
    parts |= _trained_parts(settings, size)
    parts["picture"] = _picture(settings, base, DECODE)
    return parts | _kept(settings, base, size, device)  # of the steps before


def _picture(settings: Settings, base: BaseShapes, numbers: float) -> int:
    channels = _config(base.folder, "vae")["block_out_channels"][0]
    pixels = settings.model.resolution**2
    return round(numbers * channels * BYTES[settings.model.vae_precision] * pixels)


@lru_cache(maxsize=64)
def _units(folder: Path | None) -> tuple[Unit, ...]:
    return unet_units(_config(folder, "unet"))


@lru_cache(maxsize=64)
def _config(folder: Path | None, part: str) -> dict[str, Any]:
    """Of a part; of SDXL itself where there is no folder."""
    return json.loads(((folder or SDXL_FOLDER) / part / "config.json").read_text(encoding="utf-8"))
