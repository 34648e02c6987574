"""The optimizers: each equals its library over separate tensors, and goes on from a snapshot."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import safetensors.torch
import torch
from prodigyplus import ProdigyPlusScheduleFree
from toy_problem import Parameters, backward, difference, flat_groups, fresh_parameters, values
from transformers.optimization import Adafactor as LibraryAdafactor

from lora_sweep.config.settings import (
    Adafactor,
    AdamW,
    AdamW8bit,
    Optimizer,
    Prodigy,
    ProdigyPlus,
)
from lora_sweep.errors import SettingsError
from lora_sweep.training.flat import FlatGroup
from lora_sweep.training.optim import ProdigyPlusOptimizer, TrialOptimizer, build_optimizer

Library = Callable[[list[dict[str, Any]]], torch.optim.Optimizer]

ADAFACTOR = Adafactor(lr=1e-2, weight_decay=0.01, beta1=0.9, decay_rate=-0.7, clip_threshold=0.5)
PLUS = ProdigyPlus(weight_decay=0.01, d0=1e-4)

EACH: dict[str, Optimizer] = {
    "adamw": AdamW(lr=1e-2, weight_decay=0.01),
    "adafactor": ADAFACTOR,
    "adafactor relative": Adafactor(relative_step=True, scale_parameter=True, warmup_init=True),
    "prodigy": Prodigy(),
    "prodigy_plus": PLUS,
    "prodigy_plus shared": ProdigyPlus(d0=1e-4, split_groups=False, weight_decay=0.0),
    "prodigy_plus speed": ProdigyPlus(d0=1e-4, use_speed=True, prodigy_steps=15),
    "prodigy_plus plain": ProdigyPlus(d0=1e-4, use_schedulefree=False),
}


def factor_of(step: int) -> float:
    return min((step + 1) / 5, 1.0)


def groups_for(parameters: Parameters, settings: Optimizer) -> list[FlatGroup]:
    te_lr = settings.lr if isinstance(settings, Prodigy) else settings.lr / 2
    return flat_groups(
        parameters, settings.lr, settings.weight_decay, te_lr, 3 * settings.weight_decay
    )


def build(settings: Optimizer) -> tuple[Parameters, list[FlatGroup], TrialOptimizer]:
    parameters = fresh_parameters()
    groups = groups_for(parameters, settings)
    return parameters, groups, build_optimizer(settings, groups)


def train(parameters: Parameters, optimizer: TrialOptimizer, first: int, last: int) -> None:
    for step in range(first, last):
        backward(parameters, step)
        optimizer.step(factor_of(step))


def adafactor(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    return LibraryAdafactor(
        groups,
        lr=1e-2,
        beta1=0.9,
        decay_rate=-0.7,
        clip_threshold=0.5,
        scale_parameter=False,
        relative_step=False,
    )


def adamw(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    return torch.optim.AdamW(groups, betas=(0.9, 0.999), eps=1e-8)


def prodigy_plus(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    return ProdigyPlusScheduleFree(groups, d0=1e-4, stochastic_rounding=False)


@pytest.mark.parametrize(
    ("settings", "library"),
    [(EACH["adamw"], adamw), (ADAFACTOR, adafactor), (PLUS, prodigy_plus)],
    ids=["adamw", "adafactor", "prodigy_plus"],
)
def test_training_equals_the_library_over_separate_tensors(
    settings: Optimizer, library: Library
) -> None:
    ours, _, optimizer = build(settings)
    theirs = fresh_parameters()
    rates = (settings.lr, settings.lr / 2)
    decays = (settings.weight_decay, 3 * settings.weight_decay)
    reference = library(
        [
            {"params": list(own.values()), "lr": lr, "weight_decay": decay}
            for own, lr, decay in zip(theirs.values(), rates, decays, strict=True)
        ]
    )
    for step in range(60):
        backward(ours, step)
        backward(theirs, step)
        optimizer.step(factor_of(step))
        for group, lr in zip(reference.param_groups, rates, strict=True):
            group["lr"] = lr * factor_of(step)
        reference.step()
    for name in ours:
        assert difference(values(ours, name), values(fresh_parameters(), name)) > 1e-2
        assert difference(values(ours, name), values(theirs, name)) < 1e-6


def round_trip(
    tensors: dict[str, torch.Tensor], scalars: dict[str, Any]
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Through the formats of a checkpoint: safetensors, and JSON without NaN or infinity."""
    return (
        safetensors.torch.load(safetensors.torch.save(tensors)),
        json.loads(json.dumps(scalars, allow_nan=False)),
    )


@pytest.mark.parametrize("drop", [False, True], ids=["both", "dropped"])
@pytest.mark.parametrize("stop", [0, 1, 20])
@pytest.mark.parametrize("name", list(EACH))
def test_a_snapshot_goes_on_bit_for_bit(name: str, stop: int, drop: bool) -> None:
    settings = EACH[name]
    straight, groups, optimizer = build(settings)
    train(straight, optimizer, 0, stop)
    if drop:
        optimizer.drop("text")
    snapshot = round_trip(*optimizer.snapshot())
    vectors = {group.name: group.vector.detach().clone() for group in groups}
    train(straight, optimizer, stop, 40)

    resumed, groups, other = build(settings)
    for group in groups:
        group.vector.data.copy_(vectors[group.name])
    if drop:
        other.drop("text")
    other.restore(*snapshot)
    train(resumed, other, stop, 40)
    for group_name in straight:
        assert torch.equal(values(straight, group_name), values(resumed, group_name))
    assert other.effective_lr(1.0) == optimizer.effective_lr(1.0)


@pytest.mark.parametrize("name", list(EACH))
def test_a_snapshot_is_a_copy(name: str) -> None:
    parameters, _, optimizer = build(EACH[name])
    train(parameters, optimizer, 0, 3)
    tensors, scalars = optimizer.snapshot()
    before = {key: tensor.clone() for key, tensor in tensors.items()}, json.dumps(scalars)
    train(parameters, optimizer, 3, 6)
    assert all(torch.equal(tensor, before[0][key]) for key, tensor in tensors.items())
    assert json.dumps(scalars) == before[1]


@pytest.mark.parametrize("name", list(EACH))
def test_a_dropped_group_stands_still_and_has_no_state(name: str) -> None:
    parameters, _, optimizer = build(EACH[name])
    train(parameters, optimizer, 0, 10)
    optimizer.drop("text")
    frozen, moving = values(parameters, "text"), values(parameters, "unet")
    train(parameters, optimizer, 10, 15)
    assert torch.equal(values(parameters, "text"), frozen)
    assert not torch.equal(values(parameters, "unet"), moving)
    tensors, scalars = optimizer.snapshot()
    assert not [key for key in (*tensors, *scalars) if key.startswith("text")]
    assert set(optimizer.effective_lr(1.0)) == {"unet"}


@pytest.mark.parametrize("name", ["adamw", "adafactor", "prodigy", "prodigy_plus plain"])
def test_final_weights_are_the_trained_ones(name: str) -> None:
    parameters, _, optimizer = build(EACH[name])
    train(parameters, optimizer, 0, 10)
    trained = values(parameters, "unet")
    with optimizer.final_weights():
        assert torch.equal(values(parameters, "unet"), trained)


def schedule_free(steps: int) -> tuple[Parameters, ProdigyPlusScheduleFree]:
    theirs = fresh_parameters()
    groups = [
        {"params": list(theirs["unet"].values()), "lr": 1.0, "weight_decay": 0.01},
        {"params": list(theirs["text"].values()), "lr": 0.5, "weight_decay": 0.03},
    ]
    reference = ProdigyPlusScheduleFree(groups, d0=1e-4, stochastic_rounding=False)
    for step in range(steps):
        backward(theirs, step)
        for group, lr in zip(reference.param_groups, (1.0, 0.5), strict=True):
            group["lr"] = lr * factor_of(step)
        reference.step()
    return theirs, reference


def test_final_weights_of_a_schedule_free_method_are_the_librarys_average() -> None:
    parameters, _, optimizer = build(PLUS)
    train(parameters, optimizer, 0, 30)
    theirs, reference = schedule_free(30)
    reference.eval()
    trained = {name: values(parameters, name) for name in parameters}
    with optimizer.final_weights():
        for name in parameters:
            assert difference(values(parameters, name), values(theirs, name)) < 1e-6
            assert difference(values(parameters, name), trained[name]) > 1e-3
    for name in parameters:
        assert torch.equal(values(parameters, name), trained[name]), "put back bit for bit"


def test_looking_at_final_weights_changes_nothing_later() -> None:
    looked, _, one = build(PLUS)
    plain, _, other = build(PLUS)
    for step in range(20):
        train(looked, one, step, step + 1)
        with one.final_weights():
            pass
    train(plain, other, 0, 20)
    for name in plain:
        assert torch.equal(values(looked, name), values(plain, name))


def test_a_group_that_leaves_a_schedule_free_method_keeps_its_average() -> None:
    parameters, _, optimizer = build(PLUS)
    train(parameters, optimizer, 0, 30)
    with optimizer.final_weights():
        average = values(parameters, "text")
    optimizer.drop("text")
    assert torch.equal(values(parameters, "text"), average)
    train(parameters, optimizer, 30, 32)
    with optimizer.final_weights():
        assert torch.equal(values(parameters, "text"), average)


def test_rates_shown_are_those_of_the_step_to_come() -> None:
    _, _, adam = build(EACH["adamw"])
    assert adam.effective_lr(0.5) == {"unet": 0.5e-2, "text": 0.25e-2}
    _, _, plus = build(PLUS)
    assert isinstance(plus, ProdigyPlusOptimizer)
    plus.optimizer.param_groups[0]["d"] = 0.2
    assert plus.effective_lr(0.5) == {"unet": 0.2 * 0.5, "text": pytest.approx(1e-4 * 0.25)}
    parameters, _, prodigy = build(EACH["prodigy"])
    train(parameters, prodigy, 0, 60)
    rates = prodigy.effective_lr(0.5)
    assert float(rates["unet"]) == float(rates["text"]) > 0.5e-6


def test_adamw8bit_is_refused_without_a_gpu() -> None:
    with pytest.raises(SettingsError, match=r"adamw8bit.*CUDA GPU.*bitsandbytes.*adamw, prodigy"):
        build_optimizer(AdamW8bit(), groups_for(fresh_parameters(), AdamW8bit()))


def test_an_unknown_optimizer_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match=r"optimizer\.name is 'lion'"):
        build_optimizer(Optimizer(name="lion"), groups_for(fresh_parameters(), Optimizer()))


def test_no_optimizer_draws_from_the_global_generator() -> None:
    before = torch.get_rng_state()
    for settings in EACH.values():
        parameters, _, optimizer = build(settings)
        train(parameters, optimizer, 0, 3)
    assert torch.equal(torch.get_rng_state(), before)
