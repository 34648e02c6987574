"""A trained adapter as the files that diffusers, ComfyUI and A1111 load.

The files hold no date and no machine, and their bytes depend on nothing but their content, so that
equal adapters are equal files.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from lora_sweep.errors import StoreError
from lora_sweep.files import atomic_path, atomic_write
from lora_sweep.results import kohya
from lora_sweep.results.store import TrialFolder

if TYPE_CHECKING:
    import torch
    from torch import Tensor

State = Mapping[str, "Tensor"]
EncoderPart = Literal["text_encoder", "text_encoder_2"]

ADAPTER_METADATA = "lora_adapter_metadata"  # diffusers' LORA_ADAPTER_METADATA_KEY
PEFT_KEY = re.compile(
    r"(?:base_model\.model\.)?(?P<module>.+?)\."
    r"(?P<part>lora_A\.weight|lora_B\.weight|lora_magnitude_vector(?:\.weight)?)"
)
# Text encoders are loaded by transformers, which from version 5 finds the magnitude only under the
# parameter's full name; the UNet by PEFT, whose own files leave out the ending.
DORA_KEY = {
    "unet": "lora_magnitude_vector",
    "text_encoder": "lora_magnitude_vector.weight",
    "text_encoder_2": "lora_magnitude_vector.weight",
}
KOHYA_PREFIX = {"unet": "lora_unet_", "text_encoder": "lora_te1_", "text_encoder_2": "lora_te2_"}


@dataclass(frozen=True)
class Adapter:
    """A LoRA in PEFT's words: the state dicts of peft.get_peft_model_state_dict, and its config.

    lora_A is (rank, in), lora_B is (out, rank); DoRA's lora_magnitude_vector is (out,).
    """

    unet: State
    rank: int
    alpha: float
    use_rslora: bool = False
    text_encoder: State | None = None
    text_encoder_2: State | None = None

    @property
    def kohya_alpha(self) -> float:
        """The alpha whose scale alpha/rank is this adapter's; rsLoRA's is alpha/sqrt(rank)."""
        return self.alpha * math.sqrt(self.rank) if self.use_rslora else self.alpha

    @property
    def parts(self) -> dict[str, State]:
        """State dicts by the name that diffusers gives the model they belong to."""
        parts = {
            "unet": self.unet,
            "text_encoder": self.text_encoder,
            "text_encoder_2": self.text_encoder_2,
        }
        return {name: state for name, state in parts.items() if state}


@dataclass(frozen=True)
class About:
    """What the exported files say of their training: things decided before it starts."""

    title: str
    base_model: str
    resolution: int  # pixels
    steps: int  # optimizer steps
    trigger: str = ""  # what to write in a prompt
    trial_id: str = ""
    optimizer: str = ""
    learning_rate: float | None = None
    seed: int | None = None
    num_train_images: int | None = None
    clip_skip: int = 0
    v_prediction: bool = False


class Embeddings(NamedTuple):
    """Rows of the new tokens in order: clip_l (tokens, 768), clip_g (tokens, 1280) for SDXL."""

    clip_l: Tensor
    clip_g: Tensor


class _Pair(NamedTuple):
    down: Tensor
    up: Tensor
    magnitude: Tensor | None


def export_adapter(
    folder: TrialFolder, name: str, adapter: Adapter, about: About, *, sdxl_layout: bool
) -> list[Path]:
    """Write the diffusers file and the kohya file; returns their paths.

    sdxl_layout: kohya.has_sdxl_layout of the UNet's config. Raises StoreError when a file cannot be
    written, ValueError for a state dict that is not a LoRA of the stated rank.
    """
    path = folder.kohya_weights(name)
    tensors, metadata = to_diffusers(adapter)
    write_safetensors(folder.diffusers_weights, tensors, metadata)
    tensors = to_kohya(adapter, sdxl_layout=sdxl_layout)
    write_safetensors(path, tensors, kohya_metadata(adapter, about))
    return [folder.diffusers_weights, path]


def export_embeddings(folder: TrialFolder, name: str, embeddings: Embeddings) -> Path:
    """Write the new tokens' rows in fp32, by the names that ComfyUI and A1111 read."""
    path = folder.embeddings(name)
    write_safetensors(path, _float32(embeddings._asdict()), {"format": "pt"})
    return path


def export_text_encoder(
    folder: TrialFolder, part: EncoderPart, state: State, dtype: torch.dtype
) -> Path:
    """Write all weights of a text encoder (te_mode=full), in the precision of the base."""
    path = folder.text_encoder if part == "text_encoder" else folder.text_encoder_2
    tensors = {kohya.with_text_model(k): v.detach().to("cpu", dtype) for k, v in state.items()}
    write_safetensors(path, tensors, {"format": "pt"})
    return path


def to_diffusers(adapter: Adapter) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a file for StableDiffusionXLPipeline.load_lora_weights.

    The keys are those that diffusers' convert_state_dict_to_diffusers makes. Alpha, rsLoRA and DoRA
    travel in the metadata, as save_lora_weights(unet_lora_adapter_metadata=...) writes it.
    """
    tensors: dict[str, Tensor] = {}
    config: dict[str, Any] = {}
    for part, state in adapter.parts.items():
        pairs = _pairs(state, adapter.rank)
        # One spelling for all modules: diffusers looks at the first key only to see which it is.
        infix = "lora" if part == "unet" else "lora_linear_layer"
        for module, pair in pairs.items():
            key = f"{part}.{module if part == 'unet' else kohya.with_text_model(module)}"
            tensors[f"{key}.{infix}.down.weight"] = pair.down
            tensors[f"{key}.{infix}.up.weight"] = pair.up
            if pair.magnitude is not None:
                tensors[f"{key}.{DORA_KEY[part]}"] = pair.magnitude
        settings = {
            "r": adapter.rank,
            "lora_alpha": adapter.alpha,
            "use_rslora": adapter.use_rslora,
            "use_dora": any(pair.magnitude is not None for pair in pairs.values()),
            # Without text_model. they match as endings, before and after transformers 5.
            "target_modules": sorted(module.removeprefix("text_model.") for module in pairs),
        }
        config |= {f"{part}.{key}": value for key, value in settings.items()}
    metadata = {"format": "pt", ADAPTER_METADATA: json.dumps(config, indent=2, sort_keys=True)}
    return tensors, metadata


def to_kohya(adapter: Adapter, *, sdxl_layout: bool) -> dict[str, Tensor]:
    """Tensors of a file for ComfyUI, A1111 and sd-scripts; diffusers reads it too, save for DoRA.

    DoRA's dora_scale is (out, 1, ...): one magnitude per output, as PEFT and LyCORIS (wd_on_output)
    normalise. The scale alpha/rank of every reader is the adapter's, rsLoRA included.
    """
    import torch

    tensors: dict[str, Tensor] = {}
    for part, state in adapter.parts.items():
        pairs = _pairs(state, adapter.rank)
        if part == "unet":
            names = kohya.unet_names(pairs, sdxl_layout=sdxl_layout)
        else:
            names = {module: kohya.text_encoder_name(module) for module in pairs}
        for module, pair in pairs.items():
            key = KOHYA_PREFIX[part] + names[module]
            tensors[f"{key}.lora_down.weight"] = pair.down
            tensors[f"{key}.lora_up.weight"] = pair.up
            tensors[f"{key}.alpha"] = torch.tensor(adapter.kohya_alpha, dtype=torch.float32)
            if pair.magnitude is not None:
                shape = (-1, *[1] * (pair.down.ndim - 1))
                tensors[f"{key}.dora_scale"] = pair.magnitude.reshape(shape)
    return tensors


def kohya_metadata(adapter: Adapter, about: About) -> dict[str, str]:
    """sd-scripts' ss_ keys and Stability AI's modelspec keys; a key without a value is left out."""
    size = f"{about.resolution}x{about.resolution}"
    values: dict[str, Any] = {
        "format": "pt",
        "ss_network_module": "networks.lora",
        "ss_network_dim": adapter.rank,
        "ss_network_alpha": adapter.kohya_alpha,
        "ss_base_model_version": "sdxl_base_v1-0",
        "ss_v2": False,
        "ss_sd_model_name": about.base_model,
        "ss_output_name": about.title,
        "ss_resolution": f"({about.resolution}, {about.resolution})",
        "ss_steps": about.steps,
        "ss_max_train_steps": about.steps,
        "ss_optimizer": about.optimizer or None,
        "ss_learning_rate": about.learning_rate,
        "ss_seed": about.seed,
        "ss_num_train_images": about.num_train_images,
        "ss_clip_skip": about.clip_skip or None,
        "ss_training_comment": about.trial_id and f"lora_sweep trial {about.trial_id}",
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": "stable-diffusion-xl-v1-base/lora",
        "modelspec.implementation": "https://github.com/Stability-AI/generative-models",
        "modelspec.title": about.title,
        "modelspec.resolution": size,
        "modelspec.prediction_type": "v" if about.v_prediction else "epsilon",
        "modelspec.trigger_phrase": about.trigger,
        "modelspec.usage_hint": about.trigger and f"write {about.trigger} in the prompt",
    }
    return {key: str(value) for key, value in values.items() if value is not None and value != ""}


def write_safetensors(path: Path, tensors: State, metadata: Mapping[str, str]) -> None:
    """Write a safetensors file in one step, with its metadata in alphabetical order.

    The library writes metadata in an order that changes from run to run. Raises StoreError.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save, save_file

    plain = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    if len(metadata) > 1:
        atomic_write(path, _in_order(save(plain, dict(metadata))))
        return
    with atomic_path(path) as temporary:
        try:
            save_file(plain, temporary, dict(metadata))
        except SafetensorError as error:
            raise StoreError(
                f"cannot write {path}: {error}; free some space or choose another results.dir"
            ) from error


def _in_order(data: bytes) -> bytes:
    """Sort the metadata of a safetensors file: 8 bytes of header length, JSON header, tensors."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors start at a multiple of 8
    return len(text).to_bytes(8, "little") + text + data[end:]


def _pairs(state: State, rank: int) -> dict[str, _Pair]:
    """Group PEFT's keys by module, in alphabetical order, in fp32 on the CPU."""
    modules: dict[str, dict[str, Tensor]] = {}
    for key, tensor in _float32(state).items():
        match = PEFT_KEY.fullmatch(key)
        if match is None:
            raise ValueError(f"{key} is not a LoRA key of PEFT: lora_A, lora_B or DoRA's magnitude")
        part = match["part"].removesuffix(".weight")
        modules.setdefault(match["module"], {})[part] = tensor
    return {module: _pair(module, modules[module], rank) for module in sorted(modules)}


def _pair(module: str, parts: Mapping[str, Tensor], rank: int) -> _Pair:
    down, up = parts.get("lora_A"), parts.get("lora_B")
    if down is None or up is None:
        raise ValueError(f"{module} has {', '.join(sorted(parts))}: lora_A and lora_B are needed")
    if down.shape[0] != rank or up.shape[1] != rank:
        raise ValueError(
            f"{module} has lora_A {tuple(down.shape)} and lora_B {tuple(up.shape)}, not rank {rank}"
        )
    magnitude = parts.get("lora_magnitude_vector")
    return _Pair(down, up, None if magnitude is None else magnitude.flatten())


def _float32(state: State) -> dict[str, Tensor]:
    import torch

    return {k: v.detach().to("cpu", torch.float32).contiguous() for k, v in state.items()}
