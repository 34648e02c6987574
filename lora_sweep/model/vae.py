"""A VAE that takes the place of the base's own: a folder, a hub name, or one file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from diffusers import AutoencoderKL

from lora_sweep.errors import ModelError
from lora_sweep.model.checkpoint_file import VAE, read_header
from lora_sweep.model.folder_files import SDXL_FOLDER
from lora_sweep.model.hub import hub_folder, is_hub_name

FILES = ("config.json", "diffusion_pytorch_model.safetensors")


def load_vae(place: str, dtype: torch.dtype) -> AutoencoderKL:
    """The VAE at a place: its newest version, since model.revision is of another repository.

    Raises ModelError, OSError, ValueError.
    """
    path = Path(place)
    if path.is_file():
        return _single_file(path, dtype)
    if not path.is_dir():
        if not is_hub_name(place):
            raise ModelError("there is no such file or folder")
        path = hub_folder(place, None, _wanted, _missing, setting="model.vae")
    if lacking := _missing(file.name for file in path.iterdir()):
        raise ModelError(f"it lacks {' and '.join(lacking)}")
    return AutoencoderKL.from_pretrained(
        str(path), dtype=dtype, use_safetensors=True, local_files_only=True
    )


def _single_file(path: Path, dtype: torch.dtype) -> AutoencoderKL:
    header = read_header(path)
    if not header.has("encoder.conv_in.") and not header.has(VAE):
        raise ModelError("it holds no VAE in Stability AI's names")
    return AutoencoderKL.from_single_file(
        str(path), config=str(SDXL_FOLDER), subfolder="vae", dtype=dtype, local_files_only=True
    )


def _wanted(names: Iterable[str]) -> list[str]:
    return [name for name in names if name in FILES]


def _missing(names: Iterable[str]) -> list[str]:
    there = set(names)
    return [name for name in FILES if name not in there]
