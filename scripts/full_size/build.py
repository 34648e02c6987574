"""SDXL's exact architecture with random weights in bf16, on disk: 7 GB, built once."""

from __future__ import annotations

import gc
import hashlib
import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from full_size.original_names import original_state
from lora_sweep.data.clip_words import END, START, merges_file, vocabulary
from lora_sweep.model.clip_tokenizer import PADDING
from lora_sweep.model.folder_files import SDXL_FOLDER

NUMBERS = {
    "unet": 2_567_463_684,
    "text_encoder": 123_060_480,
    "text_encoder_2": 694_659_840,
    "vae": 83_653_863,
}
"""Parameters of the published parts."""

TOKENIZER_FILES = {
    "tokenizer/merges.txt": "9fd691f7c8039210e0fced15865466c65820d09b63988b0174bfe25de299051a",
    "tokenizer/vocab.json": "e089ad92ba36837a0d31433e555c8f45fe601ab5c221d4f607ded32d9f7a4349",
}
"""SHA-256 of SDXL base 1.0's own files; tokenizer_2 has the same two."""

SPREAD = 0.6  # of a weight, times 1 / sqrt(its inputs): activations neither grow nor vanish


def build_base(folder: Path) -> Path:
    """The base in diffusers' layout, with a second VAE beside it that is said not to overflow in
    fp16; nothing is done where it is there already.
    """
    base = folder / "base"
    if (folder / "done").is_file():
        return base
    shutil.rmtree(base, ignore_errors=True)
    shutil.copytree(SDXL_FOLDER, base, ignore=shutil.ignore_patterns("merges*", "NOTICE*"))
    for index, part in enumerate(NUMBERS):
        stem = "model" if part.startswith("text") else "diffusion_pytorch_model"
        model = _empty(part)
        numbers = sum(parameter.numel() for parameter in model.parameters())
        if numbers != NUMBERS[part]:
            raise AssertionError(f"{part} has {numbers:,} parameters, SDXL's has {NUMBERS[part]:,}")
        save_file(_random(model, seed=index), base / part / f"{stem}.safetensors", _PT)
    _write_tokenizers(base)
    _write_fixed_vae(base / "vae", folder / "vae_fix")
    (folder / "done").touch()
    return base


_PT = {"format": "pt"}


def _empty(part: str) -> torch.nn.Module:
    config: Any = json.loads((SDXL_FOLDER / part / "config.json").read_text())
    kinds: dict[str, Any] = {
        "text_encoder": CLIPTextModel,
        "text_encoder_2": CLIPTextModelWithProjection,
    }
    with torch.device("meta"):
        if part == "unet":
            return UNet2DConditionModel.from_config(config)  # type: ignore[return-value]
        if part == "vae":
            return AutoencoderKL.from_config(config)  # type: ignore[return-value]
        return kinds[part](CLIPTextConfig.from_pretrained(SDXL_FOLDER / part))


def _random(model: torch.nn.Module, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    state: dict[str, Tensor] = {}
    for name, shape in [(name, p.shape) for name, p in model.named_parameters()]:
        if len(shape) == 1:  # norms and biases
            fill = 1.0 if name.endswith("weight") else 0.0
            state[name] = torch.full(shape, fill, dtype=torch.bfloat16)
            continue
        inputs = math.prod(shape[1:])
        bound = SPREAD * math.sqrt(3 / inputs)
        values = torch.empty(shape, dtype=torch.bfloat16)
        state[name] = values.uniform_(-bound, bound, generator=generator)
    return state


def _write_tokenizers(base: Path) -> None:
    texts = json.dumps(vocabulary(), sort_keys=True, indent=2, ensure_ascii=False) + "\n"
    for part, padding in zip(("tokenizer", "tokenizer_2"), PADDING, strict=True):
        folder = base / part
        folder.mkdir()
        (folder / "merges.txt").write_bytes(merges_file())
        (folder / "vocab.json").write_text(texts, encoding="utf-8")
        config = {
            "tokenizer_class": "CLIPTokenizer",
            "model_max_length": 77,
            "bos_token": START,
            "eos_token": END,
            "unk_token": END,
            "pad_token": padding,
        }
        (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    for name, expected in TOKENIZER_FILES.items():
        for file in (base / name, base / name.replace("tokenizer/", "tokenizer_2/")):
            found = hashlib.sha256(file.read_bytes()).hexdigest()
            if found != expected:
                raise AssertionError(f"{file} has SHA-256 {found}, SDXL's has {expected}")


def _write_fixed_vae(vae: Path, fixed: Path) -> None:
    """In fp32, as the published one is."""
    shutil.rmtree(fixed, ignore_errors=True)
    shutil.copytree(vae, fixed)
    (file,) = fixed.glob("*.safetensors")
    save_file({name: value.float() for name, value in load_file(file).items()}, file, _PT)
    config = json.loads((fixed / "config.json").read_text())
    (fixed / "config.json").write_text(json.dumps({**config, "force_upcast": False}, indent=2))


def build_single_file(base: Path, path: Path) -> None:
    """The same base as one checkpoint in Stability AI's names; another 7 GB."""
    if path.is_file():
        return
    parts: dict[str, torch.nn.Module] = {}
    for part in NUMBERS:
        model = _empty(part)
        (file,) = (base / part).glob("*.safetensors")
        model.load_state_dict(_mapped(load_file(file), model), assign=True, strict=False)
        parts[part] = model
    state = original_state(
        parts["unet"], parts["vae"], parts["text_encoder"], parts["text_encoder_2"]
    )
    partial = path.with_suffix(".partial")
    save_file(state, partial, _PT)
    partial.rename(path)
    del parts, state
    gc.collect()


def _mapped(state: Mapping[str, Tensor], model: torch.nn.Module) -> dict[str, Tensor]:
    own = {name for name, _ in model.named_parameters()}
    return {name: value for name, value in state.items() if name in own}
