"""A training step of SDXL's UNet on tensors without data, at any size: what it comes to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from full_size.count import Counter, Counts, norms_in_fp32
from lora_sweep.config.settings import Lora
from lora_sweep.model.folder_files import SDXL_FOLDER

TOKENS = 77


@dataclass(frozen=True)
class StepShape:
    """What a step's cost depends on."""

    height: int = 1024  # pixels
    width: int = 1024
    batch: int = 1
    rank: int = 32
    checkpointing: bool = False
    precision: torch.dtype = torch.bfloat16
    like_cuda: bool = True  # norms in fp32 under autocast


@dataclass(frozen=True)
class CountedStep:
    """Forward and backward; `saved` is what the one keeps for the other, `peak` the most of both,
    in bytes beside weights and gradients.
    """

    counts: Counts
    forward_flops: int
    saved: int
    peak: int


def sdxl_config() -> dict[str, Any]:
    """Of SDXL's UNet."""
    return json.loads((SDXL_FOLDER / "unet" / "config.json").read_text())


def count_step(
    shape: StepShape, config: Mapping[str, Any] | None = None, vae_factor: int = 8
) -> CountedStep:
    """Count a forward and a backward pass with adapters on the attention layers."""
    config = config or sdxl_config()
    unet = _adapted_unet(config, shape.rank)
    narrow = shape.precision != torch.float32
    with FakeTensorMode():
        _give_memory(unet, shape.precision)
        unet.train()
        if shape.checkpointing:
            unet.enable_gradient_checkpointing()
        inputs, condition = _inputs(config, shape, vae_factor)
        with Counter() as counter, norms_in_fp32() if narrow and shape.like_cuda else nullcontext():
            with torch.autocast("cpu", dtype=shape.precision, enabled=narrow):
                prediction = unet(*inputs, added_cond_kwargs=condition).sample
            forward, saved = counter.counts.flops, counter.counts.live
            prediction.float().square().mean().backward()
        return CountedStep(counter.counts, forward, saved, counter.counts.peak)


def _adapted_unet(config: Mapping[str, Any], rank: int) -> Any:
    with torch.device("meta"):
        unet: Any = UNet2DConditionModel.from_config(dict(config))
    lora = LoraConfig(r=rank, lora_alpha=rank, target_modules=list(Lora().target_modules))
    inject_adapter_in_model(lora, unet, low_cpu_mem_usage=True)
    return unet


def _give_memory(unet: nn.Module, dtype: torch.dtype) -> None:
    """Adapters in fp32, with gradients, and everything else frozen in the base's precision."""
    for name, module in unet.named_modules():
        trained = "lora_" in name
        for key, parameter in list(module.named_parameters(recurse=False)):
            values = torch.empty(parameter.shape, dtype=torch.float32 if trained else dtype)
            given = nn.Parameter(values, requires_grad=trained)
            if trained:
                given.grad = torch.zeros_like(values)
            setattr(module, key, given)


def _inputs(
    config: Mapping[str, Any], shape: StepShape, vae_factor: int
) -> tuple[tuple[Tensor, Tensor, Tensor], dict[str, Tensor]]:
    rows, dtype = shape.batch, shape.precision
    size = (shape.height // vae_factor, shape.width // vae_factor)
    pooled = config["projection_class_embeddings_input_dim"] - 6 * config["addition_time_embed_dim"]
    latents = torch.empty(rows, config["in_channels"], *size, dtype=dtype)
    text = torch.empty(rows, TOKENS, config["cross_attention_dim"], dtype=dtype)
    condition = {
        "text_embeds": torch.empty(rows, pooled, dtype=dtype),
        "time_ids": torch.empty(rows, 6),
    }
    return (latents, torch.zeros(rows, dtype=torch.long), text), condition
