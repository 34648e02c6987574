"""How a picture becomes a square: scaled by its short side, mirrored or not, then cropped.

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
    """One square cut from a picture. Sizes and positions are in pixels, height or top first."""

    original_HW: tuple[int, int]  # upright, before scaling
    resized_HW: tuple[int, int]
    crop_top_left: tuple[int, int]  # in the resized and mirrored picture
    flipped: bool
    resolution: int


def draw_view(
    size_HW: tuple[int, int],
    settings: Dataset,
    resolution: int,
    seed: int,
    item: int,
    stream: Stream = Stream.view,
) -> View:
    """The view that an item has throughout training; each repeat of a picture has its own."""
    view = center_view(size_HW, resolution)
    if settings.crop is Crop.random:
        height, width = view.resized_HW
        top = integer_below(height - resolution + 1, seed, stream, item, "top")
        left = integer_below(width - resolution + 1, seed, stream, item, "left")
    else:
        top, left = view.crop_top_left
    flipped = settings.flip and integer_below(2, seed, stream, item, "flip") == 1
    return View(size_HW, view.resized_HW, (top, left), flipped, resolution)


def center_view(size_HW: tuple[int, int], resolution: int) -> View:
    """The centre of a picture, not mirrored: how held-out pictures are measured."""
    height, width = resized_HW(size_HW, resolution)
    # Python's round, halves to even, as torchvision's CenterCrop has it.
    top_left = round((height - resolution) / 2), round((width - resolution) / 2)
    return View(size_HW, (height, width), top_left, False, resolution)


def resized_HW(size_HW: tuple[int, int], resolution: int) -> tuple[int, int]:
    """Short side = resolution, long = int(resolution * long / short), as torchvision's Resize."""
    height, width = size_HW
    if width <= height:
        return int(resolution * height / width), resolution
    return resolution, int(resolution * width / height)


def pixels_CHW(picture: Image.Image, view: View, interpolation: Interpolation) -> Tensor:
    """Pixels of a view of an RGB picture, fp32 in [-1, 1], shape (3, resolution, resolution)."""
    if (picture.height, picture.width) != view.original_HW:
        raise ValueError(f"the view is of {view.original_HW}, the picture has {picture.size[::-1]}")
    height, width = view.resized_HW
    resized = picture.resize((width, height), _FILTERS[interpolation])
    if view.flipped:
        resized = resized.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    top, left = view.crop_top_left
    square = resized.crop((left, top, left + view.resolution, top + view.resolution))
    pixels = torch.from_numpy(np.array(square)).permute(2, 0, 1).contiguous()
    return pixels.to(torch.float32).div(255).sub(0.5).div(0.5)


def time_ids(view: View) -> tuple[int, int, int, int, int, int]:
    """SDXL's conditioning: original height, width; top, left of the crop; target height, width."""
    return (*view.original_HW, *view.crop_top_left, view.resolution, view.resolution)
