"""Prodigy on flat vectors, against prodigyopt."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from prodigyopt import Prodigy as Reference
from toy_problem import (
    Parameters,
    backward,
    difference,
    flat_groups,
    fresh_parameters,
    gradients,
    values,
)

from lora_sweep.config.settings import Prodigy
from lora_sweep.training.prodigy import FlatProdigy

STEPS = 220


def reference(parameters: Parameters, c: Prodigy, te_lr: float, te_decay: float) -> Reference:
    groups = [
        {"params": list(parameters["unet"].values()), "lr": c.lr, "weight_decay": c.weight_decay},
        {"params": list(parameters["text"].values()), "lr": te_lr, "weight_decay": te_decay},
    ]
    return Reference(
        groups,
        lr=c.lr,
        betas=(c.beta1, c.beta2),
        beta3=c.beta3,
        eps=c.eps,
        decouple=c.decouple,
        use_bias_correction=c.use_bias_correction,
        safeguard_warmup=c.safeguard_warmup,
        d0=c.d0,
        d_coef=c.d_coef,
        growth_rate=math.inf if c.growth_rate is None else c.growth_rate,
        slice_p=c.slice_p,
    )


def set_factor(optimizer: Reference, c: Prodigy, factor: float, te_lr: float) -> None:
    for group, lr in zip(optimizer.param_groups, (c.lr, te_lr), strict=True):
        group["lr"] = lr * factor


def warm_up(step: int) -> float:
    """0 at the first step, then a ramp, then a decay: every way in which a rate may move."""
    return min(step / 10, 1.0) * (1.0 if step < 120 else 0.5)


VARIANTS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "weight decay": {"weight_decay": 0.1},
    "coupled weight decay": {"weight_decay": 0.1, "decouple": False},
    "no bias correction": {"use_bias_correction": False},
    "no safeguard": {"safeguard_warmup": False},
    "slices": {"slice_p": 6},
    "growth": {"growth_rate": 1.1},
    "beta3": {"beta3": 0.9},
    "d_coef": {"d_coef": 2.0},
    "rate": {"lr": 0.5},
    "no momentum": {"beta1": 0.0},
    "larger d0": {"d0": 1e-4, "eps": 1e-6},
}


@pytest.mark.parametrize("ramp", [False, True], ids=["constant", "ramp"])
@pytest.mark.parametrize("name", list(VARIANTS))
def test_weights_and_step_size_are_those_of_prodigyopt(name: str, ramp: bool) -> None:
    c = replace(Prodigy(weight_decay=0.0), **VARIANTS[name])
    ours, theirs = fresh_parameters(), fresh_parameters()
    te_decay = 3 * c.weight_decay
    flat = FlatProdigy(flat_groups(ours, c.lr, c.weight_decay, te_weight_decay=te_decay), c)
    library = reference(theirs, c, c.lr, te_decay)
    for step in range(STEPS):
        factor = warm_up(step) if ramp else 1.0
        backward(ours, step)
        backward(theirs, step)
        flat.step(factor)
        set_factor(library, c, factor, c.lr)
        library.step()
    d = library.param_groups[0]["d"]
    assert d > 50 * c.d0, "the estimate must have moved for this to say anything"
    assert float(flat.d) == pytest.approx(d, rel=1e-5)
    assert float(flat.d_max) == pytest.approx(library.param_groups[0]["d_max"], rel=1e-5)
    assert flat.steps == library.param_groups[0]["k"]
    for group in ("unet", "text"):
        assert difference(values(ours, group), values(theirs, group)) < 1e-5


def test_a_group_with_rate_0_is_left_out_as_in_prodigyopt_and_does_not_decay() -> None:
    c = Prodigy(weight_decay=0.0)
    ours, theirs = fresh_parameters(), fresh_parameters()
    flat = FlatProdigy(flat_groups(ours, 1.0, 0.0, te_lr=0.0, te_weight_decay=0.1), c)
    library = reference(theirs, c, 0.0, 0.0)
    for step in range(STEPS):
        backward(ours, step)
        backward(theirs, step)
        flat.step(1.0)
        library.step()
    assert float(flat.d) == pytest.approx(library.param_groups[0]["d"], rel=1e-5)
    assert difference(values(ours, "unet"), values(theirs, "unet")) < 1e-5
    assert torch.equal(values(ours, "text"), values(fresh_parameters(), "text"))


def test_a_factor_of_0_is_no_step() -> None:
    parameters = fresh_parameters()
    flat = FlatProdigy(flat_groups(parameters, 1.0, 0.1), Prodigy())
    before = {name: tensor.clone() for name, tensor in flat.tensors().items()}
    backward(parameters, 0)
    flat.step(0.0)
    assert all(torch.equal(before[name], tensor) for name, tensor in flat.tensors().items())
    assert torch.equal(values(parameters, "unet"), values(fresh_parameters(), "unet"))


def test_the_effective_rate_is_d_times_lr_times_the_factor() -> None:
    parameters = fresh_parameters()
    flat = FlatProdigy(flat_groups(parameters, 0.5, 0.0, te_lr=0.0), Prodigy(lr=0.5))
    flat.d = torch.tensor(0.02, dtype=torch.float64)
    rates = {name: float(rate) for name, rate in flat.effective_lr(0.1).items()}
    assert rates == {"unet": pytest.approx(0.001), "text": 0.0}


def test_in_prodigyopt_a_group_whose_rate_becomes_0_keeps_moving() -> None:
    # The reason why a group leaves here: a rate of 0 is no freeze.
    c = Prodigy()
    parameters = fresh_parameters()
    library = reference(parameters, c, 1.0, 0.0)
    for step in range(50):
        backward(parameters, step)
        library.step()
    frozen = values(parameters, "text")
    set_factor(library, c, 1.0, 0.0)
    for step in range(50, 60):
        backward(parameters, step)
        library.step()
    assert difference(values(parameters, "text"), frozen) > 1e-3


def test_a_dropped_group_never_moves_again() -> None:
    parameters = fresh_parameters()
    flat = FlatProdigy(flat_groups(parameters, 1.0, 0.01), Prodigy())
    for step in range(50):
        backward(parameters, step)
        flat.step(1.0)
    flat.drop("text")
    frozen, moving = values(parameters, "text"), values(parameters, "unet")
    for step in range(50, 60):
        backward(parameters, step)
        flat.step(1.0)
    assert torch.equal(values(parameters, "text"), frozen)
    assert difference(values(parameters, "unet"), moving) > 1e-3
    assert not any(name.startswith("text.") for name in flat.tensors())
    assert set(flat.effective_lr(1.0)) == {"unet"}


def test_a_dropped_group_takes_its_part_of_numerator_and_denominator_along() -> None:
    """The oracle: prodigyopt over the first group alone, given its part of the joint state."""
    c = Prodigy(weight_decay=0.0)
    ours, theirs = fresh_parameters(), fresh_parameters()
    flat = FlatProdigy(flat_groups(ours, 1.0, 0.0), c)
    joint = reference(theirs, c, 1.0, 0.0)
    start = values(theirs, "unet")
    numerator, beta3 = 0.0, math.sqrt(c.beta2)
    for step in range(40):
        backward(ours, step)
        backward(theirs, step)
        d, k = joint.param_groups[0]["d"], joint.param_groups[0]["k"]
        correction = math.sqrt(1 - c.beta2 ** (k + 1)) / (1 - c.beta1 ** (k + 1))
        gradient = gradients(theirs, "unet")
        progress = float(torch.dot(gradient, start - values(theirs, "unet")))
        numerator = beta3 * numerator + d / c.d0 * d * correction * progress
        flat.step(1.0)
        joint.step()
    alone = Reference(
        list(theirs["unet"].values()),
        lr=1.0,
        betas=(c.beta1, c.beta2),
        use_bias_correction=True,
        safeguard_warmup=True,
    )
    for key in ("d", "d_max", "k"):
        alone.param_groups[0][key] = joint.param_groups[0][key]
    alone.param_groups[0]["d_numerator"] = numerator
    for parameter in theirs["unet"].values():
        alone.state[parameter] = joint.state[parameter]
    flat.drop("text")
    for step in range(40, 120):
        for one in (ours, theirs):
            one["text"]["rows"].data.copy_(fresh_parameters()["text"]["rows"].data)
            backward(one, step)
        flat.step(1.0)
        alone.step()
    assert float(flat.d) == pytest.approx(alone.param_groups[0]["d"], rel=1e-5)
    assert difference(values(ours, "unet"), values(theirs, "unet")) < 1e-5


@pytest.mark.parametrize("drop", [False, True])
def test_saved_and_loaded_state_goes_on_bit_for_bit(drop: bool) -> None:
    def build() -> tuple[Parameters, FlatProdigy]:
        parameters = fresh_parameters()
        return parameters, FlatProdigy(flat_groups(parameters, 1.0, 0.01), Prodigy())

    def steps(parameters: Parameters, flat: FlatProdigy, first: int, last: int) -> None:
        for step in range(first, last):
            backward(parameters, step)
            flat.step(warm_up(step))

    straight, flat = build()
    steps(straight, flat, 0, 20)
    if drop:
        flat.drop("text")
    saved = {name: tensor.clone() for name, tensor in flat.tensors().items()}
    at_20 = {name: values(straight, name) for name in straight}
    steps(straight, flat, 20, 40)

    resumed, other = build()
    for group in other.groups:
        group.vector.data.copy_(at_20[group.name])
    if drop:
        other.drop("text")
    other.load(saved)
    steps(resumed, other, 20, 40)
    for name in straight:
        assert torch.equal(values(straight, name), values(resumed, name))
    assert torch.equal(flat.d, other.d) and flat.steps == other.steps
