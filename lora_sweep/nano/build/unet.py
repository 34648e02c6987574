"""The UNet, trained together with the first text encoder to predict noise in the VAE's latents."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModelWithProjection, CLIPTokenizer

from lora_sweep.nano.build import architecture
from lora_sweep.nano.build.checkpoint import StageState, cosine_lr, step_generator, update_average
from lora_sweep.nano.build.clip import tokenise
from lora_sweep.nano.build.corpus import Corpus
from lora_sweep.nano.build.vae import to_pixels

STEPS = 5000
BATCH = 32
PEAK_LR = 1.2e-3
ENCODER_LR = 0.2  # of the UNet's: the encoder already knows the words
GAMMA = 5.0  # min-SNR weighting (arXiv 2303.09556), for faster convergence
ZERO_TEXT = 0.08  # SDXL's force_zeros_for_empty_prompt: guidance compares with all-zero text
EMPTY_TEXT = 0.03
TRUE_SIZE = (
    0.5  # else another original size is named, so that pictures of any size can be trained on later
)
SAVE_EVERY = 250


@dataclass
class Parts:
    """The modules of a base while it is being built."""

    unet: UNet2DConditionModel
    vae: AutoencoderKL
    text_encoder: CLIPTextModelWithProjection
    text_encoder_2: CLIPTextModelWithProjection
    tokenizer: CLIPTokenizer
    tokenizer_2: CLIPTokenizer


def train_unet(
    corpus: Corpus,
    parts: Parts,
    folder: Path,
    seed: int,
    report: Callable[[int, int, dict[str, float]], None],
    on_sheet: Callable[[Parts, int], None],
) -> Parts:
    """Train on the corpus; returns parts with the averaged UNet and first encoder.

    `on_sheet` is called with the averages every 1,000 steps, to draw a sample sheet.
    """
    torch.manual_seed(seed + 2)
    unet, encoder = parts.unet, parts.text_encoder
    averages = copy.deepcopy(parts)
    optimizer = torch.optim.AdamW(
        [{"params": unet.parameters()}, {"params": encoder.parameters()}],
        lr=PEAK_LR, betas=(0.9, 0.99), weight_decay=0.01,
    )  # fmt: skip
    modules = {"unet": unet, "encoder": encoder, "unet_average": averages.unet}
    modules["encoder_average"] = averages.text_encoder
    state = StageState(folder, modules, optimizer)
    latents = encode_corpus(parts.vae, corpus)
    ids = (tokenise(parts.tokenizer, corpus.captions), tokenise(parts.tokenizer_2, corpus.captions))
    empty = tuple(tokenise(t, [[""]])[0, 0] for t in (parts.tokenizer, parts.tokenizer_2))
    geometry = torch.from_numpy(corpus.geometry)
    schedule: Any = DDPMScheduler.from_config(architecture.build_scheduler().config)
    alphas = schedule.alphas_cumprod
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    while state.step < STEPS:
        generator = step_generator(seed, "unet", state.step)
        batch = draw_batch(latents, ids, empty, geometry, generator)
        loss = noise_loss(parts, batch, alphas, generator)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        lr = cosine_lr(state.step, STEPS, PEAK_LR)
        for group, factor in zip(optimizer.param_groups, (1.0, ENCODER_LR), strict=True):
            group["lr"] = lr * factor
        optimizer.step()
        update_average(averages.unet, unet, state.step)
        update_average(averages.text_encoder, encoder, state.step)
        state.step += 1
        if state.step % 50 == 0:
            report(state.step, STEPS, {"loss": loss.item()})
        if state.step % SAVE_EVERY == 0:
            state.save()
        if state.step % 1000 == 0:
            on_sheet(averages, state.step)
    return averages


@dataclass
class Batch:
    x0_BCHW: Tensor
    ids_1_BL: Tensor
    ids_2_BL: Tensor
    keep_text_B: Tensor  # 0 where the text is zeroed for guidance
    time_ids_B6: Tensor


@torch.no_grad()
def encode_corpus(vae: AutoencoderKL, corpus: Corpus) -> Tensor:
    """Scaled latent mean and deviation (N, 8, 16, 16) in half precision."""
    rows = []
    for start in range(0, len(corpus.pictures), 64):
        encoded: Any = vae.encode(to_pixels(corpus.pictures[start : start + 64]))
        posterior = encoded.latent_dist
        both = torch.cat([posterior.mean, posterior.std], dim=1) * vae.config["scaling_factor"]
        rows.append(both.half())
    return torch.cat(rows)


def draw_batch(
    latents: Tensor,
    ids: tuple[Tensor, Tensor],
    empty: tuple[Tensor, ...],
    geometry: Tensor,
    generator: torch.Generator,
) -> Batch:
    """A random batch: latents drawn from their posteriors, one caption each, sizes and crops."""
    rows = torch.randint(len(latents), (BATCH,), generator=generator)
    which = torch.randint(ids[0].shape[1], (BATCH,), generator=generator)
    mean, std = latents[rows].float().chunk(2, dim=1)
    x0 = mean + std * torch.randn(mean.shape, generator=generator)
    blank = torch.rand((BATCH, 1), generator=generator) < EMPTY_TEXT
    ids_1 = torch.where(blank, empty[0], ids[0][rows, which])
    ids_2 = torch.where(blank, empty[1], ids[1][rows, which])
    keep = (torch.rand(BATCH, generator=generator) >= ZERO_TEXT).float()
    return Batch(x0, ids_1, ids_2, keep, draw_time_ids(geometry[rows], generator))


def draw_time_ids(geometry_B4: Tensor, generator: torch.Generator) -> Tensor:
    """SDXL's (original height, width, crop top, left, target height, width) per row."""
    count = len(geometry_B4)
    original, crop = geometry_B4[:, :2].float(), geometry_B4[:, 2:].float()
    other = 64 * torch.exp2(torch.rand(count, 1, generator=generator) * 4.6)
    aspect = torch.exp2(torch.rand(count, 1, generator=generator) - 0.5)
    named = torch.cat([other * aspect, other / aspect], dim=1).round()
    uncropped = (original == 64).all(dim=1)
    renamed = uncropped & (torch.rand(count, generator=generator) >= TRUE_SIZE)
    original = torch.where(renamed[:, None], named, original)
    return torch.cat([original, crop, torch.full((count, 2), 64.0)], dim=1)


def noise_loss(parts: Parts, batch: Batch, alphas: Tensor, generator: torch.Generator) -> Tensor:
    """Min-SNR weighted noise prediction error (arXiv 2303.09556, section 3.4)."""
    prompt_BLD, pooled_BD = encode_ids(parts, batch.ids_1_BL, batch.ids_2_BL)
    keep = batch.keep_text_B
    t_B = torch.randint(len(alphas), (len(keep),), generator=generator)
    noise = torch.randn(batch.x0_BCHW.shape, generator=generator)
    alpha = alphas[t_B].view(-1, 1, 1, 1)
    x_t = alpha.sqrt() * batch.x0_BCHW + (1 - alpha).sqrt() * noise
    condition = {"text_embeds": pooled_BD * keep[:, None], "time_ids": batch.time_ids_B6}
    predicted = parts.unet(
        x_t, t_B, prompt_BLD * keep[:, None, None], added_cond_kwargs=condition
    ).sample
    snr = alpha.flatten() / (1 - alpha.flatten())
    weight = snr.clamp(max=GAMMA) / snr
    return (weight * (predicted - noise).square().mean(dim=(1, 2, 3))).mean()


def encode_ids(parts: Parts, ids_1_BL: Tensor, ids_2_BL: Tensor) -> tuple[Tensor, Tensor]:
    """Penultimate states of both encoders (B, L, D1 + D2) and the pooled vector (B, P); the second
    is frozen.
    """
    states_1 = parts.text_encoder(ids_1_BL, output_hidden_states=True).hidden_states[-2]
    with torch.no_grad():
        second = parts.text_encoder_2(ids_2_BL, output_hidden_states=True)
    return torch.cat([states_1, second.hidden_states[-2]], dim=-1), second.text_embeds
