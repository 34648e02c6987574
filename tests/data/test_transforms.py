"""Views follow the arithmetic of torchvision's Resize, CenterCrop and RandomCrop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lora_sweep.config.settings import Crop, Dataset, Interpolation
from lora_sweep.data.transforms import View, center_view, draw_view, pixels_CHW, time_ids

sides = st.integers(1, 3000)
resolutions = st.sampled_from([8, 64, 512, 1024])


def torchvision_size(height: int, width: int, resolution: int) -> tuple[int, int]:
    """torchvision.transforms.functional._compute_resized_output_size, one side given."""
    short, long = (width, height) if width <= height else (height, width)
    new_short, new_long = resolution, int(resolution * long / short)
    new_width, new_height = (new_short, new_long) if width <= height else (new_long, new_short)
    return new_height, new_width


def picture_of_noise(height: int, width: int) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


@given(sides, sides, resolutions, st.integers(0, 20), st.booleans())
def test_a_view_is_a_square_inside_the_resized_picture(
    height: int, width: int, resolution: int, item: int, center: bool
) -> None:
    settings = Dataset(crop=Crop.center if center else Crop.random, flip=True)
    view = draw_view((height, width), settings, (resolution, resolution), 0, item)
    assert view.resized_HW == torchvision_size(height, width, resolution)
    for start, side in zip(view.crop_top_left, view.resized_HW, strict=True):
        assert 0 <= start <= side - resolution
    if center:
        # L1134 of the script: max(0, int(round((image.height - args.resolution) / 2.0)))
        expected = [max(0, round((side - resolution) / 2.0)) for side in view.resized_HW]
        assert list(view.crop_top_left) == expected


def test_every_position_and_both_sides_are_drawn() -> None:
    settings = Dataset(flip=True)
    views = [draw_view((8, 11), settings, (8, 8), 0, item) for item in range(200)]
    assert {view.crop_top_left for view in views} == {(0, left) for left in range(4)}
    assert 60 < sum(view.flipped for view in views) < 140
    assert not any(draw_view((8, 11), Dataset(), (8, 8), 0, item).flipped for item in range(50))


def test_a_view_depends_on_seed_and_item_and_on_nothing_else() -> None:
    settings = Dataset(flip=True)
    views = [draw_view((640, 900), settings, (64, 64), 0, item) for item in range(40)]
    # Of 27 crops and their mirrors, 40 draws miss few.
    assert len(set(views)) > 20, "each repeat of a picture has a view of its own"
    assert [draw_view((640, 900), settings, (64, 64), 0, item) for item in range(40)] == views
    assert [draw_view((640, 900), settings, (64, 64), 1, item) for item in range(40)] != views


def test_one_seed_crops_alike_with_and_without_flips() -> None:
    plain = draw_view((64, 900), Dataset(), (64, 64), 0, 3)
    flipped = draw_view((64, 900), Dataset(flip=True), (64, 64), 0, 3)
    assert plain.crop_top_left == flipped.crop_top_left


@pytest.mark.parametrize("interpolation", list(Interpolation))
@pytest.mark.parametrize("size_HW", [(50, 31), (31, 50), (16, 16), (5, 9)])
@pytest.mark.parametrize("flipped", [False, True])
def test_pixels_are_those_of_the_script(
    interpolation: Interpolation, size_HW: tuple[int, int], flipped: bool
) -> None:
    picture = picture_of_noise(*size_HW)
    height, width = torchvision_size(*size_HW, 16)
    top, left = (height - 16) // 3, (width - 16) // 3
    view = View(size_HW, (height, width), (top, left), flipped, (16, 16))

    filters = {"lanczos": 1, "bilinear": 2, "bicubic": 3}  # PIL's numbers
    image = picture.resize((width, height), Image.Resampling(filters[interpolation.value]))
    pixels = np.asarray(image, dtype=np.float32) / np.float32(255)  # ToTensor
    if flipped:
        pixels = pixels[:, ::-1]  # before the crop
    pixels = pixels[top : top + 16, left : left + 16].transpose(2, 0, 1)
    expected = (pixels - np.float32(0.5)) / np.float32(0.5)  # Normalize([0.5], [0.5])

    actual = pixels_CHW(picture, view, interpolation)
    assert actual.dtype == torch.float32 and actual.shape == (3, 16, 16)
    assert torch.equal(actual, torch.from_numpy(expected.copy()))


def test_black_and_white_are_minus_one_and_one() -> None:
    picture = Image.new("RGB", (2, 2))
    picture.putpixel((1, 0), (255, 255, 255))
    pixels = pixels_CHW(picture, center_view((2, 2), 2), Interpolation.bilinear)
    assert pixels[0].tolist() == [[-1, 1], [-1, -1]]


def test_a_view_of_another_picture_is_refused() -> None:
    view = center_view((10, 20), 8)
    with pytest.raises(ValueError, match=r"the view is of \(10, 20\), the picture has \(20, 10\)"):
        pixels_CHW(Image.new("RGB", (10, 20)), view, Interpolation.lanczos)


def test_time_ids_are_original_size_crop_and_target_size() -> None:
    view = View((3000, 2000), (1536, 1024), (17, 0), False, (1024, 1024))
    assert time_ids(view) == (3000, 2000, 17, 0, 1024, 1024)


@given(sides, sides, st.sampled_from([(8, 8), (512, 2048), (832, 1216), (1344, 768)]))
def test_another_shape_is_covered_by_the_smallest_size_that_can(
    height: int, width: int, shape: tuple[int, int]
) -> None:
    view = draw_view((height, width), Dataset(), shape, 0, 0)
    spare = [a - b for a, b in zip(view.resized_HW, shape, strict=True)]
    assert min(spare) == 0, "one side fits, the other is cut"
    assert all(0 <= start <= most for start, most in zip(view.crop_top_left, spare, strict=True))
    scale = view.resized_HW[0] / height
    assert view.resized_HW[1] == pytest.approx(scale * width, abs=scale + 1)


def test_time_ids_of_a_bucket_have_its_own_size_as_target() -> None:
    view = draw_view((1000, 3000), Dataset(), (640, 1536), 0, 0)
    top, left = view.crop_top_left
    assert time_ids(view) == (1000, 3000, top, left, 640, 1536)
    pixels = pixels_CHW(picture_of_noise(1000, 3000), view, Interpolation.bilinear)
    assert pixels.shape == (3, 640, 1536)
