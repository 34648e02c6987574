"""What a .safetensors file holds, by its header: weights are not read. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lora_sweep.errors import ModelError

Shape = tuple[int, ...]

UNET = "model.diffusion_model."
TEXT, TEXT_2 = "conditioner.embedders.0.transformer.", "conditioner.embedders.1.model."
REFINER_TEXT = "conditioner.embedders.0.model."
VAE = "first_stage_model."

INPUT = f"{UNET}input_blocks.0.0.weight"
SIZES = f"{UNET}label_emb.0.0.weight"
"""Of a UNet in Stability AI's names: its first convolution, and what its sizes and pooled text go
through.
"""

EDM_MARKS = ("edm_mean", "edm_vpred.sigma_max")
LORA_MARKS = (".lora_down.", ".lora_up.", ".lora_A.", ".lora_B.", ".lora.down.", ".lora.up.",
              "_lora.down.", "_lora.up.", ".hada_w1", ".lokr_w1", ".oft_blocks")  # fmt: skip
OTHER_FAMILIES = (
    ("double_blocks.", "a Flux transformer"),
    ("joint_blocks.", "a Stable Diffusion 3 transformer"),
    ("control_model.", "a ControlNet"),
    ("input_hint_block.", "a ControlNet"),
    ("motion_modules.", "a motion module"),
)


@dataclass(frozen=True)
class Header:
    """Names and shapes of the tensors in a file, and its metadata."""

    shapes: Mapping[str, Shape]
    metadata: Mapping[str, str]

    def has(self, prefix: str) -> bool:
        """Whether any tensor's name begins so."""
        return any(name.startswith(prefix) for name in self.shapes)


def read_header(path: Path) -> Header:
    """Raises ValueError for a file that is not safetensors or is cut short, OSError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            raise ValueError("it is not a whole safetensors file")
        try:
            entries = json.loads(file.read(length))
        except ValueError as error:
            raise ValueError("it is not a safetensors file") from error
    metadata = entries.pop("__metadata__", {})
    end = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
    if size < 8 + length + end:
        missing = 8 + length + end - size
        raise ValueError(f"it is cut short: its last {missing:,} bytes are missing")
    return Header({name: tuple(entry["shape"]) for name, entry in entries.items()}, metadata)


def check_is_sdxl(header: Header, unet_config: Mapping[str, object], *, needs_vae: bool) -> None:
    """Raise ModelError with what the file is, unless it is a whole SDXL checkpoint.

    unet_config: of the architecture that is expected.
    """
    if (other := what_else(header)) is not None:
        raise ModelError(other)
    sizes, wanted = header.shapes[SIZES], unet_config["projection_class_embeddings_input_dim"]
    channels, usual = header.shapes[INPUT][1], unet_config["in_channels"]
    if len(sizes) != 2 or sizes[1] != wanted:
        raise ModelError(
            f"its UNet takes {sizes[-1]} numbers for sizes and pooled text, SDXL base {wanted}"
        )
    if channels != usual:
        kinds = {8: "for editing by instruction", 9: "for inpainting"}
        kind = kinds.get(channels, "of another kind")
        raise ModelError(f"its UNet is one {kind}, with {channels} input channels, not {usual}")
    parts = {
        "the first text encoder (CLIP-L)": TEXT,
        "the second text encoder (OpenCLIP bigG)": TEXT_2,
    }
    if needs_vae:
        parts["a VAE (or give one: model.vae=madebyollin/sdxl-vae-fp16-fix)"] = VAE
    if missing := [name for name, prefix in parts.items() if not header.has(prefix)]:
        raise ModelError(f"it lacks {' and '.join(missing)}")


def what_else(header: Header) -> str | None:
    """What a file is that is no SDXL checkpoint, in words; None for one, whole or not."""
    names = header.shapes
    if any(mark in f"{name}." for name in names for mark in LORA_MARKS):
        return "it is a LoRA, which goes on top of a base; model.path has to be the base"
    for mark, kind in OTHER_FAMILIES:
        if any(mark in name for name in names):
            return f"it is {kind}"
    if any(mark in names for mark in EDM_MARKS):
        return "it is of the EDM kind, as Playground 2.5 and CosXL are, which is not supported"
    if header.has(REFINER_TEXT):
        return "it is the SDXL refiner, which lacks the first text encoder; take the base"
    if header.has("cond_stage_model.model."):
        return "it is a Stable Diffusion 2 checkpoint"
    if header.has("cond_stage_model."):
        return "it is a Stable Diffusion 1 checkpoint"
    if INPUT in names and SIZES in names:
        return None
    if INPUT in names:
        return "its UNet takes no sizes and no pooled text, as SDXL's does"
    return _part(header)


def _part(header: Header) -> str:
    names = header.shapes
    if header.has("down_blocks.") and header.has("mid_block."):
        return (
            "it is the UNet alone, out of a diffusers folder; give the folder: "
            "model=sdxl model.path=<folder>"
        )
    if header.has("encoder.conv_in.") or header.has("decoder.conv_in."):
        return "it is a VAE; that goes into model.vae"
    if {"clip_l", "clip_g"} & set(names) or "emb_params" in names:
        return "it holds embeddings of new tokens"
    if any("text_model.encoder.layers." in name for name in names):
        return "it is a text encoder alone"
    return f"nothing in it is known ({len(names):,} tensors)"


def stated_prediction(header: Header) -> str | None:
    """What the file says that its UNet predicts; None where it says nothing.

    By the mark that ComfyUI reads, a tensor named v_pred, or by modelspec's metadata.
    """
    if "v_pred" in header.shapes:
        return "v_prediction"
    stated = header.metadata.get("modelspec.prediction_type", "").lower()
    known = {"v": "v_prediction", "v_prediction": "v_prediction", "epsilon": "epsilon"}
    return known.get(stated)


def states_zero_snr(header: Header) -> bool:
    """Whether the file says that its last timestep is pure noise: a tensor named ztsnr."""
    return "ztsnr" in header.shapes


def looks_like_v_prediction(path: Path) -> bool:
    """Whether a file's name says so."""
    letters = "".join(letter for letter in path.stem.lower() if letter.isalnum())
    return "vpred" in letters
