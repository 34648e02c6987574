"""How a picture becomes a square, or another shape: scaled to cover it, mirrored or not, cropped.

As in lines 1110 to 1153 of diffusers' train_dreambooth_lora_sdxl_advanced.py, whose Resize,
CenterCrop, RandomCrop and ToTensor are torchvision's; the arithmetic here is theirs. One thing
differs: a dataset of a single picture is cropped and mirrored like any other, where the script
always takes its centre.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lora_sweep.config.settings import Crop, Dataset, Interpolation
from lora_sweep.randomness import Stream, integer_below

_FILTERS = {
    Interpolation.lanczos: Image.Resampling.LANCZOS,
    Interpolation.bicubic: Image.Resampling.BICUBIC,
    Interpolation.bilinear: Image.Resampling.BILINEAR,
}


@dataclass(frozen=True)
class View:
    """One piece cut from a picture. Sizes and positions are in pixels, height or top first."""

    original_HW: tuple[int, int]  # upright, before scaling
    resized_HW: tuple[int, int]
    crop_top_left: tuple[int, int]  # in the resized and mirrored picture
    flipped: bool
    shape_HW: tuple[int, int]  # of the piece: resolution x resolution, or a bucket


def draw_view(
    size_HW: tuple[int, int],
    settings: Dataset,
    shape_HW: tuple[int, int],
    seed: int,
    item: int,
    stream: Stream = Stream.view,
) -> View:
    """The view that an item has throughout training; each repeat of a picture has its own."""
    view = _centred(size_HW, shape_HW)
    if settings.crop is Crop.random:
        height, width = view.resized_HW
        top = integer_below(height - shape_HW[0] + 1, seed, stream, item, "top")
        left = integer_below(width - shape_HW[1] + 1, seed, stream, item, "left")
    else:
        top, left = view.crop_top_left
    flipped = settings.flip and integer_below(2, seed, stream, item, "flip") == 1
    return View(size_HW, view.resized_HW, (top, left), flipped, shape_HW)


def center_view(size_HW: tuple[int, int], resolution: int) -> View:
    """The centre square of a picture, not mirrored: how held-out pictures are measured."""
    return _centred(size_HW, (resolution, resolution))


def _centred(size_HW: tuple[int, int], shape_HW: tuple[int, int]) -> View:
    height, width = resized_HW(size_HW, shape_HW)
    # Python's round, halves to even, as torchvision's CenterCrop has it.
    top_left = round((height - shape_HW[0]) / 2), round((width - shape_HW[1]) / 2)
    return View(size_HW, (height, width), top_left, False, shape_HW)


def resized_HW(size_HW: tuple[int, int], shape_HW: tuple[int, int]) -> tuple[int, int]:
    """The smallest size of the picture's proportions that covers a shape.

    Of a square: short side = resolution, long = int(resolution * long / short), as torchvision's
    Resize.
    """
    (height, width), (rows, columns) = size_HW, shape_HW
    if rows * width >= columns * height:
        return rows, int(rows * width / height)
    return int(columns * height / width), columns


def pixels_CHW(picture: Image.Image, view: View, interpolation: Interpolation) -> Tensor:
    """Pixels of a view of an RGB picture, fp32 in [-1, 1], shape (3, *view.shape_HW)."""
    if (picture.height, picture.width) != view.original_HW:
        raise ValueError(f"the view is of {view.original_HW}, the picture has {picture.size[::-1]}")
    height, width = view.resized_HW
    resized = picture.resize((width, height), _FILTERS[interpolation])
    if view.flipped:
        resized = resized.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    top, left = view.crop_top_left
    rows, columns = view.shape_HW
    piece = resized.crop((left, top, left + columns, top + rows))
    pixels = torch.from_numpy(np.array(piece)).permute(2, 0, 1).contiguous()
    return pixels.to(torch.float32).div(255).sub(0.5).div(0.5)


def time_ids(view: View) -> tuple[int, int, int, int, int, int]:
    """SDXL's conditioning: original height, width; top, left of the crop; target height, width."""
    return (*view.original_HW, *view.crop_top_left, *view.shape_HW)
