"""The device that a process computes on."""

from __future__ import annotations

import torch
from accelerate import Accelerator

from lora_sweep.config.settings import Device, Precision, Settings
from lora_sweep.errors import SettingsError


def open_device(settings: Settings) -> torch.device:
    """Choose the device and set what holds for the whole process: threads, TF32.

    Raises SettingsError when the asked-for device or precision is not to be had.
    """
    wanted, precision = settings.train.device, settings.model.precision
    if wanted is Device.cuda and not torch.cuda.is_available():
        raise SettingsError(
            ["train.device is cuda, but torch finds no CUDA GPU; allowed here: auto, cpu"]
        )
    device = Accelerator(cpu=wanted is Device.cpu).device
    if device.type == "cpu" and precision is Precision.fp16:
        raise SettingsError(
            ["model.precision is fp16 on the CPU, which has too few fp16 operations; "
             "allowed: fp32, bf16"]
        )  # fmt: skip
    if device.type == "cpu":
        # A setting and not the machine's core count: sums are split by threads, and so are their bits.
        torch.set_num_threads(settings.train.threads)
    torch.backends.cuda.matmul.allow_tf32 = settings.train.allow_tf32
    torch.backends.cudnn.allow_tf32 = settings.train.allow_tf32
    return device
