"""Drawn pictures, against StableDiffusionXLPipeline called with prompts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import (
    StableDiffusionXLPipeline,
)
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from PIL import Image

from lora_sweep.config.settings import Lora, Model, Precision
from lora_sweep.model.adapters import add_text_lora, add_unet_lora, remove_lora
from lora_sweep.model.base import Base, load_base
from lora_sweep.model.sample import SampleRequest, SamplerSettings, draw_pictures
from lora_sweep.model.tokens import add_new_tokens, remove_new_tokens

SMALL = SamplerSettings(size=32, steps=3)
REQUESTS = [
    SampleRequest("a dog", 1),
    SampleRequest("a red circle", 2),
    SampleRequest("a dog", 3),
]


def draw(
    base: Base, requests: list[SampleRequest], settings: SamplerSettings = SMALL
) -> list[Image.Image]:
    return list(draw_pictures(base, requests, settings))


def levels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture).astype(int)


def by_pipeline(base: Base, requests: list[SampleRequest], guidance: float) -> list[Image.Image]:
    pipeline = StableDiffusionXLPipeline(
        vae=base.vae,
        text_encoder=base.text_encoder,
        text_encoder_2=base.text_encoder_2,
        tokenizer=base.tokenizer,
        tokenizer_2=base.tokenizer_2,
        unet=base.unet,
        scheduler=EulerDiscreteScheduler.from_config(base.scheduler.config),  # type: ignore[arg-type]
        add_watermarker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    found: Any = pipeline(
        prompt=[request.prompt for request in requests],
        generator=[torch.Generator().manual_seed(request.seed) for request in requests],
        num_inference_steps=SMALL.steps,
        guidance_scale=guidance,
        height=SMALL.size,
        width=SMALL.size,
    )
    return found.images


@pytest.fixture
def trained(base: Base) -> Iterator[Base]:
    """The base with LoRA on all three modules and new tokens, none of them zero, in train mode."""
    settings = Lora(rank=2, dropout=0.5)
    adapters = [add_unet_lora(base, settings, 0), *add_text_lora(base, settings, 0)]
    g = torch.Generator().manual_seed(0)
    for adapter in adapters:
        for p in adapter.parameters().values():
            p.data = 0.1 * torch.randn(p.shape, generator=g)
    tokenizers = base.tokenizers
    tokens = add_new_tokens(base, ["TOK"], 2, seed=0)
    for module in (base.unet, *base.text_encoders):
        module.train()
    yield base
    for module in (base.unet, *base.text_encoders):
        module.eval()
    remove_new_tokens(base, tokens, tokenizers)
    for adapter in adapters:
        remove_lora(adapter)


@pytest.mark.parametrize("guidance", [1.0, 5.0])
def test_pictures_are_the_pipelines(base: Base, guidance: float) -> None:
    ours = draw(base, REQUESTS, SamplerSettings(32, 3, guidance))
    for one, other in zip(ours, by_pipeline(base, REQUESTS, guidance), strict=True):
        assert one.size == (32, 32) and one.mode == "RGB"
        assert np.abs(levels(one) - levels(other)).max() <= 1
    assert np.abs(levels(ours[0]) - levels(ours[1])).max() > 1


def test_adapters_and_new_tokens_are_drawn_with_and_dropout_is_not(trained: Base) -> None:
    requests = [SampleRequest("a <s0><s1> dog", 1), SampleRequest("a dog", 2)]
    ours = draw(trained, requests)
    assert trained.unet.training and all(e.training for e in trained.text_encoders)
    for module in (trained.unet, *trained.text_encoders):
        module.eval()
    for one, other in zip(ours, by_pipeline(trained, requests, 5.0), strict=True):
        assert np.abs(levels(one) - levels(other)).max() <= 1


def test_a_picture_does_not_depend_on_what_else_is_drawn(base: Base) -> None:
    together = draw(base, [*REQUESTS, SampleRequest("the moon", 4)])
    apart = draw(base, REQUESTS, SamplerSettings(32, 3, batch_size=2))
    for index, request in enumerate(REQUESTS):
        alone = draw(base, [request])[0]
        assert np.abs(levels(alone) - levels(together[index])).max() <= 1
        assert np.abs(levels(alone) - levels(apart[index])).max() <= 1


def test_the_same_request_gives_the_same_picture_again(base: Base) -> None:
    torch.manual_seed(0)
    first = draw(base, REQUESTS[:1])[0]
    torch.manual_seed(1)
    state = torch.get_rng_state()
    assert np.array_equal(levels(draw(base, REQUESTS[:1])[0]), levels(first))
    assert torch.equal(torch.get_rng_state(), state), "no global generator is moved"


def test_progress_is_told_by_batches(base: Base) -> None:
    told: list[int] = []
    list(draw_pictures(base, REQUESTS, SamplerSettings(32, 1, batch_size=2), told.append))
    assert told == [2, 3]


def test_modules_are_put_back_when_drawing_is_broken_off(trained: Base) -> None:
    pictures = draw_pictures(trained, REQUESTS, SMALL)
    next(iter(pictures))
    assert not trained.unet.training
    pictures.close()  # type: ignore[attr-defined]
    assert trained.unet.training and all(e.training for e in trained.text_encoders)


def test_a_16_bit_base_draws_through_an_fp32_vae(base: Base) -> None:
    narrow = load_base(Model(precision=Precision.bf16), torch.device("cpu"))
    one, other = draw(narrow, REQUESTS[:1])[0], draw(base, REQUESTS[:1])[0]
    assert np.abs(levels(one) - levels(other)).mean() < 8
