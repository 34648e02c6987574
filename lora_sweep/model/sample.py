"""Pictures drawn with the live modules, by diffusers' own SDXL pipeline without loading anything
again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline
from PIL import Image
from torch import Tensor, nn

from lora_sweep.model.base import Base
from lora_sweep.model.latents import decode_latents
from lora_sweep.model.text import TextEmbedding, encode_captions


@dataclass(frozen=True)
class SampleRequest:
    """One picture to draw; `prompt` has its abstractions replaced already."""

    prompt: str
    seed: int


@dataclass(frozen=True)
class SamplerSettings:
    """How pictures are drawn. `size` in pixels."""

    size: int
    steps: int = 25
    guidance_scale: float = 5.0
    batch_size: int = 4


@torch.no_grad()
def draw_pictures(
    base: Base,
    requests: Sequence[SampleRequest],
    settings: SamplerSettings,
    on_picture: Callable[[int], None] = lambda done: None,
) -> Iterator[Image.Image]:
    """Draw each request with a generator of its own, so that a picture does not depend on its
    batch's seeds.

    Modules are put into eval mode while drawing and back afterwards: dropout has no place in a
    sample.
    """
    prompts = sorted({request.prompt for request in requests})
    with base.at_hand(base.vae), _drawing(base) as pipeline:
        with base.at_hand(*base.text_encoders):
            texts = dict(zip(prompts, _encode(base, prompts), strict=True))
        for start in range(0, len(requests), settings.batch_size):
            batch = requests[start : start + settings.batch_size]
            text = [texts[request.prompt] for request in batch]
            generators = [torch.Generator("cpu").manual_seed(request.seed) for request in batch]
            # Encoders that are trained in full are fp32 whatever the UNet is.
            prompt = torch.cat([t.prompt_BLD for t in text]).to(base.dtype)
            pooled = torch.cat([t.pooled_BP for t in text]).to(base.dtype)
            drawn: Any = pipeline(
                prompt_embeds=prompt,
                pooled_prompt_embeds=pooled,
                negative_prompt_embeds=torch.zeros_like(prompt),
                negative_pooled_prompt_embeds=torch.zeros_like(pooled),
                height=settings.size,
                width=settings.size,
                num_inference_steps=settings.steps,
                guidance_scale=settings.guidance_scale,
                generator=generators,
                output_type="latent",  # the pipeline decodes only where UNet and VAE have one dtype
            )
            for latent in drawn.images:
                yield _picture(decode_latents(base, latent))
            on_picture(min(start + settings.batch_size, len(requests)))


def _picture(pixels_CHW: Tensor) -> Image.Image:
    levels = (pixels_CHW * 0.5 + 0.5).clamp(0, 1).permute(1, 2, 0).cpu().numpy()
    return Image.fromarray((levels * 255).round().astype(np.uint8))


def _encode(base: Base, prompts: Sequence[str]) -> list[TextEmbedding]:
    return [encode_captions(base, [prompt]) for prompt in prompts]


@contextmanager
def _drawing(base: Base) -> Iterator[StableDiffusionXLPipeline]:
    modules: list[nn.Module] = [base.unet, base.vae, *base.text_encoders]
    was_training = [module.training for module in modules]
    for module in modules:
        module.eval()
    pipeline = StableDiffusionXLPipeline(
        vae=base.vae,
        # Without encoders: the pipeline would take their dtype, which is fp32 while they train, for
        # the UNet's.
        text_encoder=None,  # type: ignore[arg-type]
        text_encoder_2=None,  # type: ignore[arg-type]
        tokenizer=None,  # type: ignore[arg-type]
        tokenizer_2=None,  # type: ignore[arg-type]
        unet=base.unet,
        # A fresh one: a scheduler keeps its place between calls.
        scheduler=cast(Any, EulerDiscreteScheduler.from_config(base.scheduler.config)),
        force_zeros_for_empty_prompt=True,
        add_watermarker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    try:
        yield pipeline
    finally:
        for module, training in zip(modules, was_training, strict=True):
            module.train(training)
