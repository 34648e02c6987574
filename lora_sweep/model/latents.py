"""Pictures to latents: posterior mean and deviation, computed once and cached; sampled anew at each
use.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from lora_sweep.model.base import Base


@torch.no_grad()
def encode_pixels(base: Base, pixels_CHW: Tensor) -> Tensor:
    """Posterior of one picture, fp32 (2 * C, h, w): mean and deviation, unscaled.

    One picture at a time: with several, convolution kernels may round differently, and a cached
    latent must not depend on its company.
    """
    pixels = pixels_CHW.unsqueeze(0).to(base.vae.device, base.vae.dtype)
    posterior = cast(Any, base.vae.encode(pixels)).latent_dist
    return torch.cat([posterior.mean, posterior.std], dim=1)[0].float()


def sample_latents(base: Base, posterior_BCHW: Tensor, noise_BCHW: Tensor) -> Tensor:
    """Latents x0 (B, C, h, w) drawn from posteriors (B, 2C, h, w), scaled as the UNet expects.

    (mean + std * noise) * scaling_factor, or by the VAE's latents_mean and latents_std where its
    config has them (script lines 2132-2142).
    """
    mean, std = posterior_BCHW.chunk(2, dim=1)
    return scale_latents(base, mean + std * noise_BCHW)


def scale_latents(base: Base, latents_BCHW: Tensor) -> Tensor:
    """VAE latents to UNet latents."""
    config = base.vae.config
    if _per_channel(config.get("latents_mean")) and _per_channel(config.get("latents_std")):
        mean, std = _statistics(base, latents_BCHW)
        return (latents_BCHW - mean) * config["scaling_factor"] / std
    return latents_BCHW * config["scaling_factor"]


@torch.no_grad()
def decode_latents(base: Base, latents_CHW: Tensor) -> Tensor:
    """Pixels of one picture, fp32 (3, H, W), around [-1, 1], from latents as the UNet sees them."""
    latents = latents_CHW.unsqueeze(0).to(base.vae.device, base.vae.dtype)
    config = base.vae.config
    if _per_channel(config.get("latents_mean")) and _per_channel(config.get("latents_std")):
        mean, std = _statistics(base, latents)
        latents = latents * std / config["scaling_factor"] + mean
    else:
        latents = latents / config["scaling_factor"]
    return cast(Any, base.vae.decode(latents)).sample[0].float()


def _statistics(base: Base, like_BCHW: Tensor) -> tuple[Tensor, Tensor]:
    mean, std = (
        torch.tensor(base.vae.config[name], device=like_BCHW.device, dtype=like_BCHW.dtype)
        for name in ("latents_mean", "latents_std")
    )
    return mean.view(1, -1, 1, 1), std.view(1, -1, 1, 1)


def _per_channel(values: Sequence[float] | None) -> bool:
    return values is not None and len(values) > 0
