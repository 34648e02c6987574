"""An SDXL's weights in Stability AI's names, as a checkpoint in one file has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from lora_sweep.results.kohya import sgm_name, with_text_model

RESNET_NORMS = {"norm1": ("conv1", ".2", ".0"), "norm2": ("conv2", ".3", ".0")}
"""Norms of a resnet block: the convolution beside each, and its number there."""

VAE_ATTENTION = {
    "group_norm": "norm",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
}
OPEN_CLIP = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}


def original_state(
    unet: torch.nn.Module, vae: torch.nn.Module, text: torch.nn.Module, text_2: torch.nn.Module
) -> dict[str, Tensor]:
    """All weights of a base, by the names of sd_xl_base_1.0.safetensors."""
    state = {
        f"model.diffusion_model.{name}": value for name, value in unet_state(unet.state_dict())
    }
    state |= {f"first_stage_model.{name}": value for name, value in vae_state(vae.state_dict())}
    state |= {
        f"conditioner.embedders.0.transformer.{with_text_model(name)}": value
        for name, value in text.state_dict().items()
    }
    for name, value in open_clip_state(text_2.state_dict()):
        state[f"conditioner.embedders.1.model.{name}"] = value
    return {name: value.contiguous() for name, value in state.items()}


def unet_state(state: dict[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """By the places of kohya.sgm_name, and the norms, which no LoRA is put on."""
    for key, value in state.items():
        module, _, kind = key.rpartition(".")
        yield f"{_unet_module(module)}.{kind}", value


def _unet_module(module: str) -> str:
    if module == "conv_norm_out":
        return "out.0"
    block, _, last = module.rpartition(".")
    if ".resnets." in module and last in RESNET_NORMS:
        conv, number, own = RESNET_NORMS[last]
        return f"{_known(f'{block}.{conv}').removesuffix(number)}{own}"
    return _known(module)


def _known(module: str) -> str:
    name = sgm_name(module)
    if name is None:
        raise ValueError(f"{module} has no name in Stability AI's code")
    return name


def vae_state(state: dict[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """The decoder's blocks are counted from the other end there, and attention is by convolutions
    of one pixel.
    """
    levels = 1 + max(int(k.split(".")[2]) for k in state if k.startswith("encoder.down_blocks."))
    for key, value in state.items():
        parts = key.split(".")
        name = key
        if parts[1] == "down_blocks":
            name = ".".join([parts[0], "down", *_vae_block(parts[2], parts[3:])])
        elif parts[1] == "up_blocks":
            number = str(levels - 1 - int(parts[2]))
            name = ".".join([parts[0], "up", *_vae_block(number, parts[3:])])
        elif parts[1] == "mid_block" and parts[2] == "resnets":
            name = ".".join([parts[0], "mid", f"block_{int(parts[3]) + 1}", *parts[4:]])
        elif parts[1] == "mid_block":
            part, kind = ".".join(parts[4:-1]), parts[-1]
            name = f"{parts[0]}.mid.attn_1.{VAE_ATTENTION[part]}.{kind}"
            if value.ndim == 2:
                value = value[:, :, None, None]
        name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
        yield name, value


def _vae_block(number: str, rest: list[str]) -> list[str]:
    kind = {"resnets": ["block", rest[1]], "downsamplers": ["downsample"],
            "upsamplers": ["upsample"]}[rest[0]]  # fmt: skip
    return [number, *kind, *rest[2:]]


def open_clip_state(state: dict[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """OpenCLIP has one matrix for query, key and value, and its projection the other way round."""
    for key, value in state.items():
        name = with_text_model(key).removeprefix("text_model.")
        if name.startswith("text_projection"):
            yield "text_projection", value.T
        elif name.startswith("embeddings.position_embedding"):
            yield "positional_embedding", value
        elif name.startswith("embeddings.token_embedding"):
            yield "token_embedding.weight", value
        elif name.startswith("final_layer_norm."):
            yield name.replace("final_layer_norm", "ln_final"), value
        elif ".self_attn.q_proj." in name:
            three = [state[key.replace("q_proj", f"{part}_proj")] for part in "qkv"]
            _, _, number, *_, kind = name.split(".")
            yield f"transformer.resblocks.{number}.attn.in_proj_{kind}", torch.cat(three)
        elif ".self_attn.k_proj." not in name and ".self_attn.v_proj." not in name:
            _, _, number, *middle, kind = name.split(".")
            yield f"transformer.resblocks.{number}.{OPEN_CLIP['.'.join(middle)]}.{kind}", value
