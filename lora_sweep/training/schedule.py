"""Learning-rate factors and the pivot as functions of the step; the pivot's needs no torch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from diffusers.optimization import get_scheduler

from lora_sweep.config.resolve import pivot_step
from lora_sweep.config.settings import Schedule

__all__ = ["lr_factor", "pivot_step"]


def lr_factor(settings: Schedule, max_train_steps: int) -> Callable[[int], float]:
    """The factor on every learning rate at optimizer step k, counted from 0; diffusers' own
    schedules.

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
