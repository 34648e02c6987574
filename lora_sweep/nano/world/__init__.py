"""The small world the embedded SDXL is trained on: drawn scenes with captions and attributes."""

from __future__ import annotations

from .captions import caption_variants
from .emoji import draw_emoji, heldout_emoji, is_heldout
from .measure import measure_emoji
from .render import rasterise
from .scene import KINDS, draw_scene
from .svg import Scene

__all__ = [
    "KINDS",
    "Scene",
    "caption_variants",
    "draw_emoji",
    "draw_scene",
    "heldout_emoji",
    "is_heldout",
    "measure_emoji",
    "rasterise",
]
