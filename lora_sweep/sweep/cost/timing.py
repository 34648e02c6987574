"""Seconds of real steps, and the peak of memory. Imports torch: only for `calibrate`."""

from __future__ import annotations

import contextlib
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from lora_sweep.config.resolve import has_text_phase
from lora_sweep.config.settings import Settings
from lora_sweep.training.loop import train
from lora_sweep.training.trial import Trial

TIMED_STEPS = 3
ENOUGH_SECONDS = 1.0  # of one phase: slow steps are timed once
NEVER = 10**9  # a pivot, or an end, that does not come


class Clock:
    """Seconds of a block: of CPU time for one CPU thread, so that what else the machine is doing
    now does not count; else by the clock on the wall.
    """

    def __init__(self, settings: Settings, device: torch.device) -> None:
        self._is_cuda = device.type == "cuda"
        alone = not self._is_cuda and settings.train.threads == 1
        self._now = time.process_time if alone else time.perf_counter
        self.seconds = 0.0

    def __enter__(self) -> Clock:
        self._wait()
        self._began = self._now()
        return self

    def __exit__(self, *_: object) -> None:
        self._wait()
        self.seconds = self._now() - self._began

    def _wait(self) -> None:
        if self._is_cuda:
            torch.cuda.synchronize()


def timed_steps(trial: Trial) -> Iterator[dict[str, Any]]:
    """Seconds of a step before the pivot, if there are any, and after it."""
    steps = train(trial, NEVER)
    if has_text_phase(trial.settings):
        trial.pivot_step = NEVER
        yield {"text": True, **_timed(steps, trial)}
        trial.freeze_text()
    yield {"text": False, **_timed(steps, trial)}


def _timed(steps: Iterator[object], trial: Trial) -> dict[str, float | int]:
    """Seconds of a step, the first left out; and the peak of memory so far."""
    next(steps)
    seconds: list[float] = []
    while len(seconds) < TIMED_STEPS and sum(seconds) < ENOUGH_SECONDS:
        with Clock(trial.settings, trial.base.device) as step:
            next(steps)
        seconds.append(step.seconds)
    return {"seconds": statistics.median(seconds), "memory": peak_memory()}


def reset_peak() -> None:
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()
    else:
        with contextlib.suppress(OSError):  # Linux; elsewhere the peak is that of all so far
            Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> int:
    """Bytes: of the GPU where there is one, else resident, since the last reset."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        return int(torch.cuda.max_memory_allocated())
    with contextlib.suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/self/status").read_text().splitlines()
        row = next(line for line in lines if line.startswith("VmHWM:"))
        return int(row.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
