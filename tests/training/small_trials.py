"""Trials of a few steps on the embedded base: items without pictures, settings, runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from lora_sweep.config.settings import (
    AdamW,
    Lora,
    Optimizer,
    Pivotal,
    Prior,
    Settings,
    Snr,
    TeFull,
    TeLora,
    TeMode,
    Train,
)
from lora_sweep.model.base import Base
from lora_sweep.training.loop import train
from lora_sweep.training.prepare import Items
from lora_sweep.training.trial import Trial, build_trial

WORDS = ("dog", "red circle", "tree", "car", "cup", "star", "house", "moon")
ONE_BLOCK = ("mid_block",)  # where a LoRA is put unless a test asks for more, for speed
LATENT = 8  # positions a side: half of what the base was made for, for speed


def some_items(count: int, seed: int = 0, caption: str = "a TOK icon of a {}") -> Items:
    """Items with random posteriors, sizes and crops."""
    g = torch.Generator().manual_seed(seed)
    mean = 5 * torch.randn(count, 4, LATENT, LATENT, generator=g)
    std = 0.1 + torch.rand(count, 4, LATENT, LATENT, generator=g)
    sizes = torch.randint(64, 200, (count, 2), generator=g)
    crops = torch.randint(0, 20, (count, 2), generator=g)
    captions = tuple(caption.format(WORDS[i % len(WORDS)]) for i in range(count))
    time_ids = torch.cat([sizes, crops, torch.full((count, 2), 64)], dim=1)
    return Items(torch.cat([mean, std], dim=1), time_ids, captions)


def te_modes(frac: float = 0.5) -> dict[str, TeMode]:
    """One of each kind."""
    return {
        "frozen": TeMode(),
        "lora": TeLora(frac=frac),
        "full": TeFull(frac=frac),
        "pivotal": Pivotal(frac=frac),
    }


def some_settings(
    te_mode: TeMode | None = None,
    optimizer: Optimizer | None = None,
    *,
    lora: Lora | None = None,
    prior: Prior | None = None,
    gamma: float | None = None,
    batch_size: int = 2,
    **train_settings: Any,
) -> Settings:
    """Settings of a small trial."""
    return Settings(
        optimizer=optimizer or AdamW(lr=1e-2),
        lora=lora or Lora(rank=4, blocks=ONE_BLOCK),
        te_mode=te_mode or TeMode(),
        prior=prior or Prior(),
        snr=Snr(gamma=gamma),
        train=Train(batch_size=batch_size, **train_settings),
    )


@contextmanager
def a_trial(
    base: Base,
    settings: Settings,
    items: Items | None = None,
    class_items: Items | None = None,
    steps: int = 4,
) -> Iterator[Trial]:
    """A trial that is closed at the end."""
    trial = build_trial(base, settings, items or some_items(6), class_items, steps)
    try:
        yield trial
    finally:
        trial.close()


def run(trial: Trial, until: int) -> list[float]:
    """Train and give the losses."""
    return [float(result.loss) for result in train(trial, until)]


def weights(trial: Trial) -> dict[str, Tensor]:
    """A copy of everything that trains."""
    return {name: group.vector.detach().clone() for name, group in trial.groups.items()}


def make_nonzero(trial: Trial) -> None:
    """Give every trained value a little noise: a LoRA whose B is zero has no gradient at A."""
    g = torch.Generator().manual_seed(11)
    for group in trial.groups.values():
        group.vector.data.add_(0.02 * torch.randn(group.vector.shape, generator=g))
