"""The modules of the embedded base: SDXL's classes and wiring at a size that a laptop CPU trains in
an hour.

Compared with SDXL: 64 px pictures, VAE factor 4 in place of 8, one layer per block, two UNet levels
in place of three, text widths 64 and 96 in place of 768 and 1280. Everything else is as in
stabilityai/stable-diffusion-xl-base-1.0: penultimate text layers, size and crop conditioning, the
noise schedule.
"""

from __future__ import annotations

from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionConfig,
)

TEXT_1 = 64
TEXT_2 = 96
PROJECTION = 96
TIME_IDS_EMBED = 32


def build_vae() -> AutoencoderKL:
    """VAE: 64x64x3 to 16x16x4."""
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 3,  # type: ignore[arg-type]
        up_block_types=("UpDecoderBlock2D",) * 3,  # type: ignore[arg-type]
        block_out_channels=(16, 32, 48),  # type: ignore[arg-type]
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=64,
        force_upcast=False,
    )


def build_unet() -> UNet2DConditionModel:
    """UNet over 16x16x4 latents, cross-attending to the two encoders' concatenated states."""
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(64, 96),
        layers_per_block=1,
        transformer_layers_per_block=(1, 1),  # type: ignore[arg-type]
        # diffusers' name for the number of heads
        attention_head_dim=(2, 3),  # type: ignore[arg-type]
        cross_attention_dim=TEXT_1 + TEXT_2,
        use_linear_projection=True,
        norm_num_groups=16,
        addition_embed_type="text_time",
        addition_time_embed_dim=TIME_IDS_EMBED,
        projection_class_embeddings_input_dim=6 * TIME_IDS_EMBED + PROJECTION,
    )


def _text_config(tokenizer: CLIPTokenizer, width: int, layers: int, act: str) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=4 * width,
        projection_dim=PROJECTION,
        num_hidden_layers=layers,
        num_attention_heads=4,
        max_position_embeddings=77,
        hidden_act=act,
        bos_token_id=0,
        # As in SDXL's own configs: 2 is not the tokenizer's end of text. Readers of this value fall
        # back to the position of the highest id, so pooling here is what it is in SDXL.
        eos_token_id=2,
        pad_token_id=1,
    )


def build_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModelWithProjection:
    """First text encoder, with the projection that it only needs while it learns from pictures."""
    return CLIPTextModelWithProjection(_text_config(tokenizer, TEXT_1, 3, "quick_gelu"))


def without_projection(encoder: CLIPTextModelWithProjection) -> CLIPTextModel:
    """The same first text encoder as SDXL ships it: without a projection."""
    plain = CLIPTextModel(encoder.config)
    missing, unexpected = plain.load_state_dict(encoder.state_dict(), strict=False)
    if missing or set(unexpected) - {"text_projection.weight"}:
        remapped = {k.removeprefix("text_model."): v for k, v in encoder.state_dict().items()}
        remapped.pop("text_projection.weight", None)
        plain.load_state_dict(remapped)
    return plain


def build_clip(tokenizer: CLIPTokenizer) -> CLIPModel:
    """Small CLIP whose text tower becomes the second text encoder."""
    vision = CLIPVisionConfig(
        hidden_size=96,
        intermediate_size=384,
        projection_dim=PROJECTION,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=64,
        patch_size=8,
        hidden_act="gelu",
    )
    text = _text_config(tokenizer, TEXT_2, 3, "gelu")
    return CLIPModel(
        CLIPConfig(
            text_config=text.to_dict(),
            vision_config=vision.to_dict(),
            projection_dim=PROJECTION,
        )
    )


def text_tower(clip: CLIPModel) -> CLIPTextModelWithProjection:
    """CLIP's text tower as SDXL's second text encoder."""
    tower = CLIPTextModelWithProjection(clip.config.text_config)  # type: ignore[arg-type]
    tower.text_model.load_state_dict(clip.text_model.state_dict())
    tower.text_projection.load_state_dict(clip.text_projection.state_dict())
    return tower


def build_scheduler() -> EulerDiscreteScheduler:
    """SDXL's scheduler config."""
    return EulerDiscreteScheduler(
        num_train_timesteps=1000,
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="epsilon",
        timestep_spacing="leading",
        steps_offset=1,
        interpolation_type="linear",
        use_karras_sigmas=False,
    )
