"""One picture of many: a row for each prompt and seed, a column for each trial, with headings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap

from PIL import Image, ImageDraw, ImageFont

from lora_sweep.files import atomic_write
from lora_sweep.results.samples import png_bytes

LARGEST = 8192  # pixels of the grid's longer side, for programs that open no larger picture
SMALLEST_CELL = 128  # a heading needs room
GAP = 8
FONT_SIZE = 14
LINE = 18
INK, PAPER = "#222222", "#ffffff"


def write_grid(
    path: Path, rows: Sequence[tuple[str, Sequence[Path]]], columns: Mapping[str, str]
) -> None:
    """Write the grid as PNG; `columns` are the trials' ids and what tells them apart.

    Pictures are made smaller where the whole would be too large, and small ones larger. Raises
    StoreError.
    """
    cell = _cell(rows, len(columns))
    font = ImageFont.load_default(FONT_SIZE)
    characters = max(8, cell // (FONT_SIZE // 2))
    heads = [_lines(f"{id} {name}", characters, 3) for id, name in columns.items()]
    head = LINE * max(map(len, heads)) + GAP
    across = max(8, len(columns) * (cell + GAP) // (FONT_SIZE // 2))
    titles = [_lines(title, across, 2) for title, _ in rows]
    heights = [LINE * len(title) + cell + GAP for title in titles]
    size = (GAP + len(columns) * (cell + GAP), head + GAP + sum(heights))
    grid = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(grid)
    for place, lines in enumerate(heads):
        draw.text((GAP + place * (cell + GAP), GAP), "\n".join(lines), INK, font, spacing=4)
    top = head + GAP
    for (_, pictures), title, height in zip(rows, titles, heights, strict=True):
        draw.text((GAP, top), "\n".join(title), INK, font, spacing=4)
        for place, picture in enumerate(pictures):
            left = GAP + place * (cell + GAP)
            grid.paste(_scaled(picture, cell), (left, top + LINE * len(title)))
        top += height
    atomic_write(path, png_bytes(grid))


def _cell(rows: Sequence[tuple[str, Sequence[Path]]], num_columns: int) -> int:
    """Pixels of a picture's side in the grid."""
    with Image.open(rows[0][1][0]) as first:
        side = max(first.width, SMALLEST_CELL)
    room = LARGEST // max(num_columns, len(rows)) - GAP - 2 * LINE
    return max(16, min(side, room))


def _scaled(path: Path, cell: int) -> Image.Image:
    with Image.open(path) as picture:
        rgb = picture.convert("RGB")
    larger = rgb.width < cell
    how = Image.Resampling.NEAREST if larger else Image.Resampling.LANCZOS
    return rgb if rgb.width == cell else rgb.resize((cell, cell), how)


def _lines(text: str, characters: int, most: int) -> list[str]:
    """Text on a few lines; what is more is left out."""
    lines = wrap(" ".join(text.split()), characters) or [""]
    return lines if len(lines) <= most else [*lines[: most - 1], f"{lines[most - 1][:-1]}…"]
