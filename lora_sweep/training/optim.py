"""The optimizers: built from settings, driven by one factor a step, saved as tensors and values."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers.optimization import Adafactor as TransformersAdafactor

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
from lora_sweep.training.prodigy import FlatProdigy

Scalars = dict[str, Any]  # JSON values


class TrialOptimizer(Protocol):
    """What the training step asks of an optimizer."""

    def step(self, factor: float) -> None:
        """Move all groups; `factor` is the schedule's factor on every rate."""
        ...

    def drop(self, name: str) -> None:
        """Take a group out for good."""
        ...

    def effective_lr(self, factor: float) -> dict[str, Tensor | float]:
        """The real step size of each group: d * lr where d is estimated."""
        ...

    def place_state(self, device: torch.device) -> None:
        """Have its state's vectors on a device."""
        ...

    def snapshot(self) -> tuple[dict[str, Tensor], Scalars]:
        """Copies of all state."""
        ...

    def restore(self, tensors: dict[str, Tensor], scalars: Scalars) -> None:
        """Take a snapshot's state over."""
        ...

    def final_weights(self) -> Any:
        """Context in which parameters hold the weights to use: averaged ones for schedule-free
        methods.
        """
        ...


def build_optimizer(settings: Optimizer, groups: Sequence[FlatGroup]) -> TrialOptimizer:
    """The optimizer that the settings choose, over the given groups.

    Raises SettingsError where it cannot run here.
    """
    match settings:
        case Prodigy():
            return ProdigyOptimizer(FlatProdigy(groups, settings))
        case AdamW8bit():
            return LibraryOptimizer(_adamw8bit(settings, groups), groups)
        case AdamW():
            parameters = _parameter_groups(groups, flat=True)
            betas = (settings.beta1, settings.beta2)
            # One vector per group: torch's multi-tensor forms would gain nothing. One kernel in
            # place of a dozen does on a GPU; on the CPU it would change the bytes of old adapters.
            optimizer = torch.optim.AdamW(
                parameters,
                betas=betas,
                eps=settings.eps,
                foreach=False,
                fused=groups[0].vector.device.type == "cuda",
            )
            return LibraryOptimizer(optimizer, groups)
        case Adafactor():
            return LibraryOptimizer(_adafactor(settings, groups), groups)
        case ProdigyPlus():
            return ProdigyPlusOptimizer(_prodigy_plus(settings, groups), groups)
        case _:
            raise SettingsError(
                [f"optimizer.name is {settings.name!r}, which is no optimizer here"]
            )


def _parameter_groups(groups: Sequence[FlatGroup], flat: bool) -> list[dict[str, Any]]:
    return [
        {
            "params": [group.vector] if flat else group.tensors(),
            "lr": group.lr,
            "weight_decay": group.weight_decay,
        }
        for group in groups
    ]


def _adamw8bit(settings: AdamW8bit, groups: Sequence[FlatGroup]) -> torch.optim.Optimizer:
    if groups[0].vector.device.type != "cuda" or importlib.util.find_spec("bitsandbytes") is None:
        raise SettingsError(
            ["optimizer is adamw8bit, which needs a CUDA GPU and the package bitsandbytes "
             "(pip install bitsandbytes); allowed here: adamw, prodigy, prodigy_plus, adafactor"]
        )  # fmt: skip
    import bitsandbytes  # pyright: ignore[reportMissingImports]

    return bitsandbytes.optim.AdamW8bit(
        _parameter_groups(groups, flat=True),
        betas=(settings.beta1, settings.beta2),
        eps=settings.eps,
    )


def _adafactor(settings: Adafactor, groups: Sequence[FlatGroup]) -> torch.optim.Optimizer:
    parameters = _parameter_groups(groups, flat=False)  # factors rows and columns: needs shapes
    if settings.relative_step:
        for group in parameters:
            group["lr"] = None
    return TransformersAdafactor(
        parameters,
        lr=None if settings.relative_step else settings.lr,
        eps=(settings.eps1, settings.eps2),
        clip_threshold=settings.clip_threshold,
        decay_rate=settings.decay_rate,
        beta1=settings.beta1,
        scale_parameter=settings.scale_parameter,
        relative_step=settings.relative_step,
        warmup_init=settings.warmup_init,
    )


def _prodigy_plus(settings: ProdigyPlus, groups: Sequence[FlatGroup]) -> torch.optim.Optimizer:
    from prodigyplus import ProdigyPlusScheduleFree

    class Quiet(ProdigyPlusScheduleFree):
        def log(self, message: str) -> None:  # the library prints
            logging.getLogger(__name__).info("prodigy_plus: %s", message)

    return Quiet(
        _parameter_groups(groups, flat=False),
        lr=max(group.lr for group in groups),
        betas=(settings.beta1, settings.beta2),
        beta3=settings.beta3,
        eps=settings.eps,
        d0=settings.d0,
        d_coef=settings.d_coef,
        d_limiter=settings.d_limiter,
        prodigy_steps=settings.prodigy_steps,
        schedulefree_c=settings.schedulefree_c,  # type: ignore[arg-type]
        split_groups=settings.split_groups,
        use_speed=settings.use_speed,
        use_schedulefree=settings.use_schedulefree,
        stochastic_rounding=False,  # only for bf16 weights, and it draws from the global generator
    )


class ProdigyOptimizer:
    """Prodigy on flat groups."""

    def __init__(self, prodigy: FlatProdigy) -> None:
        self.prodigy = prodigy

    def step(self, factor: float) -> None:
        self.prodigy.step(factor)

    def drop(self, name: str) -> None:
        self.prodigy.drop(name)

    def effective_lr(self, factor: float) -> dict[str, Tensor | float]:
        return dict(self.prodigy.effective_lr(factor))

    def place_state(self, device: torch.device) -> None:
        for state in self.prodigy.state.values():
            for key, value in vars(state).items():
                setattr(state, key, value.to(device) if value.ndim else value)

    def snapshot(self) -> tuple[dict[str, Tensor], Scalars]:
        return {name: value.clone() for name, value in self.prodigy.tensors().items()}, {}

    def restore(self, tensors: dict[str, Tensor], scalars: Scalars) -> None:
        self.prodigy.load(tensors)

    @contextmanager
    def final_weights(self) -> Iterator[None]:
        yield


class LibraryOptimizer:
    """An optimizer of torch's kind whose groups are the trial's, in order."""

    def __init__(self, optimizer: torch.optim.Optimizer, groups: Sequence[FlatGroup]) -> None:
        self.optimizer = optimizer
        self.groups = list(groups)

    def step(self, factor: float) -> None:
        for group, own in zip(self.optimizer.param_groups, self.groups, strict=True):
            if group["lr"] is not None:  # Adafactor's relative step sets its own
                group["lr"] = own.lr * factor
        self.optimizer.step()

    def drop(self, name: str) -> None:
        index = [group.name for group in self.groups].index(name)
        for parameter in self.optimizer.param_groups[index]["params"]:
            self.optimizer.state.pop(parameter, None)
        del self.optimizer.param_groups[index], self.groups[index]

    def effective_lr(self, factor: float) -> dict[str, Tensor | float]:
        return {group.name: group.lr * factor for group in self.groups}

    def place_state(self, device: torch.device) -> None:
        for state in self.optimizer.state.values():
            for key, value in state.items():
                if isinstance(value, Tensor) and value.ndim:  # counters stay
                    state[key] = value.to(device)

    def snapshot(self) -> tuple[dict[str, Tensor], Scalars]:
        tensors: dict[str, Tensor] = {}
        scalars: Scalars = {}
        for group, own in zip(self.optimizer.param_groups, self.groups, strict=True):
            for key, value in group.items():
                if key != "params":
                    _put(tensors, scalars, f"{own.name}.group.{key}", value)
            for index, parameter in enumerate(group["params"]):
                for key, value in self.optimizer.state[parameter].items():
                    _put(tensors, scalars, f"{own.name}.{index}.{key}", value)
        return tensors, scalars

    def restore(self, tensors: dict[str, Tensor], scalars: Scalars) -> None:
        for group, own in zip(self.optimizer.param_groups, self.groups, strict=True):
            device = own.vector.device
            group.update(_under(f"{own.name}.group.", tensors, scalars, device))
            for index, parameter in enumerate(group["params"]):
                self.optimizer.state[parameter] = _under(
                    f"{own.name}.{index}.", tensors, scalars, device
                )

    @contextmanager
    def final_weights(self) -> Iterator[None]:
        yield


class ProdigyPlusOptimizer(LibraryOptimizer):
    """Prodigy with schedule-free averaging: it trains one set of weights and gives another."""

    def drop(self, name: str) -> None:
        # What leaves stays as it would be used: averaged.
        group = next(group for group in self.groups if group.name == name)
        with self.final_weights():
            averaged = group.vector.detach().clone()
        group.vector.data.copy_(averaged)
        super().drop(name)

    def effective_lr(self, factor: float) -> dict[str, Tensor | float]:
        groups = zip(self.groups, self.optimizer.param_groups, strict=True)
        return {own.name: group["d"] * own.lr * factor for own, group in groups}

    @contextmanager
    def final_weights(self) -> Iterator[None]:
        # Saved and put back rather than computed back: that would round.
        saved = [group.vector.detach().clone() for group in self.groups]
        self.optimizer.eval()  # type: ignore[attr-defined]
        try:
            yield
        finally:
            self.optimizer.train()  # type: ignore[attr-defined]
            for group, values in zip(self.groups, saved, strict=True):
                group.vector.data.copy_(values)


def _put(tensors: dict[str, Tensor], scalars: Scalars, name: str, value: Any) -> None:
    if isinstance(value, Tensor):
        tensors[name] = value.detach().clone()
    else:
        scalars[name] = list(value) if isinstance(value, tuple) else value


def _under(
    prefix: str, tensors: dict[str, Tensor], scalars: Scalars, device: torch.device
) -> dict[str, Any]:
    """The saved values whose names begin with a prefix, by the rest of their names."""
    found: dict[str, Any] = {}
    for name, tensor in tensors.items():
        if name.startswith(prefix):
            # AdamW keeps its step counter on the CPU whatever the device.
            place = tensor.device if name.endswith(".step") else device
            found[name.removeprefix(prefix)] = tensor.to(place).clone()
    for name, value in scalars.items():
        if name.startswith(prefix):
            found[name.removeprefix(prefix)] = tuple(value) if isinstance(value, list) else value
    return found
