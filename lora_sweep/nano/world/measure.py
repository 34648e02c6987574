"""Reading the colours of an emoji back from its pixels."""

from __future__ import annotations

import numpy as np

from lora_sweep.errors import DataError

from .palette import NAMED, NAMES


def lab(rgb: np.ndarray) -> np.ndarray:
    """Return CIELAB (D65) of sRGB values 0 to 255, shape (..., 3); CIE 15:2004, IEC 61966-2-1."""
    c = np.asarray(rgb, dtype=np.float64) / 255.0
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
         [0.0193339, 0.1191920, 0.9503041]]
    )  # fmt: skip
    t = linear @ to_xyz.T / np.array([0.95047, 1.0, 1.08883])
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


_NAMED_LAB = lab(np.array([NAMED[name] for name in NAMES]))


def nearest_name(rgb: np.ndarray) -> str:
    """Return the named colour nearest to one sRGB value in CIELAB distance."""
    return NAMES[int(np.argmin(((_NAMED_LAB - lab(rgb)) ** 2).sum(axis=1)))]


def head_patch(size: int) -> np.ndarray:
    """Return the pixels read as head, bool (size, size): an ellipse without the mouth's place."""
    centre = (np.arange(size) + 0.5) * 64 / size
    x, y = np.meshgrid(centre, centre)
    face = ((x - 32) / 19) ** 2 + ((y - 43) / 15) ** 2 <= 1
    mouth = ((x - 32) / 9) ** 2 + ((y - 47) / 6) ** 2 <= 1
    return face & ~mouth


def measure_emoji(picture: np.ndarray) -> tuple[str, str]:
    """Return (background, body) colour names of an emoji picture, uint8 (H, W, 3).

    Background: median over the four corner patches, 6 of 64 pixels wide. Body: median over
    the head patch. Both as the nearest named colour in CIELAB.

    Raises:
        DataError: the picture is not square with three channels.
    """
    size = picture.shape[0]
    if picture.shape != (size, size, 3):
        raise DataError([f"picture has shape {picture.shape}; a square (H, H, 3) is needed"])
    k = max(1, round(size * 6 / 64))
    corners = [picture[:k, :k], picture[:k, -k:], picture[-k:, :k], picture[-k:, -k:]]
    background = np.median(np.concatenate([c.reshape(-1, 3) for c in corners]), axis=0)
    body = np.median(picture[head_patch(size)], axis=0)
    return nearest_name(background), nearest_name(body)
