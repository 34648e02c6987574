"""Optimizer state that lies in main memory while forward and backward run on a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from lora_sweep.training.optim import Scalars, TrialOptimizer


class Offloaded:
    """An optimizer whose state is on the device only while it steps: the same arithmetic, the same
    numbers, and two copies of the state over the bus for each step.
    """

    def __init__(self, optimizer: TrialOptimizer, device: torch.device) -> None:
        self._optimizer = optimizer
        self._device = device
        optimizer.place_state(torch.device("cpu"))

    @contextmanager
    def _at_hand(self) -> Iterator[None]:
        self._optimizer.place_state(self._device)
        try:
            yield
        finally:
            self._optimizer.place_state(torch.device("cpu"))

    def step(self, factor: float) -> None:
        with self._at_hand():
            self._optimizer.step(factor)

    def drop(self, name: str) -> None:
        with self._at_hand():  # an averaging optimizer looks at its state once more
            self._optimizer.drop(name)

    def effective_lr(self, factor: float) -> dict[str, Tensor | float]:
        return self._optimizer.effective_lr(factor)

    def place_state(self, device: torch.device) -> None:
        self._optimizer.place_state(device)

    def snapshot(self) -> tuple[dict[str, Tensor], Scalars]:
        return self._optimizer.snapshot()

    def restore(self, tensors: dict[str, Tensor], scalars: Scalars) -> None:
        with self._at_hand():
            self._optimizer.restore(tensors, scalars)

    @contextmanager
    def final_weights(self) -> Iterator[Any]:
        with self._at_hand(), self._optimizer.final_weights():
            yield
