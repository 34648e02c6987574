"""Dynamic loss scaling for fp16, as torch.amp.GradScaler does it, on flat gradients."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from lora_sweep.training.flat import FlatGroup

FIRST_SCALE = 2.0**16
GROWTH_INTERVAL = 2000


class LossScale:
    """Keeps fp16 gradients in range; does nothing, and never waits for the device, in other
    precisions.

    As GradScaler: halved after a step whose gradients overflowed (that step is left out), doubled
    after 2,000 good steps in a row.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self.active = dtype == torch.float16
        self.value = FIRST_SCALE if self.active else 1.0
        self.good_steps = 0

    def unscale(self, groups: Iterable[FlatGroup]) -> None:
        """Divide the gradients by the scale."""
        if self.active:
            for group in groups:
                group.gradient.div_(self.value)

    def accept(self, grad_norm: Tensor) -> bool:
        """Whether the step can be taken; adapts the scale."""
        if not self.active:
            return True
        if not bool(torch.isfinite(grad_norm)):
            self.value, self.good_steps = self.value / 2, 0
            return False
        self.good_steps += 1
        if self.good_steps == GROWTH_INTERVAL:
            self.value, self.good_steps = self.value * 2, 0
        return True

    def snapshot(self) -> dict[str, float]:
        """State for a checkpoint."""
        return {"value": self.value, "good_steps": self.good_steps}

    def restore(self, state: dict[str, float]) -> None:
        """Take a snapshot's state over."""
        self.value, self.good_steps = float(state["value"]), int(state["good_steps"])
