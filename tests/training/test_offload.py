"""Offloaded optimizer state: the same numbers, and on the device only while it steps."""

from __future__ import annotations

import pytest
import torch
from small_trials import a_trial, run, some_settings, te_modes, weights

from lora_sweep.config.settings import Adafactor, AdamW, Optimizer, Prodigy, ProdigyPlus
from lora_sweep.model.base import Base
from lora_sweep.training import trial as trial_module
from lora_sweep.training.offload import Offloaded

OPTIMIZERS: list[Optimizer] = [Prodigy(), AdamW(lr=1e-3), Adafactor(), ProdigyPlus()]


def offloading(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Offload on the CPU, too; gives the places that states were put in, and steps between."""
    told: list[str] = []

    class Told(Offloaded):
        def __init__(self, optimizer: trial_module.TrialOptimizer, device: torch.device) -> None:
            step, place = optimizer.step, optimizer.place_state

            def stepping(factor: float) -> None:
                told.append("step")
                step(factor)

            def placing(to: torch.device) -> None:
                told.append(to.type)
                place(torch.device("cpu"))

            monkeypatch.setattr(optimizer, "step", stepping)
            monkeypatch.setattr(optimizer, "place_state", placing)
            super().__init__(optimizer, device)

    def build(base: Base, settings: object, groups: object) -> object:
        inner = trial_module.build_optimizer(settings.optimizer, groups)  # type: ignore[attr-defined, arg-type]
        return Told(inner, torch.device("cuda"))

    monkeypatch.setattr(trial_module, "_optimizer", build)
    return told


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda each: each.name)
def test_the_same_bytes_with_state_elsewhere_through_pivot_and_resuming(
    base: Base, optimizer: Optimizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = some_settings(te_modes(0.5)["pivotal"], optimizer, max_grad_norm=None)

    def trained() -> dict[str, torch.Tensor]:
        with a_trial(base, settings, steps=4) as trial:
            run(trial, 1)
            snapshot = trial.snapshot()
        with a_trial(base, settings, steps=4) as trial:
            trial.restore(*snapshot)
            run(trial, 4)
            return weights(trial)

    plain = trained()
    told = offloading(monkeypatch)
    moved = trained()
    assert all(torch.equal(plain[name], moved[name]) for name in plain)
    places = [index for index, word in enumerate(told) if word == "step"]
    assert len(places) == 4
    assert all(told[i - 1] == "cuda" and told[i + 1] == "cpu" for i in places)


def test_on_the_cpu_there_is_nothing_to_offload_to(base: Base) -> None:
    with a_trial(base, some_settings(offload_optimizer=True)) as trial:
        assert not isinstance(trial.optimizer, Offloaded)
