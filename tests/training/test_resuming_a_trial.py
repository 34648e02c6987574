"""A trial that stops, is saved, built anew and goes on is bit for bit one that did not stop."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from small_trials import ONE_BLOCK, a_trial, run, some_items, some_settings, te_modes, weights
from torch import Tensor

from lora_sweep.config.settings import (
    Adafactor,
    AdamW,
    Lora,
    Optimizer,
    PriorGenerated,
    Prodigy,
    ProdigyPlus,
    Schedule,
    Settings,
)
from lora_sweep.model.base import Base
from lora_sweep.results.checkpoint import load_checkpoint, save_checkpoint
from lora_sweep.training.loop import train

OPTIMIZERS: dict[str, Optimizer] = {
    "adamw": AdamW(lr=1e-2),
    "adafactor": Adafactor(lr=1e-2, beta1=0.9),
    "prodigy": Prodigy(d0=1e-3),
    "prodigy_plus": ProdigyPlus(d0=1e-3, te_lr=0.5),
}
STEPS, PIVOT = 4, 2
Snapshot = tuple[dict[str, Tensor], dict[str, Any]]


def as_written(snapshot: Snapshot) -> Snapshot:
    """Through the two formats of a checkpoint, without the disk."""
    tensors, meta = snapshot
    return (
        safetensors.torch.load(safetensors.torch.save(tensors)),
        json.loads(json.dumps(meta, allow_nan=False)),
    )


def straight(
    base: Base, settings: Settings
) -> tuple[list[float], dict[str, Tensor], dict[int, Snapshot]]:
    """Losses and weights of a run without a stop, and its state after each step."""
    with a_trial(base, settings, steps=STEPS) as trial:
        losses, snapshots = [], {0: as_written(trial.snapshot())}
        for result in train(trial, STEPS):
            losses.append(float(result.loss))
            snapshots[result.step] = as_written(trial.snapshot())
        return losses, weights(trial), snapshots


def check_resumes(base: Base, settings: Settings, stops: tuple[int, ...]) -> None:
    losses, final, snapshots = straight(base, settings)
    for stop in stops:
        with a_trial(base, settings, steps=STEPS) as trial:
            trial.restore(*snapshots[stop])
            assert trial.step == stop
            assert run(trial, STEPS) == losses[stop:]
            found = weights(trial)
        assert all(torch.equal(final[name], found[name]) for name in final), f"stopped at {stop}"


@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
@pytest.mark.parametrize("mode", list(te_modes()))
def test_going_on_before_at_and_after_the_pivot_is_not_having_stopped(
    base: Base, mode: str, optimizer: str
) -> None:
    settings = some_settings(te_modes(PIVOT / STEPS)[mode], OPTIMIZERS[optimizer])
    check_resumes(base, settings, stops=(1, PIVOT, 3))


@pytest.mark.parametrize("optimizer", ["adamw", "prodigy"])
def test_with_dropout_a_schedule_and_a_norm_that_clips_too(base: Base, optimizer: str) -> None:
    settings = some_settings(
        te_modes(PIVOT / STEPS)["lora"],
        OPTIMIZERS[optimizer],
        lora=Lora(rank=4, dropout=0.3, use_dora=True, blocks=ONE_BLOCK),
        max_grad_norm=0.1,
        noise_offset=0.05,
    )
    settings = replace(settings, schedule=Schedule("cosine", warmup_steps=1))
    check_resumes(base, settings, stops=(0, 1, 3))


def test_in_the_middle_of_an_epoch_with_accumulation_and_class_pictures(base: Base) -> None:
    settings = some_settings(
        te_modes(1.0)["pivotal"],
        prior=PriorGenerated(),
        batch_size=1,
        gradient_accumulation_steps=2,
    )
    classes = some_items(5, seed=3, caption="a {}")
    with a_trial(base, settings, class_items=classes) as trial:
        run(trial, 1)
        snapshot = as_written(trial.snapshot())
        losses, final = run(trial, 3), weights(trial)
    with a_trial(base, settings, class_items=classes) as trial:
        trial.restore(*snapshot)
        assert run(trial, 3) == losses
        assert all(torch.equal(final[name], value) for name, value in weights(trial).items())


@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
def test_a_checkpoint_on_disk_holds_all_of_it(base: Base, tmp_path: Path, optimizer: str) -> None:
    settings = some_settings(te_modes(PIVOT / STEPS)["pivotal"], OPTIMIZERS[optimizer])
    with a_trial(base, settings, steps=STEPS) as trial:
        run(trial, PIVOT)
        save_checkpoint(tmp_path, trial.step, *trial.snapshot())
        losses, final = run(trial, STEPS), weights(trial)
    with a_trial(base, settings, steps=STEPS) as trial:
        trial.restore(*load_checkpoint(tmp_path, PIVOT))
        assert run(trial, STEPS) == losses
        assert all(torch.equal(final[name], value) for name, value in weights(trial).items())


def test_a_snapshot_does_not_change_when_training_goes_on(base: Base) -> None:
    with a_trial(base, some_settings(te_modes(1.0)["lora"], Prodigy())) as trial:
        run(trial, 1)
        tensors, meta = trial.snapshot()
        before = {name: value.clone() for name, value in tensors.items()}, json.dumps(meta)
        run(trial, 2)
    assert all(torch.equal(tensors[name], value) for name, value in before[0].items())
    assert json.dumps(meta) == before[1]


def test_a_snapshot_names_what_its_vectors_hold(base: Base) -> None:
    with a_trial(base, some_settings(te_modes()["pivotal"])) as trial:
        tensors, meta = trial.snapshot()
        for name, group in trial.groups.items():
            sizes = [torch.Size(shape).numel() for _, shape in meta["layout"][name]]
            assert sum(sizes) == tensors[f"group.{name}"].numel() == group.vector.numel()
            assert [key for key, _ in meta["layout"][name]] == list(group.parameters)


def test_a_snapshot_under_prodigy_is_five_vectors_and_a_few_numbers(base: Base) -> None:
    # Values, p0, two moments and s.
    with a_trial(base, some_settings(te_modes()["pivotal"], Prodigy())) as trial:
        run(trial, 1)
        tensors, _ = trial.snapshot()
        trained = sum(group.vector.numel() for group in trial.groups.values())
        held = sum(value.numel() for value in tensors.values())
    assert 5 * trained <= held < 5 * trained + 16
