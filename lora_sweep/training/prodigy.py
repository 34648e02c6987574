"""Prodigy (arXiv 2306.06101, algorithm 4) on flat vectors: prodigyopt's arithmetic without its
waits.

prodigyopt asks the device for two numbers per tensor and step, and runs some twenty small kernels
for each; here every quantity is a tensor and each group is one vector. What differs by intention:
the numerator of the step-size estimate is kept per group, so that a group that leaves at the pivot
takes its part of both numerator and denominator with it. (prodigyopt keeps moving a group whose
rate is 0, and keeps its numerator.) And `slice_p` takes every p-th value of a group's vector, not
of each tensor, which is the same only where all sizes are multiples of p.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lora_sweep.config.settings import Prodigy as ProdigySettings
from lora_sweep.training.flat import FlatGroup


@dataclass
class GroupState:
    """Vectors (P,) of one group, and its part of the numerator."""

    initial: Tensor  # p0, the values at the first step
    exp_avg: Tensor
    exp_avg_sq: Tensor
    s: Tensor
    numerator: Tensor


class FlatProdigy:
    """One step-size estimate d for all groups, whose rates are equal or 0."""

    def __init__(self, groups: Sequence[FlatGroup], settings: ProdigySettings) -> None:
        self.groups = list(groups)
        self.settings = settings
        self.beta3 = math.sqrt(settings.beta2) if settings.beta3 is None else settings.beta3
        self.steps = 0  # prodigyopt's k
        device = self.groups[0].vector.device
        self.d = torch.tensor(settings.d0, dtype=torch.float64, device=device)
        self.d_max = self.d.clone()
        self.state = {group.name: _new_state(group, settings.slice_p) for group in self.groups}

    @torch.no_grad()
    def step(self, factor: float) -> None:
        """Update d and all parameters; `factor` scales every group's rate."""
        lr = max(group.lr for group in self.groups) * factor
        if lr == 0.0:
            return  # as prodigyopt, which does not count such a step
        c = self.settings
        bias_correction = 1.0
        if c.use_bias_correction:
            k = self.steps + 1
            bias_correction = math.sqrt(1 - c.beta2**k) / (1 - c.beta1**k)
        d, dlr = self.d, self.d * (lr * bias_correction)
        for group in self.groups:
            if not c.decouple and group.weight_decay:
                group.gradient.add_(group.vector, alpha=group.weight_decay)
            if group.lr > 0.0:
                self._update_averages(group, d, dlr)
        self._update_d(d)
        for group in self.groups:
            if group.lr > 0.0:  # a rate of 0 freezes; in prodigyopt the last momentum goes on
                self._move(group, dlr)
        self.steps += 1

    def _update_averages(self, group: FlatGroup, d: Tensor, dlr: Tensor) -> None:
        c, state, gradient = self.settings, self.state[group.name], group.gradient
        scale = d / c.d0
        sliced = gradient[:: c.slice_p]
        distance = state.initial - group.vector[:: c.slice_p]
        state.numerator.mul_(self.beta3).add_(scale * dlr * torch.dot(sliced, distance))
        state.exp_avg.mul_(c.beta1).add_(gradient * (d * (1 - c.beta1)).float())
        state.exp_avg_sq.mul_(c.beta2).add_(gradient.square() * (d * d * (1 - c.beta2)).float())
        weight = scale * (d if c.safeguard_warmup else dlr)
        state.s.mul_(self.beta3).add_(sliced * weight.float())

    def _update_d(self, d: Tensor) -> None:
        """d_hat = d_coef * numerator / denominator; d never shrinks below its running maximum."""
        c = self.settings
        numerator = torch.stack([self.state[group.name].numerator for group in self.groups]).sum()
        denominator = torch.stack(
            [self.state[group.name].s.abs().sum().double() for group in self.groups]
        ).sum()
        # All gradients zero: nothing was learned about d.
        d_hat = torch.where(denominator > 0, c.d_coef * numerator / denominator, d)
        first = torch.maximum(d, d_hat)
        d = torch.where(d == c.d0, first, d)
        self.d_max = torch.maximum(self.d_max, d_hat)
        growth = math.inf if c.growth_rate is None else c.growth_rate
        self.d = torch.minimum(self.d_max, d * growth)

    def _move(self, group: FlatGroup, dlr: Tensor) -> None:
        """p <- p - dlr wd p - dlr m / (sqrt(v) + d eps), dlr of the old d, d the new one."""
        c, state = self.settings, self.state[group.name]
        denominator = state.exp_avg_sq.sqrt().add_((self.d * c.eps).float())
        rate = dlr.float()
        if c.decouple and group.weight_decay:
            group.vector.sub_(group.vector * (rate * group.weight_decay))
        if c.beta1 > 0:
            group.vector.sub_(rate * (state.exp_avg / denominator))
        else:
            group.vector.sub_((dlr * self.d).float() * (group.gradient / denominator))

    def drop(self, name: str) -> None:
        """Take a group out, with its part of the estimate."""
        self.groups = [group for group in self.groups if group.name != name]
        del self.state[name]

    def effective_lr(self, factor: float) -> dict[str, Tensor]:
        """d * lr of each group, the size of its steps."""
        return {group.name: self.d * (group.lr * factor) for group in self.groups}

    def tensors(self) -> dict[str, Tensor]:
        """Everything a checkpoint needs, by name."""
        saved = {"d": self.d, "d_max": self.d_max, "steps": torch.tensor(self.steps)}
        for name, state in self.state.items():
            for key, value in vars(state).items():
                saved[f"{name}.{key}"] = value
        return saved

    def load(self, saved: dict[str, Tensor]) -> None:
        """Take over what `tensors` gave; the groups must be the same."""
        device = self.d.device
        self.d, self.d_max = saved["d"].to(device), saved["d_max"].to(device)
        self.steps = int(saved["steps"])
        for name in self.state:
            for key in vars(self.state[name]):
                setattr(self.state[name], key, saved[f"{name}.{key}"].to(device).clone())


def _new_state(group: FlatGroup, slice_p: int) -> GroupState:
    values = group.vector.detach()
    return GroupState(
        initial=values[::slice_p].clone(),
        exp_avg=torch.zeros_like(values),
        exp_avg_sq=torch.zeros_like(values),
        s=torch.zeros_like(values[::slice_p]),
        numerator=torch.zeros((), dtype=torch.float64, device=values.device),
    )
