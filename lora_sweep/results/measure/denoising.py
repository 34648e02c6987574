"""val_loss, fit_loss and gap: the denoising error on pictures kept back, and on pictures trained
on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from lora_sweep.draws import normal
from lora_sweep.model.base import Base
from lora_sweep.model.latents import scale_latents
from lora_sweep.model.text import TextEmbedding
from lora_sweep.randomness import Stream
from lora_sweep.training.conditioning import Conditioner
from lora_sweep.training.loss import squared_error
from lora_sweep.training.noise import add_noise, noise_of_velocity
from lora_sweep.training.prepare import Items

MEASURE_SEED = 0
"""The same noise for every trial, whatever its seed, so that trials can be compared."""


def denoising_loss(
    base: Base, items: Items, text: TextEmbedding, num_timesteps: int, batch_size: int
) -> float:
    """Mean squared error of the predicted noise over items x a fixed grid of timesteps, with fixed
    noise.

    Unweighted; in [0, inf), lower is better, about 1 for a model that knows nothing. On held-out
    pictures it is `val_loss`, on pictures trained on `fit_loss`, and their difference `gap` tells
    memorising. It cannot see whether samples look good, and differences inside the spread over
    seeds mean nothing.

    `text` has one row per item. Timesteps are the middles of `num_timesteps` equal parts of the
    schedule. Latents are the posteriors' means. The modules' train or eval mode is put back
    afterwards.
    """
    alphas_cumprod = base.alphas_cumprod()
    grid = timestep_grid(len(alphas_cumprod), num_timesteps)
    pairs = [(item, k) for item in range(len(items)) for k in range(num_timesteps)]
    total = torch.zeros((), dtype=torch.float64)
    with evaluating(base):
        for start in range(0, len(pairs), batch_size):
            batch = pairs[start : start + batch_size]
            errors_B = _errors(base, items, text, batch, grid, alphas_cumprod)
            total += errors_B.double().sum().cpu()
    return float(total / len(pairs))


def timestep_grid(count: int, num_timesteps: int) -> list[int]:
    """The middles of `num_timesteps` equal parts of 0 .. count - 1."""
    return [int((k + 0.5) * count / num_timesteps) for k in range(num_timesteps)]


@torch.no_grad()
def _errors(
    base: Base,
    items: Items,
    text: TextEmbedding,
    pairs: Sequence[tuple[int, int]],
    grid: Sequence[int],
    alphas_cumprod: Tensor,
) -> Tensor:
    rows = torch.tensor([item for item, _ in pairs], device=base.device)
    mean = items.posterior_NCHW[rows].chunk(2, dim=1)[0]
    x0 = scale_latents(base, mean)
    noise = [normal(x0.shape[1:], MEASURE_SEED, Stream.measure, i, k) for i, k in pairs]
    eps = torch.stack(noise).to(base.device)
    t = torch.tensor([grid[k] for _, k in pairs], device=base.device)
    alpha_bar = alphas_cumprod[t]
    x_t = add_noise(x0, eps, alpha_bar)
    time_ids = items.time_ids_N6[rows]
    predicted = predict_noise(base, x_t, t, alpha_bar, text.rows(rows), time_ids)
    return squared_error(predicted, eps)


@torch.no_grad()
def predict_noise(
    base: Base,
    x_t_BCHW: Tensor,
    t_B: Tensor,
    alpha_bar_B: Tensor,
    text: TextEmbedding,
    time_ids_B6: Tensor,
) -> Tensor:
    """The noise that the live UNet sees in x_t, fp32 (B, C, h, w), also where it predicts velocity;
    `text` has one row per row of x_t.
    """
    condition = {"text_embeds": text.pooled_BP.to(base.dtype), "time_ids": time_ids_B6}
    with base.autocast():
        prediction = base.unet(
            x_t_BCHW.to(base.dtype),
            t_B,
            text.prompt_BLD.to(base.dtype),
            added_cond_kwargs=condition,
        ).sample.float()
    if base.prediction_type == "v_prediction":
        return noise_of_velocity(prediction, x_t_BCHW, alpha_bar_B)
    return prediction


@torch.no_grad()
def measure_losses(
    base: Base,
    train_items: Items,
    heldout_items: Items | None,
    replacements: Mapping[str, str],
    num_timesteps: int,
    batch_size: int,
) -> dict[str, float]:
    """`fit_loss`, and with held-out pictures `val_loss` and `gap` = val_loss - fit_loss."""
    scores = {}
    for name, items in (("val_loss", heldout_items), ("fit_loss", train_items)):
        if items is not None:
            conditioner = Conditioner(base, items.captions, replacements)
            with evaluating(base):
                conditioner.fix()
            text = conditioner(range(len(items)))
            scores[name] = denoising_loss(base, items, text, num_timesteps, batch_size)
    if "val_loss" in scores:
        scores["gap"] = scores["val_loss"] - scores["fit_loss"]
    return scores


@contextmanager
def evaluating(base: Base) -> Iterator[None]:
    """Without dropout: neither the UNet's nor that of text encoders in training."""
    modules = (base.unet, *base.text_encoders)
    were_training = [module.training for module in modules]
    for module in modules:
        module.eval()
    try:
        yield
    finally:
        for module, training in zip(modules, were_training, strict=True):
            module.train(training)
