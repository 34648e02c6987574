"""The forward process, against diffusers' DDPMScheduler."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

from lora_sweep.model.base import Base
from lora_sweep.training.noise import add_noise, noise_of_velocity, offset_noise, target, velocity

ALL_T = torch.arange(1000)


@pytest.fixture
def scheduler() -> DDPMScheduler:
    """SDXL's own scheduler config, written out."""
    return DDPMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        steps_offset=1,
        timestep_spacing="leading",
    )


@pytest.fixture
def latents() -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    x0, eps = torch.randn(2, 1000, 4, 2, 2, generator=g)
    return x0, eps


def test_alphas_cumprod_are_those_of_sdxls_schedule(base: Base, scheduler: DDPMScheduler) -> None:
    assert torch.equal(base.alphas_cumprod(), scheduler.alphas_cumprod)
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    exact = torch.cumprod(1 - betas, 0)
    torch.testing.assert_close(base.alphas_cumprod().double(), exact, rtol=1e-5, atol=0)


def test_noise_is_added_as_diffusers_does_at_every_timestep(
    scheduler: DDPMScheduler, latents: tuple[torch.Tensor, torch.Tensor]
) -> None:
    x0, eps = latents
    expected = scheduler.add_noise(x0, eps, cast(torch.IntTensor, ALL_T))
    torch.testing.assert_close(add_noise(x0, eps, scheduler.alphas_cumprod), expected)


def test_velocity_is_diffusers_velocity_at_every_timestep(
    scheduler: DDPMScheduler, latents: tuple[torch.Tensor, torch.Tensor]
) -> None:
    x0, eps = latents
    expected = scheduler.get_velocity(x0, eps, cast(torch.IntTensor, ALL_T))
    torch.testing.assert_close(velocity(x0, eps, scheduler.alphas_cumprod), expected)


def test_the_noise_is_recovered_from_velocity_and_noised_latents(
    scheduler: DDPMScheduler, latents: tuple[torch.Tensor, torch.Tensor]
) -> None:
    (x0, eps), a = latents, scheduler.alphas_cumprod
    recovered = noise_of_velocity(velocity(x0, eps, a), add_noise(x0, eps, a), a)
    torch.testing.assert_close(recovered, eps, rtol=1e-4, atol=1e-5)


def test_the_target_is_what_the_base_predicts(
    scheduler: DDPMScheduler, latents: tuple[torch.Tensor, torch.Tensor]
) -> None:
    (x0, eps), a = latents, scheduler.alphas_cumprod
    assert target("epsilon", x0, eps, a) is eps
    assert torch.equal(target("v_prediction", x0, eps, a), velocity(x0, eps, a))
    with pytest.raises(ValueError, match="'sample'; allowed: epsilon, v_prediction"):
        target("sample", x0, eps, a)


def test_an_offset_shifts_every_position_of_a_channel_alike(
    latents: tuple[torch.Tensor, torch.Tensor],
) -> None:
    _, eps = latents
    offset = torch.randn(1000, 4, generator=torch.Generator().manual_seed(1))
    shift = offset_noise(eps, offset, 0.1) - eps
    torch.testing.assert_close(shift, 0.1 * offset[:, :, None, None].expand_as(eps))
