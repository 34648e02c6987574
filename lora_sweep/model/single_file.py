"""A checkpoint in one .safetensors file, in Stability AI's names, as A1111 and ComfyUI use them.

Everything that is not in it, sizes and tokenizers, comes with the package: nothing is fetched.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, cast

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import create_diffusers_clip_model_from_ldm
from safetensors import safe_open
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from lora_sweep.errors import ModelError
from lora_sweep.model.checkpoint_file import (
    TEXT,
    TEXT_2,
    UNET,
    VAE,
    check_is_sdxl,
    looks_like_v_prediction,
    read_header,
    stated_prediction,
    states_zero_snr,
)
from lora_sweep.model.clip_tokenizer import sdxl_tokenizers
from lora_sweep.model.folder_files import SDXL_FOLDER
from lora_sweep.model.parts import Parts

_log = logging.getLogger(__name__)


def load_single_file(
    path: Path,
    dtype: torch.dtype,
    vae: AutoencoderKL | torch.dtype,
    configs: Path = SDXL_FOLDER,
) -> Parts:
    """The parts of a checkpoint; `vae` is one that is loaded already, or the precision of the
    file's own.

    configs: a folder with the configs of all parts, in diffusers' layout. Raises ModelError, saying
    what the file is, where it is no SDXL checkpoint; OSError, ValueError where it is none at all.
    """
    header = read_header(path)
    unet_config = json.loads((configs / "unet" / "config.json").read_text(encoding="utf-8"))
    own_vae = isinstance(vae, torch.dtype)
    check_is_sdxl(header, unet_config, needs_vae=own_vae)
    prediction = stated_prediction(header)
    if prediction is None and looks_like_v_prediction(path):
        _log.warning(
            "%s: its name speaks of v-prediction, but the file does not say so and is taken for "
            "epsilon; if it is one: model.prediction=v_prediction",
            path.name,
        )
    scheduler = json.loads((configs / "scheduler" / "scheduler_config.json").read_text())
    scheduler |= {
        "prediction_type": prediction or "epsilon",
        "rescale_betas_zero_snr": states_zero_snr(header),
    }
    with safe_open(path, framework="pt") as file:
        reader = _Reader(file, list(header.shapes))
        unet = _model(UNet2DConditionModel, "unet", reader.under(UNET), configs, dtype)
        if isinstance(vae, torch.dtype):
            vae = cast(AutoencoderKL, _model(AutoencoderKL, "vae", reader.under(VAE), configs, vae))
        text = _encoder(CLIPTextModel, "text_encoder", reader.under(TEXT), configs, dtype)
        text_2 = _encoder(
            CLIPTextModelWithProjection, "text_encoder_2", reader.under(TEXT_2), configs, dtype
        )
    tokenizer, tokenizer_2 = sdxl_tokenizers()
    return Parts(
        unet=cast(UNet2DConditionModel, unet),
        vae=vae,
        text_encoder=cast(CLIPTextModel, text),
        text_encoder_2=cast(CLIPTextModelWithProjection, text_2),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer_2,
        scheduler_config=scheduler,
    )


class _Reader:
    """Reads the tensors of one part at a time, so that the file is never in memory whole."""

    def __init__(self, file: Any, names: list[str]) -> None:
        self._file = file
        self._names = names

    def under(self, prefix: str) -> dict[str, Tensor]:
        """The part's tensors by their whole names."""
        return {n: self._file.get_tensor(n) for n in self._names if n.startswith(prefix)}


def _model(
    kind: Any, part: str, tensors: dict[str, Tensor], configs: Path, dtype: torch.dtype
) -> torch.nn.Module:
    try:
        model = kind.from_single_file(
            tensors, config=str(configs), subfolder=part, dtype=dtype, local_files_only=True
        )
    except NotImplementedError as error:  # torch's, of a weight that has no value
        raise ModelError(
            f"some weights of its {part} are missing: it was cut down or made smaller, as SSD-1B is"
        ) from error
    return _in_own_memory(model)


def _encoder(
    kind: Any, part: str, tensors: dict[str, Tensor], configs: Path, dtype: torch.dtype
) -> torch.nn.Module:
    model = create_diffusers_clip_model_from_ldm(
        kind, tensors, subfolder=part, config=str(configs), torch_dtype=dtype, local_files_only=True
    )
    if any(value.is_meta for value in model.state_dict().values()):
        raise ModelError(f"some weights of its {part} are missing")
    return _in_own_memory(model.to(dtype))


def _in_own_memory(model: torch.nn.Module) -> torch.nn.Module:
    """The model with weights that are no part of the mapped file: kernels round by where a weight
    lies, and the file may change while it is in use.
    """
    for parameter in model.parameters():
        parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)
    return model
