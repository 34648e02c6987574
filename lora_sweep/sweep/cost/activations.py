"""What a UNet keeps between its forward and its backward pass, in bytes, computed. No torch.

The coefficients are fits to steps counted on tensors without data, by scripts/count_step.py, for
SDXL at 256 to 1024 pixels and for nano.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["resnet", "transformer"]


@dataclass(frozen=True)
class Unit:
    """A block of a UNet that is checkpointed by itself."""

    place: str  # as lora.blocks names it: down_blocks.1.attentions.0
    kind: Kind
    level: int  # of halvings
    width: int  # channels that come in


@dataclass(frozen=True)
class Coefficients:
    """Bytes per channel and position, in the order of Unit's kinds."""

    transformer: float
    resnet: float
    element: int  # of what comes into a unit


# norms in fp32 under autocast on CUDA; in 16 bits on the CPU
FP32 = Coefficients(91.3, 24.6, 4)
BITS_16_CPU = Coefficients(55.0, 12.2, 2)
BITS_16_CUDA = Coefficients(59.7, 21.2, 2)

AGAIN = 1.1
"""The largest unit, computed again for its backward pass, beside all that come into units."""

CASTS, CASTS_AGAIN = 2.5, 3.65
"""Bytes for each number of an adapter: its copy in 16 bits, and gradients of a part of them. With
checkpointing it is more, but gone by the time that the largest unit is computed again.
"""


def coefficients(bits_16: bool, device: str) -> Coefficients:
    """Those of a precision and a device."""
    if not bits_16:
        return FP32
    return BITS_16_CUDA if device == "cuda" else BITS_16_CPU


def unet_units(config: Mapping[str, Any]) -> tuple[Unit, ...]:
    """The units of a UNet in the order of its forward pass, by its config."""
    widths: Sequence[int] = config["block_out_channels"]
    count = len(widths)
    layers = _each(config["layers_per_block"], count)
    depths = _each(config.get("transformer_layers_per_block", 1), count)
    units: list[Unit] = []

    def add(place: str, layer: int, level: int, incoming: int, width: int, depth: int) -> None:
        units.append(Unit(f"{place}.resnets.{layer}", "resnet", level, incoming))
        attention = Unit(f"{place}.attentions.{layer}", "transformer", level, width)
        units.extend([attention] * depth)

    last = widths[0]
    for block, width in enumerate(widths):
        depth = depths[block] if "CrossAttn" in config["down_block_types"][block] else 0
        for layer in range(layers[block]):
            incoming = width if layer else last
            add(f"down_blocks.{block}", layer, block, incoming, width, depth)
        last = width
    add("mid_block", 0, count - 1, last, last, depths[-1])
    add("mid_block", 1, count - 1, last, last, 0)
    for block in range(count):
        level = count - 1 - block
        width, skipped = widths[level], widths[max(level - 1, 0)]
        depth = depths[level] if "CrossAttn" in config["up_block_types"][block] else 0
        for layer in range(layers[level] + 1):
            skip = skipped if layer == layers[level] else width
            incoming = (width if layer else last) + skip
            add(f"up_blocks.{block}", layer, level, incoming, width, depth)
        last = width
    return tuple(units)


def _each(value: Any, count: int) -> list[int]:
    return [int(value)] * count if isinstance(value, int) else [int(each) for each in value]


def trained_through(
    units: Sequence[Unit], blocks: Sequence[str] | None, text_trains: bool
) -> Sequence[Unit]:
    """The units that a gradient passes: from the first with an adapter on, and all of them where
    it goes on to the text.
    """
    if text_trains:
        return units
    for index, unit in enumerate(units):
        named = blocks is None or any(
            f"{unit.place}.".startswith(f"{block.removeprefix('unet.')}.") for block in blocks
        )
        if unit.kind == "transformer" and named:
            return units[index:]
    return ()


def activation_bytes(
    units: Sequence[Unit],
    side: int,
    rows: int,
    per: Coefficients,
    *,
    checkpointing: bool,
    adapter_numbers: int,
) -> int:
    """The most that forward and backward hold beside weights and gradients.

    side: positions along one side of the latent. adapter_numbers: trained numbers of adapters.
    """
    sizes = [rows * unit.width * max(1, side // 2**unit.level) ** 2 for unit in units]
    each = {"transformer": per.transformer, "resnet": per.resnet}
    kept = [size * each[unit.kind] for size, unit in zip(sizes, units, strict=True)]
    cast = adapter_numbers if per.element == 2 else 0
    if not checkpointing:
        return round(sum(kept) + CASTS * cast)
    beside = max(AGAIN * max(kept, default=0.0), CASTS_AGAIN * cast)
    return round(per.element * sum(sizes) + beside)
