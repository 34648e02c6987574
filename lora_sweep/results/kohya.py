"""Module names of diffusers in the spelling of sd-scripts, which ComfyUI and A1111 read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

# The blocks of SDXL's UNet: sd-scripts counts them through, diffusers block by block.
LAYERS_PER_BLOCK = 2
BLOCKS = 3

BLOCK = re.compile(
    r"(?P<side>down_blocks|up_blocks)\.(?P<block>\d+)\."
    r"(?P<kind>attentions|resnets|downsamplers|upsamplers)\.(?P<layer>\d+)\.(?P<rest>.+)"
)
MIDDLE = re.compile(r"mid_block\.(?P<kind>attentions|resnets)\.(?P<layer>\d+)\.(?P<rest>.+)")
RESNET_PARTS = {
    "conv1": "in_layers.2",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
OUTSIDE_BLOCKS = {
    "conv_in": "input_blocks.0.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}


def has_sdxl_layout(unet_config: Mapping[str, Any]) -> bool:
    """Whether a UNet's blocks are SDXL's in number and depth, so that sd-scripts' names exist."""
    blocks = unet_config.get("block_out_channels") or ()
    return len(blocks) == BLOCKS and unet_config.get("layers_per_block") == LAYERS_PER_BLOCK


def unet_names(modules: Iterable[str], *, sdxl_layout: bool) -> dict[str, str]:
    """sd-scripts' name (without `lora_unet_`) of every UNet module, given by its diffusers name.

    Falls back to diffusers' block names for all modules when one of them has no other: a reader
    takes a file for one spelling or the other, and drops names of the second.
    """
    names = {module: sgm_name(module) if sdxl_layout else None for module in modules}
    if any(name is None for name in names.values()):
        names = {module: module for module in names}
    return {module: (name or module).replace(".", "_") for module, name in names.items()}


def sgm_name(module: str) -> str | None:
    """Dotted name of an SDXL UNet's module in Stability AI's own code; None if it has none."""
    if module in OUTSIDE_BLOCKS:
        return OUTSIDE_BLOCKS[module]
    if match := MIDDLE.fullmatch(module):
        kind, layer, rest = match["kind"], int(match["layer"]), match["rest"]
        if kind == "attentions":
            return f"middle_block.1.{rest}"
        part = RESNET_PARTS.get(rest)
        return part and f"middle_block.{2 * layer}.{part}"
    if match := BLOCK.fullmatch(module):
        number, inner = _place(match["side"], int(match["block"]), match["kind"], match["layer"])
        part = _part(match["kind"], match["rest"])
        side = "input_blocks" if match["side"] == "down_blocks" else "output_blocks"
        return part and f"{side}.{number}.{inner}.{part}"
    return None


def _place(side: str, block: int, kind: str, layer: str) -> tuple[int, int]:
    stride = LAYERS_PER_BLOCK + 1
    if kind == "downsamplers":
        return stride * (block + 1), 0
    if kind == "upsamplers":
        return stride * block + LAYERS_PER_BLOCK, 2
    first = 1 if side == "down_blocks" else 0  # input_blocks.0 is conv_in
    return first + stride * block + int(layer), 1 if kind == "attentions" else 0


def _part(kind: str, rest: str) -> str | None:
    if kind == "attentions":
        return rest
    if kind == "resnets":
        return RESNET_PARTS.get(rest)
    if rest != "conv":
        return None
    return "op" if kind == "downsamplers" else "conv"


def text_encoder_name(module: str) -> str:
    """sd-scripts' name (without `lora_te1_`) of a text encoder's module."""
    return with_text_model(module).replace(".", "_")


def with_text_model(name: str) -> str:
    """The name under `text_model.`: transformers had it there before 5, and tools expect it."""
    if name.startswith(("text_model.", "text_projection")):
        return name
    return f"text_model.{name}"
