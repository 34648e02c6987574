"""Shapes of about one area, for pictures that are not square (arXiv 2307.01952, appendix I).

Each picture is cut to the shape whose proportions are nearest to its own; a batch holds one shape.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

from lora_sweep.config.settings import Dataset
from lora_sweep.data.order import num_items, pair

Shape = tuple[int, int]  # height, width in pixels

SMALLEST_AREA = 0.9
"""Of the square's; with steps of 64 pixels this gives the 41 shapes that SDXL was trained on."""


@lru_cache(maxsize=64)
def bucket_shapes(resolution: int) -> tuple[Shape, ...]:
    """Heights and widths in whole steps, from half to twice the resolution, of at most the square's
    area and little less; the square is among them.
    """
    step = bucket_step(resolution)
    sides = [side for side in range(step, 2 * resolution + 1, step) if 2 * side >= resolution]
    area = resolution * resolution
    shapes = {(h, w) for h in sides for w in sides if SMALLEST_AREA * area <= h * w <= area}
    return tuple(sorted(shapes | {(resolution, resolution)}))


def bucket_step(resolution: int) -> int:
    """Pixels between one side and the next: SDXL's 64, and 8 for pictures too small for that."""
    return 64 if resolution >= 256 else 8


@lru_cache(maxsize=65536)
def bucket_of(size_HW: Shape, resolution: int) -> Shape:
    """The shape that a picture loses least of by cropping: the nearest proportion, and of two as
    near the larger.
    """
    proportion = math.log(size_HW[0] / size_HW[1])

    def distance(shape: Shape) -> tuple[float, int]:
        return abs(math.log(shape[0] / shape[1]) - proportion), -shape[0] * shape[1]

    return min(bucket_shapes(resolution), key=distance)


def shape_of(size_HW: Shape, settings: Dataset, resolution: int) -> Shape:
    """What a picture is cut to."""
    return bucket_of(size_HW, resolution) if settings.buckets else (resolution, resolution)


def have_effect(sizes: Iterable[Shape], resolution: int) -> bool:
    """Whether any picture has another shape than the square."""
    return any(bucket_of(size, resolution) != (resolution, resolution) for size in sizes)


def epoch_lengths(
    sizes: Sequence[Shape], settings: Dataset, resolution: int, num_class_pictures: int
) -> tuple[int, ...]:
    """Rows of an epoch in each of its buckets, by the sizes of the training pictures."""
    length = num_items(len(sizes), settings.repeats, num_class_pictures)
    if not settings.buckets:
        return (length,)
    shapes = [bucket_of(size, resolution) for size in sizes for _ in range(settings.repeats)]
    return tuple(Counter(shapes[row % len(shapes)] for row in range(length)).values())


def class_pairs(shapes: Sequence[Shape], num_class_pictures: int) -> list[tuple[int, Shape]]:
    """Which class pictures are needed in which shapes, each once: a class picture has the shape of
    the training item beside it, and an item has the same one beside it in every epoch.
    """
    rows = range(max(len(shapes), num_class_pictures))
    pairs = [pair(row, len(shapes), num_class_pictures) for row in rows]
    return list(dict.fromkeys((each.class_picture, shapes[each.instance_item]) for each in pairs))
