"""What a trial trains, and what its files come to in bytes, computed. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from lora_sweep.config.resolve import has_text_phase
from lora_sweep.config.settings import (
    Adafactor,
    AdamW8bit,
    Optimizer,
    Pivotal,
    Precision,
    Prodigy,
    ProdigyPlus,
    Settings,
    TeFull,
    TeLora,
)
from lora_sweep.sweep.cost.shapes import ENCODERS, BaseShapes, LoraSize, base_shapes

FP32 = 4
BYTES = {Precision.fp32: 4, Precision.bf16: 2, Precision.fp16: 2}
TOKENS = 77  # of a caption, start and end included

# Averages of real files; together a few per cent of the smallest trial's.
HEADER_PER_TENSOR = {"diffusers": 180, "kohya": 150, "state": 175, "optimizer": 95}
ROW = 150  # of metrics.jsonl
SMALL_FILES = 7_000  # config.yaml, trial.json, README.md, lock
TENSOR_HEADER = 700  # of a cache entry
PNG_PER_PIXEL = 1.7


@dataclass(frozen=True)
class Trained:
    """What a trial trains: numbers, layers, and numbers that factored optimizers keep."""

    unet: int
    text: int
    modules: int  # LoRA layers, text encoders' included
    unet_modules: int
    unet_factored: int
    text_factored: int
    exported: int  # numbers in each adapter file
    rows: int  # numbers in the new tokens' rows
    encoders: int  # bytes of the encoders' files (te_mode=full)


def trained(settings: Settings) -> Trained | None:
    """What the settings train; None where the base's layers cannot be known."""
    base = base_shapes(settings.model)
    if base is None:
        return None
    unet = base.lora("unet", settings.lora)
    if unet is None:
        return None
    mode, lora = settings.te_mode, settings.lora
    text = text_factored = rows = encoders = 0
    exported, modules = unet.numbers(lora), unet.modules
    match mode:
        case TeLora():
            parts = {part: base.lora(part, lora) for part in ENCODERS}
            for part, size in parts.items():
                if size is None:
                    return None
                share = (
                    1.0  # of the first encoder, the layers after the one that is read do not train
                )
                if part == "text_encoder":
                    share = base.used_layers(settings.model.clip_skip) / base.layers[part]
                text += round(size.numbers(lora) * share)
                text_factored += round(_factored(size, lora.rank) * share)
                exported += size.numbers(lora)
                modules += size.modules
        case TeFull():
            skip = settings.model.clip_skip
            text = sum(base.encoder_numbers(part, skip) or 0 for part in ENCODERS)
            text_factored = text // 40  # rows and columns of square-like matrices
            encoders = BYTES[settings.model.precision] * sum(base.weights[p] for p in ENCODERS)
        case Pivotal():
            count = mode.num_new_tokens * len(settings.dataset.abstractions)
            text = rows = text_factored = count * sum(base.table_widths())
        case _:
            pass
    if not has_text_phase(settings):
        text = text_factored = 0
    return Trained(
        unet.numbers(lora) if settings.optimizer.lr > 0 else 0,
        text,
        modules,
        unet.modules,
        _factored(unet, lora.rank),
        text_factored,
        exported,
        rows,
        encoders,
    )


def _factored(size: LoraSize, rank: int) -> int:
    """Rows and columns of all matrices."""
    return size.per_rank + 2 * rank * size.modules


def state_bytes(optimizer: Optimizer, numbers: int, factored: int) -> int:
    """Bytes of an optimizer's state over trained numbers."""
    match optimizer:
        case AdamW8bit():
            return 2 * numbers
        case Prodigy(slice_p=slice_p):
            return FP32 * (2 * numbers + 2 * -(-numbers // slice_p))
        case Adafactor(beta1=beta1):
            return FP32 * (factored + (0 if beta1 is None else numbers))
        case ProdigyPlus():
            # z, or the momentum; rows and columns; every 11th number of s, and of p0, which is one
            # number for the half of an adapter that begins at zero
            return FP32 * (round(numbers * (1 + 1.5 / 11)) + factored)
        case _:
            return FP32 * 2 * numbers


def checkpoint_bytes(settings: Settings, size: Trained, *, text_trains: bool) -> int:
    """One checkpoint: all weights, and the optimizer's state of what still trains."""
    state = state_bytes(settings.optimizer, size.unet, size.unet_factored)
    if text_trains:
        state += state_bytes(settings.optimizer, size.text, size.text_factored)
    headers = HEADER_PER_TENSOR["state"] * 2 * size.modules
    kinds: dict[type[Optimizer], int] = {Adafactor: 3, ProdigyPlus: 5}
    by_tensor = kinds.get(type(settings.optimizer), 0)
    stepped = size.modules if text_trains else size.unet_modules
    headers += HEADER_PER_TENSOR["optimizer"] * by_tensor * 2 * stepped
    return FP32 * (size.unet + size.text) + state + headers + 2_000


def export_bytes(settings: Settings, size: Trained) -> int:
    """Adapter files in both formats, new tokens, trained encoders."""
    diffusers = FP32 * size.exported + HEADER_PER_TENSOR["diffusers"] * 2 * size.modules
    kohya = FP32 * (size.exported + size.modules)
    kohya += HEADER_PER_TENSOR["kohya"] * 3 * size.modules
    rows = FP32 * size.rows + 200 if isinstance(settings.te_mode, Pivotal) else 0
    return diffusers + kohya + rows + size.encoders


def latent_bytes(settings: Settings, base: BaseShapes) -> int:
    """One cached latent: mean and deviation."""
    return 2 * _picture_tensor(settings, base) + TENSOR_HEADER


def drift_bytes(settings: Settings, base: BaseShapes, prompts: int) -> int:
    """What drift is measured against: a latent for each prompt, and a prediction for each noise
    level of it.
    """
    levels = settings.evaluate.loss_timesteps
    return prompts * (levels + 1) * _picture_tensor(settings, base) + TENSOR_HEADER if levels else 0


def _picture_tensor(settings: Settings, base: BaseShapes) -> int:
    side = settings.model.resolution // base.vae_factor
    return FP32 * base.latent_channels * side * side


def text_bytes(settings: Settings, base: BaseShapes) -> int:
    """One cached caption: its tokens, and its pooled vector."""
    numbers = TOKENS * base.text_width + base.table_widths()[1]
    return BYTES[settings.model.precision] * numbers + TENSOR_HEADER


def picture_bytes(settings: Settings) -> int:
    """One PNG drawn at the model's resolution."""
    return round(PNG_PER_PIXEL * settings.model.resolution**2)
