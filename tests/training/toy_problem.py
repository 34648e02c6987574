"""A small problem for optimizers: tensors of several shapes, one of them zero, in two
groups.

Its loss is quadratic with data that change at each step: rounding is not amplified, so that two
implementations of one formula stay together for hundreds of steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import torch
from torch import Tensor, nn

from lora_sweep.training.flat import FlatGroup

Parameters = dict[str, dict[str, nn.Parameter]]


def fresh_parameters() -> Parameters:
    """The same starting values at each call; B is zero, as in a LoRA. Sizes are multiples of 12."""
    g = torch.Generator().manual_seed(3)
    return {
        "unet": {
            "A": nn.Parameter(torch.randn(6, 8, generator=g) / 6),
            "B": nn.Parameter(torch.zeros(8, 6)),
            "c": nn.Parameter(torch.randn(12, generator=g)),
        },
        "text": {"rows": nn.Parameter(torch.randn(2, 12, generator=g) / 4)},
    }


def flat_groups(
    parameters: Parameters,
    lr: float,
    weight_decay: float,
    te_lr: float | None = None,
    te_weight_decay: float | None = None,
) -> list[FlatGroup]:
    return [
        FlatGroup("unet", parameters["unet"], lr, weight_decay),
        FlatGroup(
            "text",
            parameters["text"],
            lr if te_lr is None else te_lr,
            weight_decay if te_weight_decay is None else te_weight_decay,
        ),
    ]


@lru_cache(maxsize=1024)
def _problem(step: int, group: str, name: str) -> tuple[Tensor, Tensor]:
    """Curvature of each value, the same at all steps, and where its minimum is at this step."""
    shape = fresh_parameters()[group][name].shape
    g = torch.Generator().manual_seed(sum(map(ord, group + name)))
    curvature, minimum = 0.1 + 2 * torch.rand(shape, generator=g), torch.randn(shape, generator=g)
    noise = torch.randn(shape, generator=g.manual_seed(1000 * step + sum(map(ord, group + name))))
    return curvature, minimum + 0.3 * noise


def backward(parameters: Parameters, step: int) -> None:
    """Set the gradients, in place where there are some: flat groups' are views."""
    for group, tensors in parameters.items():
        for name, parameter in tensors.items():
            curvature, minimum = _problem(step, group, name)
            gradient = curvature * (parameter.detach() - minimum)
            if parameter.grad is None:
                parameter.grad = gradient
            else:
                parameter.grad.copy_(gradient)


def values(parameters: Mapping[str, Mapping[str, Tensor]], group: str) -> Tensor:
    """All values of a group in one vector."""
    return torch.cat([p.detach().reshape(-1) for p in parameters[group].values()])


def gradients(parameters: Mapping[str, Mapping[str, Tensor]], group: str) -> Tensor:
    """All gradients of a group in one vector."""
    found = [p.grad for p in parameters[group].values()]
    return torch.cat([gradient.reshape(-1) for gradient in found if gradient is not None])


def difference(one: Tensor, other: Tensor) -> float:
    """Relative difference in L2 norm."""
    return float(torch.linalg.vector_norm(one - other) / torch.linalg.vector_norm(other))
