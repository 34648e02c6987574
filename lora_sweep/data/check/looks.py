"""What one picture shows in a few numbers: size, sharpness, where its detail lies, its likeness.

Everything is measured on the picture scaled down to a short side of 512 pixels, since what is not
seen there is hardly seen at the 1024 that SDXL trains at. Smaller pictures are measured as they
are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SHORT_SIDE = 512
GRID = 4  # sharpness is that of the sharpest of 4 x 4 tiles: a blurred background is no fault
NORMAL_VARIANCE = 2500.0  # of grey levels, 0 to 255; sharpness is given for this contrast
MOST_GAIN = 16.0  # a flat grey picture has noise only, which must not pass for detail
THUMB = 16  # pixels of the thumbnail's side, by which pictures are compared
HASH_SIDE = 8
HASH_FROM = 32

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Look:
    """Numbers about one picture."""

    size_HW: tuple[int, int]  # pixels, upright
    sharpness: float  # variance of the Laplacian in the sharpest tile, at normal contrast
    detail_share: float  # share of the area in which 81 % of the detail lies
    hash: int  # 64 bits; near-duplicates differ in few
    mirror_hash: int  # the hash of its mirror image
    thumb: NDArray[np.uint8]  # (THUMB, THUMB, 3)


def look_at(picture: Image.Image, size_HW: tuple[int, int]) -> tuple[Look, Image.Image]:
    """Measure an RGB picture; also returns it at the size it was measured at."""
    small = scaled_down(picture, SHORT_SIDE)
    grey = np.asarray(small.convert("L"), np.float32)
    thumb = np.asarray(small.resize((THUMB, THUMB), Image.Resampling.BOX), np.uint8)
    coefficients = _cosine_coefficients(small)
    mirrored = coefficients * np.where(np.arange(HASH_SIDE) % 2, -1, 1).astype(np.float32)
    look = Look(
        size_HW,
        sharpness(grey),
        detail_share(grey),
        _bits(coefficients),
        _bits(mirrored),
        thumb,
    )
    return look, small


def scaled_down(picture: Image.Image, short_side: int) -> Image.Image:
    """The picture with the given short side; itself if it is no larger."""
    factor = short_side / min(picture.size)
    if factor >= 1:
        return picture
    width, height = (max(1, round(side * factor)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)


def sharpness(grey_HW: Floats) -> float:
    """Variance of the Laplacian in the sharpest tile, as if the picture had normal contrast.

    Grey levels 0 to 255. Pictures of fewer than 3 pixels a side have none.
    """
    if min(grey_HW.shape) < 3:
        return 0.0
    centre = grey_HW[1:-1, 1:-1]
    laplacian = (
        grey_HW[1:-1, :-2] + grey_HW[1:-1, 2:] + grey_HW[:-2, 1:-1] + grey_HW[2:, 1:-1] - 4 * centre
    )
    rows = np.array_split(laplacian, GRID, axis=0)
    tiles = [tile for row in rows for tile in np.array_split(row, GRID, axis=1) if tile.size]
    gain = min(MOST_GAIN, NORMAL_VARIANCE / max(float(grey_HW.var()), 1e-6))
    return max(float(tile.var()) for tile in tiles) * gain


def detail_share(grey_HW: Floats) -> float:
    """Share of the area that the middle nine tenths of the detail take, across times down.

    Detail is the squared gradient. Near 1 in a picture that is full of it, small where a small
    subject stands before little else; 1 for a picture without any.
    """
    if min(grey_HW.shape) < 2:
        return 1.0
    across = np.diff(grey_HW, axis=1)[:-1] ** 2
    down = np.diff(grey_HW, axis=0)[:, :-1] ** 2
    energy = (across + down).astype(np.float64)
    if energy.sum() < 1e-6:
        return 1.0
    share = 1.0
    for axis in (0, 1):
        running = np.cumsum(energy.sum(axis)) / energy.sum()
        first, last = np.searchsorted(running, [0.05, 0.95])
        share *= float(last - first + 1) / len(running)
    return min(share, 1.0)


def _cosine_coefficients(picture: Image.Image) -> Floats:
    """The 8 x 8 lowest of a cosine transform (DCT-II) of the picture as 32 x 32 grey levels."""
    grey = np.asarray(
        picture.convert("L").resize((HASH_FROM, HASH_FROM), Image.Resampling.BOX), np.float32
    )
    k, i = np.arange(HASH_SIDE)[:, None], np.arange(HASH_FROM)[None]
    basis = np.cos(np.pi * (2 * i + 1) * k / (2 * HASH_FROM)).astype(np.float32)
    coefficients = (basis @ grey @ basis.T).astype(np.float32)
    # What rounding leaves of a flat picture would be bits by chance.
    return np.where(np.abs(coefficients) < 1.0, 0, coefficients).astype(np.float32)


def _bits(coefficients: Floats) -> int:
    """The perceptual hash pHash: which coefficients are above their median; the mean level is not
    among them.
    """
    values = coefficients.reshape(-1)[1:]
    above = values > np.median(values)
    return int("".join("1" if bit else "0" for bit in above), 2)
