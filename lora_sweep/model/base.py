"""The frozen SDXL: loading it once, and the numbers about it that the rest of the project needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from diffusers import (
    AutoencoderKL,
    DDPMScheduler,
    EulerDiscreteScheduler,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors import SafetensorError
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from lora_sweep.config.settings import Model, Pooling, Precision
from lora_sweep.errors import ModelError
from lora_sweep.nano import WEIGHTS
from lora_sweep.quiet import hide_progress_bars

_DTYPES = {
    Precision.fp32: torch.float32,
    Precision.bf16: torch.bfloat16,
    Precision.fp16: torch.float16,
}

_UNREADABLE = (
    OSError,
    ValueError,
    RuntimeError,
    KeyError,
    TypeError,
    AttributeError,
    SafetensorError,
)
"""What the libraries raise for files that are missing, damaged, or of something else."""


@dataclass
class Base:
    """The frozen parts of an SDXL. Adapters are put on the modules for a trial and taken off after
    it.
    """

    unet: UNet2DConditionModel
    vae: AutoencoderKL
    text_encoder: CLIPTextModel
    text_encoder_2: CLIPTextModelWithProjection
    tokenizer: CLIPTokenizer
    tokenizer_2: CLIPTokenizer
    scheduler: EulerDiscreteScheduler
    device: torch.device
    dtype: torch.dtype
    clip_skip: int

    @property
    def text_encoders(self) -> tuple[CLIPTextModel, CLIPTextModelWithProjection]:
        """Both encoders, in the order in which their states are joined."""
        return self.text_encoder, self.text_encoder_2

    @property
    def tokenizers(self) -> tuple[CLIPTokenizer, CLIPTokenizer]:
        """Both tokenizers, in the encoders' order."""
        return self.tokenizer, self.tokenizer_2

    @property
    def prediction_type(self) -> str:
        """What the UNet predicts: "epsilon" or "v_prediction"."""
        return str(self.scheduler.config["prediction_type"])

    @property
    def vae_factor(self) -> int:
        """Pixels per latent position: 8 for SDXL, 4 for nano."""
        return 2 ** (len(self.vae.config["block_out_channels"]) - 1)

    def alphas_cumprod(self) -> Tensor:
        """The scheduler's cumulative products of alpha, fp32, shape (timesteps,), on the base's
        device.
        """
        scheduler = cast(DDPMScheduler, DDPMScheduler.from_config(self.scheduler.config))
        return scheduler.alphas_cumprod.float().to(self.device)

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which the base computes: its own precision, with fp32 weights cast on the
        way.
        """
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def park(self, *modules: torch.nn.Module) -> None:
        """Move modules that nothing needs for now out of the device's memory."""
        if self.device.type != "cpu":
            for module in modules:
                module.to("cpu")

    @contextmanager
    def at_hand(self, *modules: torch.nn.Module) -> Iterator[None]:
        """Have modules on the device inside the context, and parked again after it if they were."""
        parked = [m for m in modules if next(m.parameters()).device.type != self.device.type]
        for module in parked:
            module.to(self.device)
        try:
            yield
        finally:
            self.park(*parked)


def base_folder(path: str) -> str:
    """The place that diffusers loads from: the packaged folder for "nano", a local path in full, a
    hub name.
    """
    local = WEIGHTS if path == "nano" else Path(path).expanduser()
    return str(local.resolve()) if local.exists() else path


def load_base(settings: Model, device: torch.device) -> Base:
    """Load and freeze every part of the base.

    Raises ModelError, naming model.path, when it is not there or is not an SDXL.
    """
    hide_progress_bars()
    pipeline = _load_pipeline(settings)
    _check_is_sdxl(pipeline, settings)
    if settings.vae is not None:
        pipeline.vae = _load_vae(settings)
    modules: list[torch.nn.Module] = [
        pipeline.unet,
        pipeline.vae,
        pipeline.text_encoder,
        pipeline.text_encoder_2,
    ]
    for module in modules:
        module.requires_grad_(False).eval().to(device)
    if settings.pooling is Pooling.eos:
        # An attribute that CLIPTextModel reads at every forward; its config keeps SDXL's historic
        # 2.
        pipeline.text_encoder_2.text_model.eos_token_id = pipeline.tokenizer_2.eos_token_id
    base = Base(
        unet=pipeline.unet,
        vae=pipeline.vae,
        text_encoder=pipeline.text_encoder,
        text_encoder_2=pipeline.text_encoder_2,
        tokenizer=pipeline.tokenizer,
        tokenizer_2=pipeline.tokenizer_2,
        scheduler=cast(
            EulerDiscreteScheduler, EulerDiscreteScheduler.from_config(pipeline.scheduler.config)
        ),
        device=device,
        dtype=_DTYPES[settings.precision],
        clip_skip=settings.clip_skip,
    )
    _check_resolution(base, settings)
    return base


def _load_pipeline(settings: Model) -> StableDiffusionXLPipeline:
    path = base_folder(settings.path)
    dtype, vae_dtype = _DTYPES[settings.precision], _DTYPES[settings.vae_precision]
    try:
        if settings.single_file:
            pipeline = StableDiffusionXLPipeline.from_single_file(path, dtype=dtype)
            pipeline.vae.to(dtype=vae_dtype)
            return pipeline
        if Path(path).exists() and not (Path(path) / "model_index.json").is_file():
            raise ModelError(
                f"model.path is {settings.path!r}: the folder has no model_index.json; "
                "allowed: a diffusers SDXL folder, a hub name, or a .safetensors file with "
                "model=sdxl_file"
            )
        _check_pipeline_class(Path(path), settings)
        return StableDiffusionXLPipeline.from_pretrained(
            path,
            revision=settings.revision,
            variant=settings.variant,
            use_safetensors=True,
            add_watermarker=False,
            # By part: a VAE that is read in 16 bits and widened afterwards keeps the rounding.
            dtype={"vae": vae_dtype, "default": dtype},
        )
    except _UNREADABLE as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"model.path is {settings.path!r}: it cannot be loaded as an SDXL ({reason}); "
            "allowed: a diffusers SDXL folder with safetensors weights, a hub name that can be "
            "reached or is in the local cache, or a .safetensors file with model=sdxl_file"
        ) from error


def _check_pipeline_class(folder: Path, settings: Model) -> None:
    index = folder / "model_index.json"
    if not index.is_file():
        return  # a hub name: its files are checked after loading
    import json

    try:
        name = json.loads(index.read_text(encoding="utf-8")).get("_class_name")
    except (ValueError, AttributeError, OSError) as error:
        raise ModelError(
            f"model.path is {settings.path!r}: its model_index.json cannot be read ({error})"
        ) from error
    if name != "StableDiffusionXLPipeline":
        raise ModelError(
            f"model.path is {settings.path!r}: it holds a {name}; "
            "allowed: StableDiffusionXLPipeline"
        )


def _check_is_sdxl(pipeline: StableDiffusionXLPipeline, settings: Model) -> None:
    unet, wrong = pipeline.unet, []
    if unet is None or unet.config.get("addition_embed_type") != "text_time":
        wrong.append("its UNet has no text_time conditioning")
    if pipeline.text_encoder is None or pipeline.text_encoder_2 is None:
        wrong.append("it has not two text encoders (a refiner cannot be trained on)")
    else:
        width = sum(
            encoder.config.hidden_size
            for encoder in (pipeline.text_encoder, pipeline.text_encoder_2)
        )
        if unet is not None and unet.config.cross_attention_dim != width:
            wrong.append(
                f"its UNet attends to {unet.config.cross_attention_dim} features, "
                f"its text encoders give {width}"
            )
    if wrong:
        raise ModelError(
            f"model.path is {settings.path!r}: it is not an SDXL base: {'; '.join(wrong)}"
        )


def _load_vae(settings: Model) -> AutoencoderKL:
    try:
        # No revision or variant: those name versions of model.path, not of another repository.
        return AutoencoderKL.from_pretrained(
            base_folder(str(settings.vae)),
            dtype=_DTYPES[settings.vae_precision],
            use_safetensors=True,
        )
    except _UNREADABLE as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"model.vae is {settings.vae!r}: it cannot be loaded ({reason})"
        ) from error


def _check_resolution(base: Base, settings: Model) -> None:
    levels = len(base.unet.config["block_out_channels"])
    multiple = base.vae_factor * 2 ** (levels - 1)
    if settings.resolution % multiple:
        raise ModelError(
            f"model.resolution is {settings.resolution}; with model.path={settings.path} it must "
            f"be a multiple of {multiple} (VAE factor {base.vae_factor} times the UNet's "
            f"{2 ** (levels - 1)})"
        )
