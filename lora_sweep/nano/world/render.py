"""Drawings to pixels."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def rasterise(svg: str, size: int = 64) -> np.ndarray:
    """Return the drawing on white as uint8 of shape (size, size, 3); needs resvg-py."""
    import resvg_py

    png = resvg_py.svg_to_bytes(
        svg_string=svg, width=size, height=size, background="#ffffff", skip_system_fonts=True
    )
    with Image.open(io.BytesIO(bytes(png))) as picture:
        return np.asarray(picture.convert("RGB"), dtype=np.uint8)
