"""What the finished base can do, in the numbers that its card states."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from PIL import Image
from transformers import CLIPModel, CLIPTokenizer

from lora_sweep.nano.build.clip import clip_pixels, embed_images, embed_texts, tokenise
from lora_sweep.nano.build.corpus import SIZE, Corpus
from lora_sweep.nano.build.sheet import sample
from lora_sweep.nano.build.vae import psnr, to_pixels
from lora_sweep.nano.world import Scene, heldout_emoji, measure_emoji

EMOJI_PROMPTS = 200
CHOICES = 32
SEED = 1


@dataclass(frozen=True)
class Measures:
    """Shares are in [0, 1]; PSNR in dB, of the mean squared error over all pictures."""

    vae_psnr_world: float
    vae_psnr_noto: float
    background_right: float
    body_right: float
    retrieval_top1: float


FLOORS = Measures(27.0, 22.0, 0.95, 0.90, 0.80)
"""What the base must reach to be shipped."""


def measure_base(base: Path, heldout: Corpus, noto: Sequence[Path]) -> Measures:
    """Measure a base folder on pictures and prompts that it was not trained on."""
    vae = AutoencoderKL.from_pretrained(base / "vae")
    assert isinstance(vae, AutoencoderKL)
    background, body = emoji_accuracy(base)
    return Measures(
        vae_psnr_world=vae_psnr(vae, heldout.pictures),
        vae_psnr_noto=vae_psnr(vae, load_pictures(noto)),
        background_right=background,
        body_right=body,
        retrieval_top1=retrieval_top1(base, heldout),
    )


@torch.no_grad()
def vae_psnr(vae: AutoencoderKL, pictures: np.ndarray) -> float:
    """PSNR in dB of decoding the posterior means of uint8 pictures (N, 64, 64, 3)."""
    vae.eval()
    total = 0.0
    for start in range(0, len(pictures), 50):
        x = to_pixels(pictures[start : start + 50])
        encoded: Any = vae.encode(x)
        decoded: Any = vae.decode(encoded.latent_dist.mean)
        y = decoded.sample.clamp(-1, 1)
        total += float((y - x).square().mean(dim=(1, 2, 3)).sum())
    return psnr(total / len(pictures))


AFTER_THE_NOUN = {"in love": " in love", "tongue out": " with its tongue out"}


def emoji_prompt(scene: Scene) -> str:
    """A prompt that names everything measured: body and background colour, mood and hat."""
    a = scene.attributes
    after = AFTER_THE_NOUN.get(a["mood"], "")
    character = f"{a['body']} emoji{after}" if after else f"{a['mood']} {a['body']} emoji"
    hat = "" if a["hat"] == "none" else f" wearing {_article(a['hat'])}"
    return f"{_article(character)}{hat} on {_article(a['background'])} background"


def _article(noun: str) -> str:
    if noun in {"horns", "headphones"}:
        return noun
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def emoji_accuracy(base: Path, count: int = EMOJI_PROMPTS) -> tuple[float, float]:
    """Shares of samples whose background and body colour are the prompt's, over held-out
    combinations.
    """
    scenes = heldout_emoji(count, SEED)
    prompts = [emoji_prompt(scene) for scene in scenes]
    pictures = sample(base, prompts, seed=SEED)
    found = [measure_emoji(picture) for picture in pictures]
    wanted = [(s.attributes["background"], s.attributes["body"]) for s in scenes]
    background = np.mean([f[0] == w[0] for f, w in zip(found, wanted, strict=True)])
    body = np.mean([f[1] == w[1] for f, w in zip(found, wanted, strict=True)])
    return float(background), float(body)


@torch.no_grad()
def retrieval_top1(base: Path, heldout: Corpus) -> float:
    """Share of pictures whose own caption is the nearest of 32, by the packaged CLIP."""
    clip = CLIPModel.from_pretrained(str(base / "clip")).eval()
    tokenizer = CLIPTokenizer.from_pretrained(str(base / "clip"))
    right = rounds = 0
    for start in range(0, len(heldout.pictures) - CHOICES + 1, CHOICES):
        rows = slice(start, start + CHOICES)
        images = embed_images(clip, clip_pixels(to_pixels(heldout.pictures[rows])))
        ids = tokenise(tokenizer, [texts[:1] for texts in heldout.captions[rows]])[:, 0]
        texts = torch.nn.functional.normalize(embed_texts(clip, ids), dim=-1)
        right += int(((images @ texts.T).argmax(dim=1) == torch.arange(CHOICES)).sum())
        rounds += CHOICES
    return right / rounds


def load_pictures(paths: Sequence[Path]) -> np.ndarray:
    """Pictures scaled to 64 px, uint8 (N, 64, 64, 3)."""
    return np.stack(
        [
            np.asarray(
                Image.open(path).convert("RGB").resize((SIZE, SIZE), Image.Resampling.LANCZOS)
            )
            for path in paths
        ]
    )


def below_floor(measures: Measures) -> list[str]:
    """The measures that do not reach what they must."""
    return [
        f"{name} is {value:.3f}, at least {getattr(FLOORS, name)} is needed"
        for name, value in vars(measures).items()
        if value < getattr(FLOORS, name)
    ]


def read_measures(path: Path) -> Measures:
    """Measures as `write_measures` wrote them."""
    return Measures(**json.loads(path.read_text(encoding="utf-8")))


def write_measures(measures: Measures, path: Path) -> None:
    """Write the measures beside the card, for the test that keeps them true."""
    path.write_text(json.dumps(vars(measures), indent=2) + "\n", encoding="utf-8")
