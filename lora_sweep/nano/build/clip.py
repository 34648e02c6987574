"""Contrastive learning of the text encoders: a small CLIP, and the first encoder against the same
image tower.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPModel, CLIPTextModelWithProjection, CLIPTokenizer

from lora_sweep.nano.build import architecture
from lora_sweep.nano.build.checkpoint import StageState, cosine_lr, step_generator
from lora_sweep.nano.build.corpus import Corpus
from lora_sweep.nano.build.vae import to_pixels

STEPS = 3000
BATCH = 64
PEAK_LR = 1e-3
SAVE_EVERY = 250
# OpenAI CLIP's statistics: its image processor is what any user of the folder applies.
MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(1, 3, 1, 1)
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(1, 3, 1, 1)


def train_clip(
    corpus: Corpus,
    tokenizer: CLIPTokenizer,
    folder: Path,
    seed: int,
    report: Callable[[int, int, dict[str, float]], None],
) -> tuple[CLIPModel, CLIPTextModelWithProjection]:
    """Train CLIP and the first text encoder together on picture-caption pairs (arXiv 2103.00020,
    figure 3).
    """
    torch.manual_seed(seed + 1)
    clip = architecture.build_clip(tokenizer)
    encoder_1 = architecture.build_text_encoder(tokenizer)
    both = nn.ModuleList([clip, encoder_1])
    optimizer = torch.optim.AdamW(
        both.parameters(), lr=PEAK_LR, betas=(0.9, 0.98), weight_decay=0.05
    )
    state = StageState(folder, {"clip": clip, "encoder_1": encoder_1}, optimizer)
    ids_NK77 = tokenise(tokenizer, corpus.captions)
    while state.step < STEPS:
        generator = step_generator(seed, "clip", state.step)
        rows = torch.randint(len(ids_NK77), (BATCH,), generator=generator)
        which = torch.randint(ids_NK77.shape[1], (BATCH,), generator=generator)
        pixels_BCHW = jitter(clip_pixels(to_pixels(corpus.pictures[rows.numpy()])), generator)
        ids_B77 = trim(ids_NK77[rows, which])
        image_BD = embed_images(clip, pixels_BCHW)
        scale = clip.logit_scale.exp().clamp(max=100.0)
        text_BD, text_1_BD = embed_texts(clip, ids_B77), encoder_1(ids_B77).text_embeds
        loss = contrastive_loss(scale * image_BD @ F.normalize(text_BD, dim=-1).T)
        loss_1 = contrastive_loss(scale * image_BD @ F.normalize(text_1_BD, dim=-1).T)
        optimizer.zero_grad(set_to_none=True)
        (loss + loss_1).backward()
        torch.nn.utils.clip_grad_norm_(both.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = cosine_lr(state.step, STEPS, PEAK_LR)
        optimizer.step()
        state.step += 1
        if state.step % 50 == 0:
            report(state.step, STEPS, {"loss": loss.item(), "loss_1": loss_1.item()})
        if state.step % SAVE_EVERY == 0:
            state.save()
    return clip.eval(), encoder_1.eval()


def contrastive_loss(logits_BB: Tensor) -> Tensor:
    """Symmetric cross-entropy of matching pairs on the diagonal."""
    target = torch.arange(len(logits_BB))
    return (F.cross_entropy(logits_BB, target) + F.cross_entropy(logits_BB.T, target)) / 2


def embed_images(clip: CLIPModel, pixels_BCHW: Tensor) -> Tensor:
    """Unit picture embeddings (B, D) of pixels normalised by CLIP's mean and deviation."""
    pooled = clip.vision_model(pixel_values=pixels_BCHW).pooler_output
    return F.normalize(clip.visual_projection(pooled), dim=-1)


def embed_texts(clip: CLIPModel, ids_BL: Tensor) -> Tensor:
    """Text embeddings (B, D), not normalised."""
    pooled = clip.text_model(input_ids=ids_BL).pooler_output
    return clip.text_projection(pooled)


def clip_pixels(pixels_BCHW: Tensor) -> Tensor:
    """Pixels in [-1, 1] to CLIP's normalisation."""
    return ((pixels_BCHW + 1) / 2 - MEAN) / STD


def jitter(pixels_BCHW: Tensor, generator: torch.Generator) -> Tensor:
    """Shift the batch by a few pixels and change its brightness a little, against memorising."""
    dy, dx = (int(torch.randint(-3, 4, (), generator=generator)) for _ in range(2))
    padded = F.pad(pixels_BCHW, (3, 3, 3, 3), mode="replicate")
    size = pixels_BCHW.shape[-1]
    shifted = padded[:, :, 3 + dy : 3 + dy + size, 3 + dx : 3 + dx + size]
    gain = 1 + 0.1 * (torch.rand((len(shifted), 1, 1, 1), generator=generator) - 0.5)
    return shifted * gain


def tokenise(tokenizer: CLIPTokenizer, captions: list[list[str]]) -> Tensor:
    """Ids (N, K, 77) of K captions each."""
    flat = [text for texts in captions for text in texts]
    encoded: Any = tokenizer(
        flat, padding="max_length", truncation=True, max_length=77, return_tensors="pt"
    )
    return encoded.input_ids.view(len(captions), -1, 77)


def trim(ids_BL: Tensor) -> Tensor:
    """Drop positions after the last text's end: causal attention makes them irrelevant to the
    pooled state.
    """
    ends = ids_BL.argmax(dim=-1)
    return ids_BL[:, : int(ends.max()) + 1]
