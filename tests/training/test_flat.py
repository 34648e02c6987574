"""Flat groups: one vector of values, one of gradients, parameters as views of both."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from toy_problem import fresh_parameters

from lora_sweep.training.flat import FlatGroup, clip_gradients


def tensors() -> dict[str, nn.Parameter]:
    return fresh_parameters()["unet"]


def shared(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()


def test_parameters_and_gradients_are_views_of_two_vectors() -> None:
    before, own = tensors(), tensors()
    group = FlatGroup("unet", own, 1e-3, 0.0)
    assert group.vector.shape == (sum(p.numel() for p in own.values()),)
    assert group.vector.grad is group.gradient
    for name, parameter in own.items():
        assert torch.equal(parameter, before[name])
        assert parameter.grad is not None
        assert shared(parameter, group.vector) and shared(parameter.grad, group.gradient)
    group.vector.data.fill_(2.0)
    assert all((parameter == 2).all() for parameter in own.values())


def test_backward_adds_into_the_vector_and_zeroing_keeps_the_views() -> None:
    group = FlatGroup("unet", tensors(), 1e-3, 0.0)
    separate = tensors()

    def loss(parameters: dict[str, nn.Parameter]) -> torch.Tensor:
        return (parameters["A"] @ parameters["B"]).sum() + parameters["c"].square().sum()

    for _ in range(2):
        loss(group.parameters).backward()
        loss(separate).backward()
    expected = [p.grad.reshape(-1) for p in separate.values() if p.grad is not None]
    assert torch.equal(group.gradient, torch.cat(expected))
    group.zero_grad()
    assert not group.gradient.any()
    loss(group.parameters).backward()
    torch.testing.assert_close(group.gradient, torch.cat(expected) / 2)


def test_values_of_16_bits_are_trained_in_32() -> None:
    half = {name: nn.Parameter(p.detach().bfloat16()) for name, p in tensors().items()}
    group = FlatGroup("unet", half, 1e-3, 0.0)
    assert group.vector.dtype == torch.float32
    assert all(p.dtype == torch.float32 for p in half.values())


@pytest.mark.parametrize("max_norm", [0.5, 1e3, None])
def test_clipping_is_torchs_over_all_groups_together(max_norm: float | None) -> None:
    parameters, separate = fresh_parameters(), fresh_parameters()
    groups = [FlatGroup(name, own, 1e-3, 0.0) for name, own in parameters.items()]
    plain = [p for own in separate.values() for p in own.values()]
    g = torch.Generator().manual_seed(5)
    for one, other in zip([p for group in groups for p in group.tensors()], plain, strict=True):
        gradient = torch.randn(one.shape, generator=g)
        assert one.grad is not None
        one.grad.copy_(gradient)
        other.grad = gradient.clone()
    norm = clip_gradients(groups, max_norm)
    expected = nn.utils.clip_grad_norm_(plain, float("inf") if max_norm is None else max_norm)
    torch.testing.assert_close(norm, expected)
    wanted = torch.cat([p.grad.reshape(-1) for p in plain if p.grad is not None])
    torch.testing.assert_close(torch.cat([group.gradient for group in groups]), wanted)
    if max_norm == 0.5:
        found = torch.linalg.vector_norm(torch.cat([group.gradient for group in groups]))
        assert float(found) == pytest.approx(0.5, rel=1e-5)
