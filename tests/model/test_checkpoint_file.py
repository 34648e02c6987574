"""What a .safetensors file is, told by its header: every kind that people take for a base."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from lora_sweep.errors import ModelError
from lora_sweep.model.checkpoint_file import check_is_sdxl, read_header, stated_prediction

UNET = "model.diffusion_model."
SDXL_CONFIG = {"projection_class_embeddings_input_dim": 2816, "in_channels": 4}
SDXL = {
    f"{UNET}input_blocks.0.0.weight": (320, 4, 3, 3),
    f"{UNET}label_emb.0.0.weight": (1280, 2816),
    f"{UNET}input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": (640, 2048),
    "conditioner.embedders.0.transformer.text_model.final_layer_norm.weight": (768,),
    "conditioner.embedders.1.model.positional_embedding": (77, 1280),
    "first_stage_model.encoder.conv_in.weight": (128, 3, 3, 3),
}


def write(path: Path, shapes: Mapping[str, tuple[int, ...]], **metadata: str) -> Path:
    """A file whose weights are all empty: only its header can be read."""
    entries: dict[str, object] = {
        name: {"dtype": "F16", "shape": list(shape), "data_offsets": [0, 0]}
        for name, shape in shapes.items()
    }
    if metadata:
        entries["__metadata__"] = metadata
    header = json.dumps(entries).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    return path


def without(*prefixes: str) -> dict[str, tuple[int, ...]]:
    return {name: shape for name, shape in SDXL.items() if not name.startswith(prefixes)}


def named(names: Iterable[str]) -> dict[str, tuple[int, ...]]:
    return dict.fromkeys(names, (4, 4))


STABLE_DIFFUSION_1 = {
    f"{UNET}input_blocks.0.0.weight": (320, 4, 3, 3),
    f"{UNET}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, 768),
    "cond_stage_model.transformer.text_model.final_layer_norm.weight": (768,),
    "first_stage_model.encoder.conv_in.weight": (128, 3, 3, 3),
}
REFINER = {
    f"{UNET}input_blocks.0.0.weight": (384, 4, 3, 3),
    f"{UNET}label_emb.0.0.weight": (1536, 2560),
    "conditioner.embedders.0.model.positional_embedding": (77, 1280),
    "first_stage_model.encoder.conv_in.weight": (128, 3, 3, 3),
}
KINDS = {
    "Stable Diffusion 1.5": (STABLE_DIFFUSION_1, "it is a Stable Diffusion 1 checkpoint"),
    "Stable Diffusion 2": (
        {
            f"{UNET}input_blocks.0.0.weight": (320, 4, 3, 3),
            "cond_stage_model.model.positional_embedding": (77, 1024),
        },
        "it is a Stable Diffusion 2 checkpoint",
    ),
    "refiner": (REFINER, "it is the SDXL refiner"),
    "kohya LoRA": (
        named(["lora_unet_input_blocks_4_1_proj_in.lora_down.weight", "x.alpha"]),
        "it is a LoRA",
    ),
    "diffusers LoRA": (named(["unet.mid_block.attn.to_k.lora_A.weight"]), "it is a LoRA"),
    "old diffusers LoRA": (named(["unet.mid.to_k_lora.down.weight"]), "it is a LoRA"),
    "LoKr": (named(["lora_unet_x.lokr_w1", "lora_unet_x.lokr_w2"]), "it is a LoRA"),
    "inpainting": (
        {**SDXL, f"{UNET}input_blocks.0.0.weight": (320, 9, 3, 3)},
        "its UNet is one for inpainting, with 9 input channels, not 4",
    ),
    "Playground 2.5": ({**SDXL, "edm_mean": (4,), "edm_std": (4,)}, "it is of the EDM kind"),
    "CosXL": ({**SDXL, "edm_vpred.sigma_max": ()}, "it is of the EDM kind"),
    "Flux": (named([f"{UNET}double_blocks.0.img_attn.qkv.weight"]), "it is a Flux transformer"),
    "SD 3": (named([f"{UNET}joint_blocks.0.x.weight"]), "it is a Stable Diffusion 3 transformer"),
    "ControlNet": (named(["control_model.input_blocks.0.0.weight"]), "it is a ControlNet"),
    "VAE": (named(["encoder.conv_in.weight"]), "it is a VAE; that goes into model.vae"),
    "part of a folder": (
        named(["down_blocks.0.resnets.0.conv1.weight", "mid_block.resnets.0.conv1.weight"]),
        "it is the UNet alone, out of a diffusers folder",
    ),
    "embeddings": (named(["clip_g", "clip_l"]), "it holds embeddings of new tokens"),
    "text encoder": (
        named(["text_model.encoder.layers.0.mlp.fc1.weight"]),
        "it is a text encoder alone",
    ),
    "language model": (named(["lm_head.weight"]), "nothing in it is known (1 tensors)"),
    "no second text encoder": (
        without("conditioner.embedders.1"),
        "it lacks the second text encoder (OpenCLIP bigG)",
    ),
    "UNet alone": (
        without("conditioner", "first_stage_model"),
        "it lacks the first text encoder (CLIP-L) and the second text encoder (OpenCLIP bigG) and "
        "a VAE",
    ),
    "no VAE": (without("first_stage_model"), "it lacks a VAE (or give one: model.vae="),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_sdxl_checkpoint_is_named(kind: str, tmp_path: Path) -> None:
    shapes, reason = KINDS[kind]
    header = read_header(write(tmp_path / "file.safetensors", shapes))
    with pytest.raises(ModelError) as found:
        check_is_sdxl(header, SDXL_CONFIG, needs_vae=True)
    assert str(found.value).startswith(reason)


def test_an_sdxl_checkpoint_passes_and_needs_no_vae_where_one_is_given(tmp_path: Path) -> None:
    check_is_sdxl(read_header(write(tmp_path / "a", SDXL)), SDXL_CONFIG, needs_vae=True)
    file = write(tmp_path / "b", without("first_stage_model"))
    check_is_sdxl(read_header(file), SDXL_CONFIG, needs_vae=False)


@pytest.mark.parametrize("stated", ["v", "epsilon", "flow"])
def test_a_prediction_that_is_not_known_counts_as_not_stated(stated: str, tmp_path: Path) -> None:
    file = write(tmp_path / "a", SDXL, **{"modelspec.prediction_type": stated})
    expected = {"v": "v_prediction", "epsilon": "epsilon"}.get(stated)
    assert stated_prediction(read_header(file)) == expected


@pytest.mark.parametrize("content", [b"", b"\x08", b"not safetensors at all", b"\x02" + 7 * b"\0"])
def test_what_is_no_safetensors_file_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "file.safetensors"
    file.write_bytes(content)
    with pytest.raises(ValueError, match="safetensors file"):
        read_header(file)
