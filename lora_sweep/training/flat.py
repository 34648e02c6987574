"""Trained parameters of one group as views of one fp32 vector, and their gradients of another.

Norms, clipping, copies and optimizer arithmetic then are a handful of operations whatever the
number of tensors, with no wait for the device.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn


class FlatGroup:
    """A named group of parameters with one learning rate and weight decay.

    `vector` (P,) holds the values and `vector.grad` (P,) the gradients; the parameters are views of
    them, so backward adds into the one and an optimizer step on the other moves them all.
    """

    def __init__(
        self, name: str, parameters: Mapping[str, nn.Parameter], lr: float, weight_decay: float
    ) -> None:
        self.name = name
        self.lr = lr
        self.weight_decay = weight_decay
        self.parameters = dict(parameters)
        values = [p.detach().float().reshape(-1) for p in self.parameters.values()]
        self.vector = nn.Parameter(torch.cat(values))
        self.gradient = torch.zeros_like(self.vector)
        self.vector.grad = self.gradient
        start = 0
        for parameter in self.parameters.values():
            stop = start + parameter.numel()
            parameter.data = self.vector.data[start:stop].view(parameter.shape)
            parameter.grad = self.gradient[start:stop].view(parameter.shape)
            parameter.requires_grad_(True)
            start = stop

    def zero_grad(self) -> None:
        """Set the gradients to zero in place; they must stay views."""
        self.gradient.zero_()

    def tensors(self) -> list[nn.Parameter]:
        """The parameters one by one, for optimizers that look at shapes."""
        return list(self.parameters.values())


@torch.no_grad()
def clip_gradients(groups: Iterable[FlatGroup], max_norm: float | None) -> Tensor:
    """Scale all gradients so that their joint L2 norm is at most max_norm; returns the norm before.

    As torch.nn.utils.clip_grad_norm_ over UNet and text parameters together (script lines
    2326-2332).
    """
    groups = list(groups)
    norm = torch.linalg.vector_norm(
        torch.stack([torch.linalg.vector_norm(group.gradient) for group in groups])
    )
    if max_norm is not None:
        scale = (max_norm / (norm + 1e-6)).clamp(max=1.0)
        for group in groups:
            group.gradient.mul_(scale)
    return norm
