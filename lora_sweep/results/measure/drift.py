"""drift: how far training has moved what the model predicts for the class without the trigger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lora_sweep.config.settings import Interpolation
from lora_sweep.data.cache import Cache, Json
from lora_sweep.data.transforms import center_view, pixels_CHW, time_ids
from lora_sweep.draws import normal
from lora_sweep.model.base import Base
from lora_sweep.model.latents import encode_pixels, scale_latents
from lora_sweep.model.sample import SampleRequest, SamplerSettings, draw_pictures
from lora_sweep.randomness import Stream, number
from lora_sweep.results.measure.denoising import (
    MEASURE_SEED,
    evaluating,
    predict_noise,
    timestep_grid,
)
from lora_sweep.training.conditioning import Conditioner
from lora_sweep.training.noise import add_noise


def drift(eps_lora_NCHW: Tensor, eps_base_NCHW: Tensor) -> float:
    """|eps_lora - eps_base|^2 / |eps_base|^2, both norms over all rows together.

    In [0, inf), lower is better: 0 for the base and for an untrained adapter, 1 where the change is
    as large as the prediction itself. Rows are noised pictures of the class at fixed timesteps with
    fixed noise, under prompts without the trigger, so it tells how much of what the model knew of
    the class has moved with the subject (language drift; DreamBooth, arXiv 2208.12242, section
    3.3). It cannot see whether the change is for the worse, nor drift on prompts far from the
    class.
    """
    change = (eps_lora_NCHW.double() - eps_base_NCHW.double()).square().sum()
    return float(change / eps_base_NCHW.double().square().sum())


@dataclass(frozen=True)
class DriftReference:
    """What the untouched base predicts: the same rows for every trial of a sweep.

    `x0_PCHW`: latents of one picture per prompt, drawn by the base. `eps_NCHW`: the noise that it
    predicts for each prompt at each timestep, prompt by prompt.
    """

    prompts: tuple[str, ...]
    timesteps: tuple[int, ...]
    resolution: int
    x0_PCHW: Tensor
    eps_NCHW: Tensor


def measure_drift(base: Base, reference: DriftReference, batch_size: int) -> float:
    """`drift` of what is on the base now."""
    eps = _predictions(
        base,
        reference.prompts,
        reference.timesteps,
        reference.resolution,
        reference.x0_PCHW,
        batch_size,
    )
    return drift(eps, reference.eps_NCHW)


def make_drift_reference(
    base: Base,
    prompts: Sequence[str],
    num_timesteps: int,
    sampler: SamplerSettings,
    cache: Cache,
    identity: Json,
) -> DriftReference:
    """Draw the class pictures and predict their noise, or find both in the cache.

    The base must be as it was loaded. `identity` tells which base, in which precision and on which
    device.
    """
    timesteps = tuple(timestep_grid(len(base.alphas_cumprod()), num_timesteps))

    def make() -> dict[str, Tensor]:
        x0 = _class_latents(base, prompts, sampler)
        eps = _predictions(base, prompts, timesteps, sampler.size, x0, sampler.batch_size)
        return {"x0": x0, "eps": eps}

    key: dict[str, Json] = {
        "base": identity,
        "prompts": list(prompts),
        "timesteps": list(timesteps),
        "size": sampler.size,
        "steps": sampler.steps,
        "guidance_scale": sampler.guidance_scale,
    }
    tensors = cache.get_or_make("drift", key, make)
    return DriftReference(
        tuple(prompts), timesteps, sampler.size, tensors["x0"].to(base.device), tensors["eps"]
    )


def _class_latents(base: Base, prompts: Sequence[str], sampler: SamplerSettings) -> Tensor:
    requests = [
        SampleRequest(prompt, number(MEASURE_SEED, Stream.measure, "drift", index))
        for index, prompt in enumerate(prompts)
    ]
    view = center_view((sampler.size, sampler.size), sampler.size)
    posteriors = [
        encode_pixels(base, pixels_CHW(picture, view, Interpolation.lanczos))
        for picture in draw_pictures(base, requests, sampler)
    ]
    mean_PCHW = torch.stack(posteriors).chunk(2, dim=1)[0]
    return scale_latents(base, mean_PCHW.to(base.device))


@torch.no_grad()
def _predictions(
    base: Base,
    prompts: Sequence[str],
    timesteps: Sequence[int],
    resolution: int,
    x0_PCHW: Tensor,
    batch_size: int,
) -> Tensor:
    """The noise predicted for prompts x timesteps, fp32 on the CPU (P * T, C, h, w)."""
    view = center_view((resolution, resolution), resolution)
    alphas_cumprod = base.alphas_cumprod()
    pairs = [(p, k) for p in range(len(prompts)) for k in range(len(timesteps))]
    found: list[Tensor] = []
    with evaluating(base):
        conditioner = Conditioner(base, prompts, {})
        conditioner.fix()
        for start in range(0, len(pairs), batch_size):
            batch = pairs[start : start + batch_size]
            rows = [p for p, _ in batch]
            noise = [
                normal(x0_PCHW.shape[1:], MEASURE_SEED, Stream.measure, "drift", p, k)
                for p, k in batch
            ]
            t = torch.tensor([timesteps[k] for _, k in batch], device=base.device)
            alpha_bar = alphas_cumprod[t]
            x_t = add_noise(x0_PCHW[rows], torch.stack(noise).to(base.device), alpha_bar)
            ids = torch.tensor([time_ids(view)] * len(batch), device=base.device)
            found.append(predict_noise(base, x_t, t, alpha_bar, conditioner(rows), ids).cpu())
    return torch.cat(found)
