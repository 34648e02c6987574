"""The order in which the embedded base is built; every stage goes on where a killed one stopped."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file
from transformers import CLIPModel, CLIPTextModelWithProjection, CLIPTokenizer

from lora_sweep.nano.build import architecture
from lora_sweep.nano.build.clip import train_clip
from lora_sweep.nano.build.corpus import Corpus, all_captions, draw_corpus, smooth_fields
from lora_sweep.nano.build.export import export_base
from lora_sweep.nano.build.sheet import draw_sheet
from lora_sweep.nano.build.tokenizer import build_tokenizers
from lora_sweep.nano.build.unet import Parts, train_unet
from lora_sweep.nano.build.vae import train_vae

PICTURES = 24_000
HELDOUT = 1_000
SMOOTH_FIELDS = 4_000
SEED = 0

log = logging.getLogger(__name__)


def build(work: Path) -> Path:
    """Build everything in `work`; returns the finished base folder."""
    corpus = draw_corpus(work / "corpus", PICTURES, SEED, "train")
    log.info("corpus: %d pictures", len(corpus.pictures))
    if not (work / "base" / "tokenizer_2").exists():
        build_tokenizers(all_captions([corpus]), work / "base")
    _side_by_side(work, ("vae", "clip"))
    run_stage("unet", work)
    return work / "base"


def _side_by_side(work: Path, stages: tuple[str, ...]) -> None:
    """Run stages that need nothing of each other as processes of one thread each."""
    unfinished = [stage for stage in stages if not (work / f"{stage}.done").exists()]
    command = [sys.executable, "-m", "lora_sweep.nano.build.pipeline"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    jobs = [subprocess.Popen([*command, s, str(work)], env=environment) for s in unfinished]
    for stage, job in zip(unfinished, jobs, strict=True):
        if job.wait() != 0:
            raise RuntimeError(f"stage {stage} ended with status {job.returncode}")


def run_stage(stage: str, work: Path) -> None:
    """Run one of "vae", "clip", "unet" to its end."""
    done = work / f"{stage}.done"
    if done.exists():
        return
    corpus = draw_corpus(work / "corpus", PICTURES, SEED, "train")
    start = time.monotonic()
    match stage:
        case "vae":
            fields = smooth_fields(SMOOTH_FIELDS, SEED)
            pictures = np.concatenate([corpus.pictures, fields])
            vae = train_vae(pictures, work / "vae", SEED, _reporter("vae"))
            vae.save_pretrained(work / "vae" / "final")
        case "clip":
            tokenizer = _tokenizer(work, "tokenizer")
            clip, encoder = train_clip(corpus, tokenizer, work / "clip", SEED, _reporter("clip"))
            clip.save_pretrained(work / "clip" / "final")
            save_file(encoder.state_dict(), work / "clip" / "encoder_1.safetensors")
        case "unet":
            _run_unet(work, corpus)
        case _:
            raise ValueError(f"stage is {stage!r}; allowed: vae, clip, unet")
    done.write_text(f"{time.monotonic() - start:.0f} s in the last run\n")


def _run_unet(work: Path, corpus: Corpus) -> None:
    parts = load_parts(work)

    def on_sheet(averages: Parts, step: int) -> None:
        export_base(averages, _clip(work), work / "base")
        draw_sheet(work / "base", work / "sheets" / f"step-{step:06d}.png")

    averages = train_unet(corpus, parts, work / "unet", SEED, _reporter("unet"), on_sheet)
    export_base(averages, _clip(work), work / "base")


def load_parts(work: Path) -> Parts:
    """The modules as they stand before the UNet is trained."""
    tokenizer, tokenizer_2 = _tokenizer(work, "tokenizer"), _tokenizer(work, "tokenizer_2")
    encoder = architecture.build_text_encoder(tokenizer)
    encoder.load_state_dict(load_file(work / "clip" / "encoder_1.safetensors"))
    vae = AutoencoderKL.from_pretrained(work / "vae" / "final")
    assert isinstance(vae, AutoencoderKL)
    encoder_2: CLIPTextModelWithProjection = architecture.text_tower(_clip(work))
    torch.manual_seed(SEED + 3)
    return Parts(
        unet=architecture.build_unet(),
        vae=vae.eval().requires_grad_(False),
        text_encoder=encoder,
        text_encoder_2=encoder_2.eval().requires_grad_(False),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer_2,
    )


def _tokenizer(work: Path, name: str) -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(str(work / "base" / name))


def _clip(work: Path) -> CLIPModel:
    return CLIPModel.from_pretrained(str(work / "clip" / "final")).eval()


def _reporter(stage: str) -> Callable[[int, int, dict[str, float]], None]:
    start, first = time.monotonic(), [-1]

    def report(step: int, steps: int, values: dict[str, float]) -> None:
        if first[0] < 0:
            first[0] = step - 50
        pace = (time.monotonic() - start) / max(1, step - first[0])
        shown = "  ".join(f"{name} {value:.4f}" for name, value in values.items())
        log.info(
            "%s %d/%d  %s  %.3f s/step, %.0f min left",
            stage, step, steps, shown, pace, (steps - step) * pace / 60,
        )  # fmt: skip

    return report


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    run_stage(sys.argv[1], Path(sys.argv[2]))
