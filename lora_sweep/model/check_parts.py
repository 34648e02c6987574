"""What the loaded parts must have in common to be an SDXL base that can be trained on."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL
from transformers import CLIPTokenizer

from lora_sweep.config.settings import Model
from lora_sweep.data import clip_words
from lora_sweep.errors import ModelError
from lora_sweep.model.parts import Parts

PROBE = ("a photo of a cat", (320, 1125, 539, 320, 2368))
"""A text, and its ids between start and end in CLIP's own vocabulary."""


def check_parts(parts: Parts) -> None:
    """Raise ModelError with all that is wrong."""
    wrong: list[str] = []
    if parts.unet.config.get("addition_embed_type") != "text_time":
        wrong.append("its UNet has no text_time conditioning")
    encoders = (parts.text_encoder, parts.text_encoder_2)
    width = sum(encoder.config.hidden_size for encoder in encoders)
    if parts.unet.config["cross_attention_dim"] != width:
        wrong.append(
            f"its UNet attends to {parts.unet.config['cross_attention_dim']} features, "
            f"its text encoders give {width}"
        )
    latent, channels = parts.vae.config["latent_channels"], parts.unet.config["in_channels"]
    if latent != channels:
        wrong.append(f"its VAE gives {latent} latent channels, its UNet takes {channels}")
    if wrong:
        raise ModelError(f"it is not an SDXL base: {'; '.join(wrong)}")
    tokenizers = (parts.tokenizer, parts.tokenizer_2)
    names = ("tokenizer", "tokenizer_2")
    for name, tokenizer, encoder in zip(names, tokenizers, encoders, strict=True):
        if (problem := _tokenizer_problem(tokenizer, encoder.config)) is not None:
            raise ModelError(f"its {name} is not that of its text encoder: {problem}")


def _tokenizer_problem(tokenizer: CLIPTokenizer, config: object) -> str | None:
    size, positions = getattr(config, "vocab_size", 0), getattr(config, "max_position_embeddings")  # noqa: B009
    if len(tokenizer) != size:
        return f"it has {len(tokenizer):,} tokens, the encoder {size:,}"
    if tokenizer.model_max_length != positions:
        return f"it cuts at {tokenizer.model_max_length} tokens, the encoder takes {positions}"
    text, expected = PROBE
    found = tuple(tokenizer(text).input_ids[1:-1])
    if size == clip_words.SIZE and found != expected:
        return f"{text!r} becomes {list(found)}, in CLIP's vocabulary {list(expected)}"
    return None


def check_vae_precision(vae: AutoencoderKL, settings: Model) -> None:
    """Refuse the VAE that overflows in fp16: it would give black pictures, and latents of NaN."""
    if vae.dtype == torch.float16 and vae.config.get("force_upcast", False):
        raise ModelError(
            "model.vae_precision=fp16: this VAE overflows in fp16 and gives black pictures (its "
            "config says force_upcast); must be fp32 or bf16, or take "
            f"model.vae=madebyollin/sdxl-vae-fp16-fix in place of {settings.vae or 'its own'}"
        )


def check_resolution(parts: Parts, settings: Model) -> None:
    """Latents must be halved as often as the UNet goes down."""
    levels = len(parts.unet.config["block_out_channels"])
    factor = 2 ** (len(parts.vae.config["block_out_channels"]) - 1)
    multiple = factor * 2 ** (levels - 1)
    if settings.resolution % multiple:
        raise ModelError(
            f"model.resolution is {settings.resolution}; with model.path={settings.path} it must "
            f"be a multiple of {multiple} (VAE factor {factor} times the UNet's "
            f"{2 ** (levels - 1)})"
        )
