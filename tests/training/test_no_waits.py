"""A step never asks the device for a number: on a GPU that would wait for all that was begun."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_trials import a_trial, run, some_settings
from torch.utils._python_dispatch import TorchDispatchMode

from lora_sweep.config.settings import AdamW, Optimizer, Prodigy
from lora_sweep.model.base import Base
from lora_sweep.training.step import train_step

WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "equal")
"""Operations whose result, or its size, has to be known on the CPU."""


class Waits(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name in WAITS:
            self.found.append(name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("optimizer", [Prodigy(), AdamW(lr=1e-3)], ids=lambda o: o.name)
def test_nothing_in_a_step_waits_for_the_device(base: Base, optimizer: Optimizer) -> None:
    settings = some_settings(optimizer=optimizer, gamma=5.0, noise_offset=0.1)
    with a_trial(base, settings) as trial:
        run(trial, 1)
        with Waits() as waits:
            train_step(trial, base.unet)
    allowed = ["_local_scalar_dense"] if isinstance(optimizer, AdamW) else []
    assert waits.found == allowed, "AdamW's step count, which is on the CPU"


def test_values_go_to_a_gpu_without_waiting(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    class Pinned(torch.Tensor):
        def pin_memory(self, device: Any = None) -> Any:
            return self

        def to(self, *arguments: Any, **options: Any) -> Any:
            asked.append(options)
            return self

    monkeypatch.setattr(base, "device", torch.device("cuda"))
    base.send(torch.zeros(2).as_subclass(Pinned))
    assert asked == [{"non_blocking": True}]
