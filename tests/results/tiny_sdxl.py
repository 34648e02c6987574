"""A random SDXL in miniature: same structure, same names, a few thousand weights."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import (
    StableDiffusionXLPipeline,
)
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from peft import LoraConfig, get_peft_model_state_dict, inject_adapter_in_model
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

WIDTH = 16  # of both text encoders
LETTERS = "abcdefghijklmnopqrstuvwxyz<>0123456789,."


def tiny_tokenizer(folder: Path) -> CLIPTokenizer:
    """One token per letter; the two special tokens have the highest ids, as CLIP's have."""
    words = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=32
    )


def tiny_unet(layers_per_block: int = 2) -> UNet2DConditionModel:
    config: dict[str, Any] = dict(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        block_out_channels=(4, 8, 8),
        layers_per_block=layers_per_block,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 1, 2),
        attention_head_dim=(1, 2, 2),
        cross_attention_dim=2 * WIDTH,
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=6 * 4 + WIDTH,
        use_linear_projection=True,
        norm_num_groups=2,
    )
    return UNet2DConditionModel(**config)


def tiny_pipeline(folder: Path, layers_per_block: int = 2) -> StableDiffusionXLPipeline:
    torch.manual_seed(0)
    tokenizer = tiny_tokenizer(folder)
    settings: dict[str, Any] = dict(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=32,
        projection_dim=WIDTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=2,  # as in SDXL's own configs
        pad_token_id=tokenizer.eos_token_id,
    )
    config = CLIPTextConfig(**settings)
    parts: dict[str, Any] = dict(
        block_out_channels=(4, 4), norm_num_groups=2, latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    )  # fmt: skip
    scheduler: Any = EulerDiscreteScheduler()
    return StableDiffusionXLPipeline(
        vae=AutoencoderKL(**parts),
        text_encoder=CLIPTextModel(config),
        text_encoder_2=CLIPTextModelWithProjection(copy.deepcopy(config)),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=tiny_unet(layers_per_block),
        scheduler=scheduler,
        add_watermarker=False,
    )


def add_random_lora(model: torch.nn.Module, seed: int, **config: Any) -> dict[str, torch.Tensor]:
    """Inject an adapter with no zero in it, as after training; its PEFT state dict."""
    inject_adapter_in_model(LoraConfig(init_lora_weights=False, **config), model)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "lora_magnitude_vector" in name:
            parameter.data *= 1 + 0.3 * torch.rand(parameter.shape, generator=generator)
        elif "lora_" in name:
            parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
    return {key: value.clone() for key, value in get_peft_model_state_dict(model).items()}


@torch.no_grad()
def outputs(pipeline: StableDiffusionXLPipeline) -> list[torch.Tensor]:
    """Both text encoders' states, the pooled vector and the UNet's prediction, for fixed inputs."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(0, len(LETTERS), (1, 32), generator=generator)
    latents = torch.randn(1, 4, 8, 8, generator=generator)
    one = pipeline.text_encoder(ids, output_hidden_states=True).hidden_states[-2]
    two = pipeline.text_encoder_2(ids, output_hidden_states=True)
    added = {"text_embeds": two.text_embeds, "time_ids": torch.tensor([[64.0, 64, 0, 0, 64, 64]])}
    text = torch.cat([one, two.hidden_states[-2]], dim=-1)
    noise = pipeline.unet(latents, 500, text, added_cond_kwargs=added).sample
    return [one, two.hidden_states[-2], two.text_embeds, noise]
