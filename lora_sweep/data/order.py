"""Which items each batch holds.

An item is one repeat of one picture: picture 0 x R, picture 1 x R, ... A row of an epoch is an
item, and with prior preservation a class picture beside it. A batch holds rows of one bucket, that
is, pictures of one shape; lengths are the rows in each bucket. A micro-step is one forward
and backward pass; an optimizer step is one or more of them. Steps count from 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

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


def batches_per_epoch(lengths: Sequence[int], batch_size: int) -> int:
    """Micro-steps of an epoch with so many rows in each bucket; the last batch of each may be
    short.
    """
    return sum(-(-length // batch_size) for length in lengths)


def steps_per_epoch(lengths: Sequence[int], batch_size: int, accumulation: int) -> int:
    """Optimizer steps of an epoch; none reaches into the next, so the last may be shorter."""
    return -(-batches_per_epoch(lengths, batch_size) // accumulation)


def micro_steps_of(step: int, lengths: Sequence[int], batch_size: int, accumulation: int) -> range:
    """The micro-steps, counted over all epochs, that make up an optimizer step."""
    epoch, step_in_epoch = divmod(step, steps_per_epoch(lengths, batch_size, accumulation))
    batches = batches_per_epoch(lengths, batch_size)
    first = step_in_epoch * accumulation
    return range(epoch * batches + first, epoch * batches + min(first + accumulation, batches))


@dataclass(frozen=True)
class Epoch:
    """What an epoch goes through: the bucket of each of its rows. Without buckets all have one."""

    buckets: tuple[Hashable, ...]
    batch_size: int
    accumulation: int

    @cached_property
    def lengths(self) -> tuple[int, ...]:
        """Rows in each bucket."""
        return tuple(Counter(self.buckets).values())

    @cached_property
    def steps(self) -> int:
        """Optimizer steps of an epoch."""
        return steps_per_epoch(self.lengths, self.batch_size, self.accumulation)

    def micro_steps_of(self, step: int) -> range:
        """The micro-steps, counted over all epochs, that make up an optimizer step."""
        return micro_steps_of(step, self.lengths, self.batch_size, self.accumulation)

    def batch(self, seed: int, micro_step: int) -> tuple[int, ...]:
        """The rows of one micro-step; each epoch has a random order of its own."""
        epoch, batch = divmod(micro_step, batches_per_epoch(self.lengths, self.batch_size))
        return _epoch_batches(seed, self.buckets, self.batch_size, epoch)[batch]


@lru_cache(maxsize=64)
def _epoch_batches(
    seed: int, buckets: tuple[Hashable, ...], batch_size: int, epoch: int
) -> list[tuple[int, ...]]:
    """A batch begins with the first row of its bucket that none has yet, and takes the next ones of
    that bucket; batches come in the order of their first rows. With one bucket that is the order of
    rows, cut into pieces.
    """
    batches: list[list[int]] = []
    open_batches: dict[Hashable, list[int]] = {}
    for row in permutation(len(buckets), seed, Stream.order, epoch):
        batch = open_batches.get(buckets[row])
        if batch is None or len(batch) == batch_size:
            batch = open_batches[buckets[row]] = []
            batches.append(batch)
        batch.append(row)
    return [tuple(batch) for batch in batches]
