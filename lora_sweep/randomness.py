"""Random numbers as functions of (seed, stream, counters), without torch.

Nothing here has state: the same arguments give the same number in any process, in any order of
calls, and under any version of Python. `lora_sweep.draws` makes tensors the same way.
"""

from __future__ import annotations

import hashlib
import json
from enum import Enum


class Stream(str, Enum):
    """What a draw is for; two streams of one seed are independent."""

    adapter_init = "adapter_init"
    token_init = "token_init"
    order = "order"  # of pictures within an epoch
    view = "view"  # crop and flip of training pictures
    class_view = "class_view"  # crop and flip of class pictures
    vae_sample = "vae_sample"
    class_vae_sample = "class_vae_sample"
    noise = "noise"
    noise_offset = "noise_offset"
    timestep = "timestep"
    dropout = "dropout"
    class_image = "class_image"  # drawing of class pictures by the base
    sample = "sample"  # validation pictures
    measure = "measure"  # fixed noise and timesteps of val_loss and drift
    holdout = "holdout"
    subset = "subset"
    search = "search"  # of a study's sampler


def number(seed: int, stream: Stream, *counters: int | str) -> int:
    """An integer in [0, 2**63), from SHA-256 over the arguments."""
    text = json.dumps([seed, stream.value, *counters], separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def integer_below(bound: int, seed: int, stream: Stream, *counters: int | str) -> int:
    """An integer in [0, bound); the bias of the remainder is below bound / 2**63."""
    if bound < 1:
        raise ValueError(f"bound must be at least 1, got {bound}")
    return number(seed, stream, *counters) % bound


def permutation(length: int, seed: int, stream: Stream, *counters: int | str) -> tuple[int, ...]:
    """0 .. length-1 in random order: sorted by a draw each, to rely on no library's shuffle."""
    return tuple(sorted(range(length), key=lambda i: number(seed, stream, *counters, i)))
