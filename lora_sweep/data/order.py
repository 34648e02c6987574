"""Which items each batch holds.

An item is one repeat of one picture: picture 0 x R, picture 1 x R, ... A micro-step is one forward
and backward pass; an optimizer step is one or more of them. Steps count from 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from lora_sweep.randomness import Stream, permutation


@dataclass(frozen=True)
class ItemPair:
    """A training item and the class picture that goes with it."""

    instance_item: int
    class_picture: int


def picture_of(item: int, repeats: int) -> int:
    """The index of the picture that an item repeats."""
    return item // repeats


def num_items(num_pictures: int, repeats: int, num_class_pictures: int = 0) -> int:
    """Length of an epoch: every item and every class picture occurs in it at least once."""
    return max(num_pictures * repeats, num_class_pictures)


def pair(index: int, num_instance_items: int, num_class_pictures: int) -> ItemPair:
    """What an index of an epoch means with prior preservation; the shorter list starts again."""
    return ItemPair(index % num_instance_items, index % num_class_pictures)


def batches_per_epoch(num_items: int, batch_size: int) -> int:
    """Micro-steps of an epoch; the last batch may be short."""
    return -(-num_items // batch_size)


def steps_per_epoch(num_items: int, batch_size: int, accumulation: int) -> int:
    """Optimizer steps of an epoch; none reaches into the next, so the last may be shorter."""
    return -(-batches_per_epoch(num_items, batch_size) // accumulation)


def micro_steps_of(step: int, num_items: int, batch_size: int, accumulation: int) -> range:
    """The micro-steps, counted over all epochs, that make up an optimizer step."""
    epoch, step_in_epoch = divmod(step, steps_per_epoch(num_items, batch_size, accumulation))
    batches = batches_per_epoch(num_items, batch_size)
    first = step_in_epoch * accumulation
    return range(epoch * batches + first, epoch * batches + min(first + accumulation, batches))


def batch_items(seed: int, num_items: int, batch_size: int, micro_step: int) -> tuple[int, ...]:
    """The items of one micro-step; each epoch has a random order of its own."""
    epoch, batch = divmod(micro_step, batches_per_epoch(num_items, batch_size))
    start = batch * batch_size
    return _epoch_order(seed, num_items, epoch)[start : start + batch_size]


@lru_cache(maxsize=64)
def _epoch_order(seed: int, num_items: int, epoch: int) -> tuple[int, ...]:
    return permutation(num_items, seed, Stream.order, epoch)
