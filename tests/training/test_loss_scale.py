"""Dynamic loss scaling, against torch.amp.GradScaler."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lora_sweep.training.flat import FlatGroup
from lora_sweep.training.loss_scale import GROWTH_INTERVAL, LossScale


def norms(finite: int) -> list[float]:
    """Gradient norms with overflows at the start, in the middle of a series, and long after."""
    return [
        float("inf"),
        *[1.0] * finite,
        float("nan"),
        float("inf"),
        *[1.0] * GROWTH_INTERVAL,
        *[1.0] * GROWTH_INTERVAL,
    ]


def test_the_scale_moves_as_torchs_grad_scaler_does() -> None:
    ours = LossScale(torch.float16)
    theirs = torch.amp.GradScaler("cpu")
    theirs.scale(torch.ones(1))  # it makes its scale at first use
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    assert ours.value == theirs.get_scale()
    for norm in norms(GROWTH_INTERVAL - 1):
        parameter.grad = torch.tensor([norm])
        before = float(parameter.detach())
        theirs.step(optimizer)
        theirs.update()
        stepped = float(parameter.detach()) != before
        assert ours.accept(torch.tensor(norm)) is stepped
        assert ours.value == theirs.get_scale()


def test_unscaling_divides_every_gradient_by_the_scale() -> None:
    group = FlatGroup("unet", {"w": nn.Parameter(torch.ones(3))}, 1e-3, 0.0)
    group.gradient.fill_(2.0**17)
    scale = LossScale(torch.float16)
    scale.unscale([group])
    assert group.gradient.tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_in_other_precisions_nothing_is_scaled_or_left_out(dtype: torch.dtype) -> None:
    group = FlatGroup("unet", {"w": nn.Parameter(torch.ones(3))}, 1e-3, 0.0)
    group.gradient.fill_(3.0)
    scale = LossScale(dtype)
    scale.unscale([group])
    assert scale.value == 1.0 and group.gradient.tolist() == [3.0, 3.0, 3.0]
    assert scale.accept(torch.tensor(float("nan"))) is True and scale.value == 1.0


def test_a_snapshot_goes_on_at_the_same_scale_and_count() -> None:
    one, other = LossScale(torch.float16), LossScale(torch.float16)
    for norm in norms(7)[:10]:
        one.accept(torch.tensor(norm))
    other.restore(one.snapshot())
    for _ in range(GROWTH_INTERVAL):
        assert one.accept(torch.tensor(1.0)) and other.accept(torch.tensor(1.0))
        assert one.value == other.value
