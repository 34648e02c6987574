"""Buckets: SDXL's shapes, the nearest one for each picture, and what they make of an epoch."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_sweep.config.settings import Dataset
from lora_sweep.data.buckets import (
    bucket_of,
    bucket_shapes,
    class_pairs,
    epoch_lengths,
    have_effect,
    shape_of,
)

# Heights and widths of appendix I of SDXL's paper, one side of the square; the rest are turned.
PUBLISHED = """
512x2048 512x1984 512x1920 512x1856 576x1792 576x1728 576x1664 640x1600 640x1536 704x1472
704x1408 704x1344 768x1344 768x1280 832x1216 832x1152 896x1152 896x1088 960x1088 960x1024 1024x1024
"""
sides = st.integers(1, 4000)


def test_at_1024_pixels_the_shapes_are_those_that_sdxl_was_trained_on() -> None:
    wide = {tuple(map(int, each.split("x"))) for each in PUBLISHED.split()}
    turned = {(w, h) for h, w in wide}
    assert set(bucket_shapes(1024)) == wide | turned
    assert len(bucket_shapes(1024)) == 41


@pytest.mark.parametrize("resolution", [64, 128, 256, 512, 768, 1024])
def test_shapes_have_about_the_squares_area_in_steps_that_the_base_can_halve(
    resolution: int,
) -> None:
    shapes, step = bucket_shapes(resolution), 64 if resolution >= 256 else 8
    assert (resolution, resolution) in shapes
    assert len(shapes) > 1 and all((w, h) in shapes for h, w in shapes)
    for height, width in shapes:
        assert height % step == width % step == 0
        assert 0.9 <= height * width / resolution**2 <= 1
        assert 0.5 <= height / resolution <= 2


def test_a_resolution_of_no_whole_steps_still_has_its_square() -> None:
    assert (1000, 1000) in bucket_shapes(1000)


@given(sides, sides, st.sampled_from([64, 512, 1024]))
def test_no_other_shape_is_nearer_in_proportion(height: int, width: int, resolution: int) -> None:
    found = bucket_of((height, width), resolution)
    best = min(abs(math.log(h / w * width / height)) for h, w in bucket_shapes(resolution))
    assert abs(math.log(found[0] / found[1] * width / height)) == pytest.approx(best)


def test_a_square_picture_has_the_square_and_a_photo_its_format() -> None:
    assert bucket_of((700, 700), 1024) == (1024, 1024)
    assert bucket_of((3000, 4500), 1024) == (832, 1216)
    assert bucket_of((4500, 3000), 1024) == (1216, 832)
    assert bucket_of((1080, 1920), 1024) == (768, 1344)


def test_only_where_asked_for_do_pictures_have_other_shapes() -> None:
    assert shape_of((100, 200), Dataset(), 64) == (64, 64)
    assert shape_of((100, 200), Dataset(buckets=True), 64) != (64, 64)
    assert have_effect([(64, 64), (100, 200)], 64)
    assert not have_effect([(64, 64), (300, 301)], 64)


def test_an_epoch_has_the_rows_of_each_bucket() -> None:
    sizes = [(64, 64)] * 3 + [(50, 100)] * 2
    assert epoch_lengths(sizes, Dataset(repeats=2), 64, 0) == (10,)
    buckets = Dataset(repeats=2, buckets=True)
    assert epoch_lengths(sizes, buckets, 64, 0) == (6, 4)
    assert epoch_lengths(sizes, buckets, 64, 12) == (8, 4), "12 rows: two items come again"


@given(st.lists(st.sampled_from([(64, 64), (40, 96)]), min_size=1, max_size=9), st.integers(1, 12))
def test_a_class_picture_is_there_in_each_shape_that_it_is_shown_in(
    shapes: list[tuple[int, int]], num_class: int
) -> None:
    pairs = class_pairs(shapes, num_class)
    assert len(set(pairs)) == len(pairs)
    rows = range(max(len(shapes), num_class))
    assert set(pairs) == {(row % num_class, shapes[row % len(shapes)]) for row in rows}
    assert {index for index, _ in pairs} == set(range(num_class))
