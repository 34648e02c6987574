"""Pictures to latents and back, against the VAE itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import torch
from diffusers.configuration_utils import FrozenDict

from lora_sweep.model.base import Base
from lora_sweep.model.latents import decode_latents, encode_pixels, sample_latents, scale_latents


def pixels(seed: int = 0) -> torch.Tensor:
    return torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def base_with(**config: Any) -> Base:
    """A base of which only the VAE's config is looked at."""
    return cast(Base, SimpleNamespace(vae=SimpleNamespace(config=FrozenDict(config))))


def test_an_encoded_picture_is_the_vaes_mean_and_deviation(base: Base) -> None:
    posterior = encode_pixels(base, pixels())
    with torch.no_grad():
        expected = base.vae.encode(pixels()[None]).latent_dist  # type: ignore[union-attr]
    assert posterior.shape == (8, 8, 8) and posterior.dtype == torch.float32
    assert torch.equal(posterior[:4], expected.mean[0])
    assert torch.equal(posterior[4:], expected.std[0])


def test_sampling_is_the_vaes_own_scaled(base: Base) -> None:
    with torch.no_grad():
        dist = base.vae.encode(torch.stack([pixels(0), pixels(1)])).latent_dist  # type: ignore[union-attr]
    expected = dist.sample(torch.Generator().manual_seed(3)) * base.vae.config["scaling_factor"]
    noise = torch.randn(dist.mean.shape, generator=torch.Generator().manual_seed(3))
    found = sample_latents(base, torch.cat([dist.mean, dist.std], dim=1), noise)
    torch.testing.assert_close(found, expected)


def test_latents_are_standardised_where_the_vae_has_statistics_of_its_channels() -> None:
    mean, std = [0.1, -0.2, 0.3, 0.4], [1.0, 2.0, 0.5, 3.0]
    base = base_with(scaling_factor=0.5, latents_mean=mean, latents_std=std)
    z = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    expected = torch.stack([(z[:, c] - mean[c]) * 0.5 / std[c] for c in range(4)], dim=1)
    torch.testing.assert_close(scale_latents(base, z), expected)
    plain = base_with(scaling_factor=0.5, latents_mean=None, latents_std=None)
    assert torch.equal(scale_latents(plain, z), z * 0.5)


def test_decoding_undoes_the_scaling(base: Base) -> None:
    z = torch.randn(4, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = base.vae.decode(z[None]).sample[0]  # type: ignore[union-attr]
    found = decode_latents(base, scale_latents(base, z[None])[0])
    assert found.shape == (3, 32, 32)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
