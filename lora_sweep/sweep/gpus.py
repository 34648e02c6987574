"""Which GPUs of this machine workers may have: those that are visible and have room. No torch."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence

from lora_sweep.config.settings import Device, Settings
from lora_sweep.results.progress import say
from lora_sweep.sweep.cost.machine import visible_gpus
from lora_sweep.sweep.memory import gib, predicted_memory
from lora_sweep.sweep.request import TrialRequest
from lora_sweep.sweep.unit import Unit

VISIBLE = "CUDA_VISIBLE_DEVICES"


def gpus_for(units: Sequence[Unit], say: Callable[[str], None] = say) -> list[str]:
    """The GPUs that workers may share out, each as CUDA_VISIBLE_DEVICES names it.

    Those where less memory is free than the trials are expected to need are left out, which is
    said, unless that are all: an expectation may be wrong.
    """
    names = visible_names(units[0].requests[0].settings)
    if not names:
        return []
    needed = max((predicted_memory(request) or 0 for request in _different(units)), default=0)
    free = free_memory()
    short = [name for name in names if name in free and free[name] < needed]
    for name in short:
        words = f"GPU {name}: {gib(free[name])} are free, and trials are expected to need "
        used = "; it is used all the same" if len(short) == len(names) else "; it is left out"
        say(f"{words}{gib(needed)}{used}")
    return names if len(short) == len(names) else [name for name in names if name not in short]


def visible_names(settings: Settings) -> list[str]:
    """The GPUs that this process sees; none for trials on the CPU."""
    if settings.train.device is Device.cpu:
        return []
    count = len(visible_gpus())
    named = [name.strip() for name in os.environ.get(VISIBLE, "").split(",") if name.strip()]
    return named[:count] if len(named) >= count else [str(index) for index in range(count)]


def free_memory() -> Mapping[str, int]:
    """Bytes that are free on each GPU of the machine, by its index and by its UUID; empty where
    nvidia-smi does not tell.
    """
    if shutil.which("nvidia-smi") is None:
        return {}
    asked = ["nvidia-smi", "--query-gpu=index,uuid,memory.free", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True).stdout
        rows = [[cell.strip() for cell in line.split(",")] for line in told.splitlines()]
        found = [(index, uuid, int(free) * 2**20) for index, uuid, free in rows]
    except (OSError, ValueError, subprocess.SubprocessError):
        return {}
    return {name: free for index, uuid, free in found for name in (index, uuid)}


def _different(units: Sequence[Unit]) -> list[TrialRequest]:
    """A trial for each kind that may need another amount of memory."""
    found: dict[object, TrialRequest] = {}
    for unit in units:
        for request in unit.requests:
            s = request.settings
            kind = (s.model, s.optimizer.name, s.te_mode.name, s.lora, s.train.batch_size,
                    s.train.gradient_checkpointing, s.prior.name)  # fmt: skip
            found.setdefault(kind, request)
    return list(found.values())
