"""The exported files of a full-size adapter: every key that its readers look for, and no other."""

from __future__ import annotations

import hashlib
from pathlib import Path

from safetensors import safe_open

UNET_NUMBERS, UNET_MODULES = 46_448_640, 560
"""Of rank 32 on all attention projections: 1,120 matrices."""

# Transformer blocks of SDXL's UNet by their place in Stability AI's code.
BLOCKS = {
    "input_blocks_4_1": 2, "input_blocks_5_1": 2, "input_blocks_7_1": 10, "input_blocks_8_1": 10,
    "middle_block_1": 10,
    "output_blocks_0_1": 10, "output_blocks_1_1": 10, "output_blocks_2_1": 10,
    "output_blocks_3_1": 2, "output_blocks_4_1": 2, "output_blocks_5_1": 2,
}  # fmt: skip
LAYERS = {"lora_te1": 12, "lora_te2": 32}


def readable_keys(*, text_encoders: bool) -> set[str]:
    """The modules that ComfyUI and A1111 look for: written from the architecture, not from ours."""
    keys = {
        f"lora_unet_{place}_transformer_blocks_{block}_attn{attention}_{projection}"
        for place, count in BLOCKS.items()
        for block in range(count)
        for attention in (1, 2)
        for projection in ("to_q", "to_k", "to_v", "to_out_0")
    }
    if text_encoders:
        keys |= {
            f"{prefix}_text_model_encoder_layers_{layer}_self_attn_{projection}_proj"
            for prefix, count in LAYERS.items()
            for layer in range(count)
            for projection in ("q", "k", "v", "out")
        }
    return keys


def check_exports(trial: Path, rank: int, *, text_encoders: bool, tokens: bool) -> list[str]:
    """What was found, line by line; raises AssertionError where a file is not as it must be."""
    expected = readable_keys(text_encoders=text_encoders)
    with safe_open(trial / "lora.safetensors", framework="pt") as file:
        names = set(file.keys())
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in names}
    suffixes = (".lora_down.weight", ".lora_up.weight", ".alpha")
    wanted = {key + suffix for key in expected for suffix in suffixes}
    assert names == wanted, (
        f"{len(wanted - names)} keys are missing, {len(names - wanted)} too many"
    )
    unet = [name for name in names if name.startswith("lora_unet_")]
    matrices = [name for name in unet if not name.endswith(".alpha")]
    numbers = sum(shapes[name][0] * shapes[name][1] for name in matrices)
    assert len(unet) == 3 * UNET_MODULES and len(matrices) == 2 * UNET_MODULES
    assert numbers * 32 == UNET_NUMBERS * rank, f"{numbers:,} numbers at rank {rank}"
    found = [
        f"kohya file: {len(expected)} modules, {UNET_MODULES} of the UNet, with {numbers:,} "
        f"numbers in {len(matrices):,} matrices"
    ]
    if tokens:
        with safe_open(trial / "lora_emb.safetensors", framework="pt") as file:
            rows = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        assert rows == {"clip_l": (2, 768), "clip_g": (2, 1280)}, rows
        found.append("embeddings: clip_l 2 x 768, clip_g 2 x 1280")
    return found


def digest(trial: Path) -> str:
    """SHA-256 of the adapter."""
    return hashlib.sha256((trial / "pytorch_lora_weights.safetensors").read_bytes()).hexdigest()
