"""Learning-rate factors and the pivot as functions of the step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from diffusers.optimization import get_scheduler

from lora_sweep.config.settings import PivotRounding, Schedule


def lr_factor(settings: Schedule, max_train_steps: int) -> Callable[[int], float]:
    """The factor on every learning rate at optimizer step k, counted from 0; diffusers' own schedules.

    Warm-up is counted in optimizer steps, whatever the accumulation or number of processes.
    """
    carrier = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = get_scheduler(
        settings.name,
        carrier,
        num_warmup_steps=settings.warmup_steps,
        num_training_steps=max_train_steps,
        num_cycles=settings.num_cycles,
        power=settings.power,
    )
    factor: Callable[[int], float] = schedule.lr_lambdas[0]  # type: ignore[attr-defined]
    return lambda step: float(factor(step))


def pivot_step(
    frac: float, max_train_steps: int, rounding: PivotRounding, steps_per_epoch: int
) -> int:
    """The first step at which the text side no longer trains; max_train_steps when it always does.

    `exact` is round(frac * steps); `epoch` is the start of epoch int(frac * epochs), as in the script
    (lines 2083-2115), which may be step 0.
    """
    if rounding is PivotRounding.epoch:
        epochs = -(-max_train_steps // steps_per_epoch)
        return min(int(frac * epochs) * steps_per_epoch, max_train_steps)
    return min(int(frac * max_train_steps + 0.5), max_train_steps)
