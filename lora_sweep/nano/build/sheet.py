"""A sheet of samples from the base, for looking at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionXLPipeline
from PIL import Image, ImageDraw

PROMPTS = (
    "a happy yellow emoji wearing a top hat on a blue background",
    "an angry red emoji with horns on a black background",
    "a sleepy green cat emoji holding a book on a white background",
    "a laughing pink emoji wearing a crown on a purple background",
    "a yellow emoji with open hands on a white background, soft shading",
    "a cool blue bear emoji on an orange background",
    "a red circle above a blue square on a white background",
    "a portrait of a woman with long red hair and round glasses, wearing a blue shirt, "
    "on a grey background",
    "a photo of a smiling man with short black hair and a beard in a green sweater, at the beach",
    "a web page about cats with a blue header, a left sidebar and three columns",
    "a retro web page about music with a black header and a tiled background",
    "a neon green star on a black background",
)


def sample(
    base: Path, prompts: Sequence[str], seed: int, steps: int = 25, guidance: float = 5.0
) -> np.ndarray:
    """Pictures uint8 (N, 64, 64, 3) of the prompts, one seed each, by diffusers' own pipeline."""
    pipeline = StableDiffusionXLPipeline.from_pretrained(base)
    pipeline.set_progress_bar_config(disable=True)
    pictures: list[np.ndarray] = []
    for start in range(0, len(prompts), 20):
        part = list(prompts[start : start + 20])
        generators = [
            torch.Generator().manual_seed(seed + start + offset) for offset in range(len(part))
        ]
        result: Any = pipeline(
            part, num_inference_steps=steps, guidance_scale=guidance, generator=generators,
            output_type="np",
        )  # fmt: skip
        pictures.append((result.images * 255).round().astype(np.uint8))
    return np.concatenate(pictures)


def draw_sheet(
    base: Path, path: Path, prompts: Sequence[str] = PROMPTS, columns: int = 4, scale: int = 3
) -> None:
    """Write a PNG with one picture and its prompt per cell."""
    pictures = sample(base, prompts, seed=0)
    cell, text_height = 64 * scale, 44
    rows = -(-len(prompts) // columns)
    sheet = Image.new("RGB", (columns * cell, rows * (cell + text_height)), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (picture, prompt) in enumerate(zip(pictures, prompts, strict=True)):
        x, y = index % columns * cell, index // columns * (cell + text_height)
        large = Image.fromarray(picture).resize((cell, cell), Image.Resampling.LANCZOS)
        sheet.paste(large, (x, y))
        draw.multiline_text((x + 3, y + cell + 1), _wrap(prompt, cell // 6), fill="black")
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def _wrap(text: str, width: int) -> str:
    from textwrap import wrap

    return "\n".join(wrap(text, width)[:3])
