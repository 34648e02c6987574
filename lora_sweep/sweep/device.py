"""The device that a process computes on."""

from __future__ import annotations

import os

import torch

from lora_sweep.config.settings import AdamW8bit, Device, Precision, Settings
from lora_sweep.training.ranks import ranks


def device_problems(settings: Settings) -> list[str]:
    """What the settings ask of this machine that it has not got."""
    if torch.cuda.is_available() or settings.train.device is Device.cpu:
        return []  # what cannot be on the CPU, the rules of the settings say
    if settings.train.device is Device.cuda:
        return ["train.device=cuda: torch finds no CUDA GPU here; must be auto or cpu"]
    found = [
        f"model.{name}=fp16: must be fp32 or bf16 here, where torch finds no CUDA GPU"
        for name in ("precision", "vae_precision")
        if getattr(settings.model, name) is Precision.fp16
    ]
    if isinstance(settings.optimizer, AdamW8bit):
        found.append(
            "optimizer=adamw8bit: needs a CUDA GPU, and torch finds none here; use optimizer=adamw"
        )
    return found


def open_device(settings: Settings) -> torch.device:
    """Choose the device and set what holds for the whole process: threads, TF32."""
    if settings.train.device is not Device.cpu and torch.cuda.is_available():
        torch.backends.cuda.matmul.allow_tf32 = settings.train.allow_tf32
        torch.backends.cudnn.allow_tf32 = settings.train.allow_tf32
        # Of several processes that train together, each has the GPU that its launcher says.
        index = int(os.environ["LOCAL_RANK"]) if ranks().count > 1 else 0
        torch.cuda.set_device(index)
        return torch.device("cuda", index)
    # A setting and not the machine's core count: sums are split by threads, and so are their bits.
    torch.set_num_threads(settings.train.threads)
    return torch.device("cpu")
