"""The VAE: reconstruction of world pictures and smooth colour fields, with a slight pull to a unit
Gaussian.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor

from lora_sweep.nano.build import architecture
from lora_sweep.nano.build.checkpoint import StageState, cosine_lr, step_generator, update_average

STEPS = 10_000
CROP_STEPS = (
    8_000  # on 32 px crops first: as good per pixel, and twice as many different pictures a second
)
CROP, CROP_BATCH = 32, 16
BATCH = 8
PEAK_LR = 2e-3
KL_WEIGHT = 1e-6  # as in SDXL's VAE: keeps latents bounded, does not shape them
SAVE_EVERY = 500


def train_vae(
    pictures: np.ndarray,
    folder: Path,
    seed: int,
    report: Callable[[int, int, dict[str, float]], None],
) -> AutoencoderKL:
    """Train on uint8 pictures (N, 64, 64, 3); returns the averaged weights, latents scaled to unit
    variance.
    """
    torch.manual_seed(seed)
    vae, average = architecture.build_vae(), architecture.build_vae()
    average.load_state_dict(vae.state_dict())
    optimizer = torch.optim.AdamW(
        vae.parameters(), lr=PEAK_LR, betas=(0.9, 0.99), weight_decay=1e-4
    )
    state = StageState(folder, {"vae": vae, "average": average}, optimizer)
    while state.step < STEPS:
        generator = step_generator(seed, "vae", state.step)
        x_BCHW = draw_pixels(pictures, state.step < CROP_STEPS, generator)
        encoded: Any = vae.encode(x_BCHW)
        posterior = encoded.latent_dist
        decoded: Any = vae.decode(posterior.sample(generator=generator))
        y_BCHW = decoded.sample
        loss, mse = reconstruction_loss(y_BCHW, x_BCHW)
        loss = loss + KL_WEIGHT * posterior.kl().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = cosine_lr(state.step, STEPS, PEAK_LR)
        optimizer.step()
        update_average(average, vae, state.step, 0.998)
        state.step += 1
        if state.step % 50 == 0:
            report(state.step, STEPS, {"psnr": psnr(float(mse))})
        if state.step % SAVE_EVERY == 0:
            state.save()
    return set_scaling(average.eval(), pictures[:1000])


def draw_pixels(pictures: np.ndarray, crop: bool, generator: torch.Generator) -> Tensor:
    """Random pictures, mirrored half of the time: (8, 3, 64, 64), or crops (16, 3, 32, 32)."""
    count = CROP_BATCH if crop else BATCH
    rows = torch.randint(len(pictures), (count,), generator=generator).numpy()
    x_BCHW = to_pixels(pictures[rows])
    if crop:
        places = torch.randint(x_BCHW.shape[-1] - CROP + 1, (count, 2), generator=generator)
        cut = [
            x[:, y : y + CROP, left : left + CROP]
            for x, (y, left) in zip(x_BCHW, places.tolist(), strict=True)
        ]
        x_BCHW = torch.stack(cut)
    return x_BCHW.flip(-1) if torch.rand((), generator=generator) < 0.5 else x_BCHW


def reconstruction_loss(y_BCHW: Tensor, x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
    """Squared error, plus the squared error of local differences so that edges stay sharp; and the
    plain MSE.
    """
    mse = F.mse_loss(y_BCHW, x_BCHW)
    edges = F.mse_loss(y_BCHW.diff(dim=-1), x_BCHW.diff(dim=-1))
    edges = edges + F.mse_loss(y_BCHW.diff(dim=-2), x_BCHW.diff(dim=-2))
    return mse + 0.25 * edges, mse.detach()


@torch.no_grad()
def set_scaling(vae: AutoencoderKL, pictures: np.ndarray) -> AutoencoderKL:
    """Set `scaling_factor` to 1 / standard deviation of the latents, as Stable Diffusion does."""
    latents = encode_means(vae, pictures)
    vae.register_to_config(scaling_factor=round(1.0 / float(latents.std()), 5))
    return vae


@torch.no_grad()
def encode_means(vae: AutoencoderKL, pictures: np.ndarray, batch: int = 64) -> Tensor:
    """Posterior means (N, 4, 16, 16), unscaled."""
    means = [
        cast(Any, vae.encode(to_pixels(pictures[i : i + batch]))).latent_dist.mean
        for i in range(0, len(pictures), batch)
    ]
    return torch.cat(means)


def to_pixels(pictures: np.ndarray) -> Tensor:
    """uint8 (N, H, W, 3) to float (N, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(pictures.copy()).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


def psnr(mse: float) -> float:
    """Peak signal-to-noise ratio in dB of values in [-1, 1]."""
    import math

    return 10 * math.log10(4.0 / max(mse, 1e-12))
