"""Pictures that are too like each other: near-duplicates, mirror images, and one scene over again.

A pair is looked at if their hashes are alike. Up to some 4,500 pictures every pair is compared;
beyond that each with its neighbours in four orders of the hash's bits, so that time and memory grow
no faster than the set.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAME_BITS = 2  # of 63: re-encoding or scaling changes at most so many; other pictures >= 4
ALIKE_BITS = 10  # brightness changes up to so many
SAME_CORRELATION = 0.997  # of thumbnails; re-encoding leaves >= 0.999, other pictures are <= 0.992
SAME_LEVELS = 30  # of 3 * 255, summed over a patch's colours, within which two patches are the same
SCENE_SHARE = 0.85  # of the patches; of one place with a figure moved in it >= 0.88, else <= 0.80
SCENE_PICTURES = 4  # so many pictures of one scene are reported
LITTLE_VARIETY = 0.82  # mean correlation of all pairs; of the packaged sets it is at most 0.75
MAX_COMPARED = 2_000  # pictures whose thumbnails are kept; every pair of them is compared
PAIRS = 20_000_000  # comparisons of hashes, some seconds
ORDERS = 4

Hashes = NDArray[np.uint64]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Pair:
    """Two pictures by their places, the later first."""

    later: int
    earlier: int
    mirrored: bool


def alike_pairs(hashes: Hashes, mirror_hashes: Hashes, thumbs: NDArray[np.uint8]) -> list[Pair]:
    """Near-duplicates and mirror images, each picture at most once, with the first it is like.

    thumbs (N, side, side, 3) are of the first N pictures; others are judged by their hash alone. A
    picture that is both, as symmetric ones are, is a near-duplicate.
    """
    count = len(hashes)
    vectors = unit_vectors(thumbs)
    duplicates = _first_alike(_near(hashes), count, vectors, vectors)
    both = np.concatenate([hashes, mirror_hashes])
    mirrors = _first_alike(_near(both, count), count, vectors, unit_vectors(thumbs[:, :, ::-1]))
    pairs: list[Pair] = []
    for later in range(count):
        if duplicates[later] < count:
            pairs.append(Pair(later, int(duplicates[later]), False))
        elif mirrors[later] < count:
            pairs.append(Pair(later, int(mirrors[later]), True))
    return pairs


def scenes(thumbs: NDArray[np.uint8], left_out: Sequence[int]) -> list[list[int]]:
    """Groups of at least SCENE_PICTURES pictures that show one scene, by their places.

    Two show one if nearly every patch of theirs, a pixel of the thumbnails, is the same. Each
    picture of a group is like some other of it. Those left out, near-duplicates of others, belong
    to none.
    """
    kept = np.setdiff1d(np.arange(len(thumbs)), np.array(left_out, np.int64))
    # Colours first and patches in a row, (3, N, side * side): half a minute faster at 2,000.
    patches = thumbs[kept].reshape(len(kept), -1, 3).astype(np.int16).transpose(2, 0, 1).copy()
    alike = np.eye(len(kept), dtype=bool)
    for index in range(len(kept)):
        alike[index, index:] = alike[index:, index] = _same_place(patches, index)
    # Each takes the lowest number among those it is like, until none changes.
    labels = np.arange(len(kept))
    while True:
        new = np.array([labels[row].min() for row in alike], np.int64)
        if np.array_equal(new, labels):
            break
        labels = new
    groups = [kept[labels == label].tolist() for label in np.unique(labels)]
    return [group for group in groups if len(group) >= SCENE_PICTURES]


def _same_place(patches: NDArray[np.int16], index: int) -> NDArray[np.bool_]:
    """For a picture and each after it, whether it shows the scene of the picture at `index`."""
    total = np.abs(patches[0, index:] - patches[0, index])
    for colour in patches[1:]:
        total += np.abs(colour[index:] - colour[index])
    return (total < SAME_LEVELS).mean(axis=1) >= SCENE_SHARE


def mean_correlation(thumbs: NDArray[np.uint8]) -> float | None:
    """Mean correlation of all pairs of thumbnails; None of fewer than SCENE_PICTURES pictures."""
    count = len(thumbs)
    if count < SCENE_PICTURES:
        return None
    vectors = unit_vectors(thumbs)
    # sum over i != j of v_i . v_j = |sum of v|^2 - sum of |v|^2
    together = vectors.sum(0)
    return float((together @ together - (vectors * vectors).sum()) / (count * (count - 1)))


def unit_vectors(thumbs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Thumbnails as vectors whose product is their correlation; (N, side * side * 3)."""
    flat = thumbs.reshape(len(thumbs), np.prod(thumbs.shape[1:], dtype=int)).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    return flat / np.maximum(lengths, 1e-6)


def _first_alike(
    near: Iterator[tuple[Places, Places, Places]],
    count: int,
    vectors: NDArray[np.float32],
    other_vectors: NDArray[np.float32],
) -> Places:
    """For each picture the first before it that it is like; `count` where there is none."""
    first = np.full(count, count, np.int64)
    for one, other, bits in near:
        alike = bits <= SAME_BITS
        judged = np.flatnonzero(~alike & (np.maximum(one, other) < len(vectors)))
        for part in np.array_split(judged, len(judged) // 4096 + 1):
            like = np.einsum("nd,nd->n", vectors[one[part]], other_vectors[other[part]])
            alike[part] = like >= SAME_CORRELATION
        one, other = one[alike], other[alike]
        np.minimum.at(first, np.maximum(one, other), np.minimum(one, other))
    return first


def _near(table: Hashes, count: int | None = None) -> Iterator[tuple[Places, Places, Places]]:
    """Pairs of places with like hashes, and in how many bits they differ; some more than once.

    With `count` the table holds so many hashes, and then those of the mirror images: only pairs of
    one of each are given, the mirror image's place second.
    """
    length = len(table)
    window = min(length - 1, max(1, PAIRS // max(length, 1)))
    everything = window == length - 1
    places = np.arange(length) if count is None else np.arange(length) % max(count, 1)
    for turn in range(1 if everything else ORDERS):
        order = np.argsort(_turned(table, turn * 64 // ORDERS), kind="stable")
        for step in range(1, (window if everything else max(1, window // ORDERS)) + 1):
            a, b = order[:-step], order[step:]
            bits = _count_bits(table[a] ^ table[b])
            near = (bits <= ALIKE_BITS) & (places[a] != places[b])
            if count is not None:
                near &= (a < count) != (b < count)
            a, b, bits = a[near], b[near], bits[near]
            if count is not None:
                a, b = np.minimum(a, b), np.maximum(a, b)
            yield places[a], places[b], bits


def _turned(hashes: Hashes, bits: int) -> Hashes:
    """The hashes with their bits turned round, so that sorting begins with others of them."""
    if bits == 0:
        return hashes
    return (hashes << np.uint64(bits)) | (hashes >> np.uint64(64 - bits))


_BITS_OF_BYTE = np.array([bin(value).count("1") for value in range(256)], np.uint8)


def _count_bits(values: Hashes) -> NDArray[np.int64]:
    as_bytes = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), 8)
    return _BITS_OF_BYTE[as_bytes].sum(axis=1, dtype=np.int64)
