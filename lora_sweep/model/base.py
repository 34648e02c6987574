"""The frozen SDXL: loading it once, and the numbers about it that the rest of the project needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from weakref import WeakSet

import torch
from diffusers import (
    AutoencoderKL,
    DDPMScheduler,
    EulerDiscreteScheduler,
    UNet2DConditionModel,
)
from safetensors import SafetensorError
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from lora_sweep.config.settings import Model, Pooling, Precision
from lora_sweep.errors import ModelError
from lora_sweep.model.check_parts import check_parts, check_resolution, check_vae_precision
from lora_sweep.model.folder import load_folder
from lora_sweep.model.folder_files import missing_files, parts_without, read_files
from lora_sweep.model.hub import hub_folder, is_hub_name
from lora_sweep.model.main_memory import is_worth_keeping_free, page_out
from lora_sweep.model.noise_schedule import build_scheduler
from lora_sweep.model.parts import Parts
from lora_sweep.model.single_file import load_single_file
from lora_sweep.model.vae import load_vae
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


_ALLOWED = (
    "a diffusers SDXL folder with safetensors weights, a hub name that can be reached or is in the "
    "local cache, or a .safetensors file with model=sdxl_file"
)


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
    parked: WeakSet[torch.nn.Module] = field(default_factory=WeakSet)  # nothing needs them for now

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

    def send(self, values: Tensor) -> Tensor:
        """Values from the CPU on the device, without waiting for what that is still computing."""
        if self.device.type != "cuda":
            return values.to(self.device)
        # From ordinary memory CUDA first lets all that was asked for before come to its end.
        return values.pin_memory().to(self.device, non_blocking=True)

    @property
    def is_large_on_cpu(self) -> bool:
        """Whether it is worth time to keep main memory free for it."""
        size = sum(each.numel() * each.element_size() for each in self.unet.parameters())
        return is_worth_keeping_free(self.device.type, size)

    def park(self, *modules: torch.nn.Module) -> None:
        """Move modules that nothing needs for now out of the device's memory."""
        is_large = self.is_large_on_cpu
        for module in modules:
            self.parked.add(module)
            module.to("cpu")
            if is_large:
                page_out(module)

    def bring(self, *modules: torch.nn.Module) -> None:
        """Have modules on the device until they are parked."""
        for module in modules:
            self.parked.discard(module)
            module.to(self.device)

    @contextmanager
    def at_hand(self, *modules: torch.nn.Module) -> Iterator[None]:
        """Have modules on the device inside the context, and parked again after it if they were."""
        parked = [module for module in modules if not self._is_here(module)]
        self.bring(*parked)
        try:
            yield
        finally:
            self.park(*parked)

    @contextmanager
    def only(self, *modules: torch.nn.Module) -> Iterator[None]:
        """Have these modules on the device inside the context, and all others outside of it: for
        pictures, whose activations need the room.
        """
        parts: list[torch.nn.Module] = [self.unet, self.vae, *self.text_encoders]
        others = [part for part in parts if part not in modules and self._is_here(part)]
        self.park(*others)
        try:
            with self.at_hand(*modules):
                yield
        finally:
            self.bring(*others)

    def _is_here(self, module: torch.nn.Module) -> bool:
        on_device = next(module.parameters()).device.type == self.device.type
        return on_device and module not in self.parked


def base_folder(path: str) -> str:
    """The place that diffusers loads from: the packaged folder for "nano", a local path in full, a
    hub name.
    """
    local = WEIGHTS if path == "nano" else Path(path).expanduser()
    return str(local.resolve()) if local.exists() else path


def load_base(settings: Model, device: torch.device) -> Base:
    """Load and freeze every part of the base.

    Raises ModelError, naming model.path or model.vae, when it is not there or is not an SDXL.
    """
    hide_progress_bars()
    vae = None
    if settings.vae is not None:
        with _told_of(f"model.vae is {settings.vae!r}", "a diffusers folder, file or hub name"):
            vae = load_vae(base_folder(settings.vae), _DTYPES[settings.vae_precision])
    with _told_of(f"model.path is {settings.path!r}", _ALLOWED):
        parts = _load_parts(settings, vae)
        check_parts(parts)
        scheduler = build_scheduler(parts.scheduler_config, settings)
    check_vae_precision(parts.vae, settings)
    check_resolution(parts, settings)
    modules: list[torch.nn.Module] = [
        parts.unet,
        parts.vae,
        parts.text_encoder,
        parts.text_encoder_2,
    ]
    for module in modules:
        module.requires_grad_(False).eval()
    parts.unet.to(device)  # type: ignore[arg-type]  # the others when they are needed
    if settings.pooling is Pooling.eos:
        # An attribute that CLIPTextModel reads at every forward; its config keeps SDXL's historic
        # 2.
        text_model: Any = parts.text_encoder_2.text_model
        text_model.eos_token_id = parts.tokenizer_2.eos_token_id
    return Base(
        unet=parts.unet,
        vae=parts.vae,
        text_encoder=parts.text_encoder,
        text_encoder_2=parts.text_encoder_2,
        tokenizer=parts.tokenizer,
        tokenizer_2=parts.tokenizer_2,
        scheduler=scheduler,
        device=device,
        dtype=_DTYPES[settings.precision],
        clip_skip=settings.clip_skip,
        parked=WeakSet(modules[1:]),
    )


def _load_parts(settings: Model, vae: AutoencoderKL | None) -> Parts:
    path, dtype = Path(base_folder(settings.path)), _DTYPES[settings.precision]
    its_vae = _DTYPES[settings.vae_precision] if vae is None else vae
    if settings.single_file:
        if not path.is_file():
            raise ModelError("there is no such file")
        return load_single_file(path, dtype, its_vae)
    if path.is_file():
        raise ModelError("it is a file; model=sdxl_file takes one (or model.single_file=true)")
    if not path.is_dir():
        path = _hub_base(settings)
    return load_folder(path, settings.variant, dtype, its_vae)


def _hub_base(settings: Model) -> Path:
    if not is_hub_name(settings.path):
        raise ModelError("there is no such folder")
    parts, variant = parts_without(settings.vae), settings.variant
    return hub_folder(
        settings.path,
        settings.revision,
        wanted=lambda names: read_files(names, variant, parts),
        missing=lambda names: missing_files(names, variant, parts),
    )


@contextmanager
def _told_of(place: str, allowed: str) -> Iterator[None]:
    """Whatever goes wrong becomes a ModelError that begins with the setting."""
    try:
        yield
    except ModelError as error:
        said = str(error)
        if said.startswith("model."):
            raise
        raise ModelError(f"{place}: {said}") from error
    except _UNREADABLE as error:
        lines = str(error).strip().splitlines()
        reason = lines[0] if lines else type(error).__name__
        raise ModelError(f"{place}: it cannot be loaded ({reason}); allowed: {allowed}") from error
