"""Random tensors as functions of (seed, stream, counters): no generator is kept between two draws.

Every draw is made on the CPU, so that all devices see the same numbers. In a batch each slot has a
draw of its own, with the slot as last counter, so that neither batch size nor the number of
processes changes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from lora_sweep.randomness import Stream, number


def generator(seed: int, stream: Stream, *counters: int | str) -> torch.Generator:
    """A CPU generator seeded by `number`; torch's CPU engine keeps the lowest 32 of its bits."""
    return torch.Generator(device="cpu").manual_seed(number(seed, stream, *counters))


def normal(shape: Sequence[int], seed: int, stream: Stream, *counters: int | str) -> Tensor:
    """Standard normal draws, fp32, of the given shape."""
    return torch.randn(
        tuple(shape), generator=generator(seed, stream, *counters), dtype=torch.float32
    )


def uniform_int(
    bound: int, shape: Sequence[int], seed: int, stream: Stream, *counters: int | str
) -> Tensor:
    """Integers in [0, bound), int64, of the given shape."""
    return torch.randint(bound, tuple(shape), generator=generator(seed, stream, *counters))


def normal_rows(
    slots: Iterable[int], row_shape: Sequence[int], seed: int, stream: Stream, *counters: int | str
) -> Tensor:
    """Standard normal draws, fp32, shape (slots, *row_shape), each row by its slot alone."""
    return torch.stack([normal(row_shape, seed, stream, *counters, slot) for slot in slots])


def uniform_int_rows(
    slots: Iterable[int], bound: int, seed: int, stream: Stream, *counters: int | str
) -> Tensor:
    """Integers in [0, bound), int64, shape (slots,), each by its slot alone."""
    return torch.cat([uniform_int(bound, (1,), seed, stream, *counters, slot) for slot in slots])
