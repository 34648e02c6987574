"""A trial that needs more memory than there is: told from other faults, and what to say of it."""

from __future__ import annotations

import gc
import re
import traceback

import torch

from lora_sweep.sweep.cost.machine import available_memory as available_main_memory
from lora_sweep.sweep.memory import gib, predicted_memory
from lora_sweep.sweep.request import TrialRequest

# What torch's CPU allocator says: "DefaultCPUAllocator: can't allocate memory: you tried to
# allocate 40 bytes", or "not enough memory: …" on Windows.
_CPU_ALLOCATOR = re.compile(r"DefaultCPUAllocator|std::bad_alloc")
_BYTES = re.compile(r"tried to allocate (\d+) bytes", re.IGNORECASE)
_AMOUNT = re.compile(r"tried to allocate ([\d.]+ [KMGT]iB)", re.IGNORECASE)  # of a GPU


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed, on a GPU or in main memory."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and bool(_CPU_ALLOCATOR.search(str(error)))


def memory_message(error: BaseException, request: TrialRequest) -> str:
    """What was needed and what there was, in one line, with what to do."""
    predicted, available = predicted_memory(request), available_memory()
    facts: list[str] = []
    if asked := asked_for(error):
        facts.append(f"an allocation of {asked} failed")
    facts.append(f"predicted were {gib(predicted)}")
    facts.append(f"available are {gib(available)}")
    return f"out of memory: {', '.join(facts)}; {remedy(request)}"


def remedy(request: TrialRequest) -> str:
    """What in the trial's settings takes less memory."""
    train, model = request.settings.train, request.settings.model
    less = [
        f"train.batch_size below {train.batch_size}" if train.batch_size > 1 else "",
        "" if train.gradient_checkpointing else "train.gradient_checkpointing=true",
        "model.precision=bf16" if model.precision.value == "fp32" else "",
        f"model.resolution below {model.resolution}",
        "train.fit_memory=auto, which chooses",
    ]
    return f"less is needed with {' or '.join(each for each in less if each)}"


def asked_for(error: BaseException) -> str | None:
    """The size of the allocation that failed, if the error tells."""
    if found := _BYTES.search(str(error)):
        return gib(int(found[1]))
    found = _AMOUNT.search(str(error))
    return found and found[1]


def available_memory() -> int | None:
    """Bytes free on the GPU that this process uses, else in main memory and its group's limit."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        free, _ = torch.cuda.mem_get_info()
        return free
    return available_main_memory()


def release_memory(error: BaseException) -> None:
    """Let go of what the frames of an error hold, so that the next trial has the memory."""
    seen: BaseException | None = error
    while seen is not None:
        traceback.clear_frames(seen.__traceback__)
        seen.__traceback__ = None
        seen = seen.__cause__ or seen.__context__
    gc.collect()
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
