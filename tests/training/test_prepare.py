"""What is computed once: latents, sizes and captions of all items."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import (
    StableDiffusionXLPipeline,
)
from PIL import Image

from lora_sweep.config.settings import Crop, Dataset, Interpolation, Model, Precision
from lora_sweep.data.cache import Cache
from lora_sweep.data.examples import Example
from lora_sweep.data.transforms import pixels_CHW
from lora_sweep.model.base import Base, load_base
from lora_sweep.training import prepare as prepare_module
from lora_sweep.training.prepare import (
    Items,
    class_views,
    measure_views,
    prepare_items,
    training_views,
)

SIZE = 32
DATASET = Dataset(repeats=2, flip=True)


@pytest.fixture
def examples(tmp_path: Path) -> list[Example]:
    found = []
    for number, (height, width) in enumerate([(48, 80), (64, 40), (50, 50)]):
        levels = np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)
        path = tmp_path / f"{number}.png"
        Image.fromarray(levels).save(path)
        size = (height, width)
        found.append(Example(path, f"caption {number}", f"digest {number}", "train", size))
    return found


@contextmanager
def encodings(base: Base) -> Iterator[list[int]]:
    calls: list[int] = []
    hook = base.vae.encoder.register_forward_hook(lambda *args: calls.append(1))
    try:
        yield calls
    finally:
        hook.remove()


def prepare(base: Base, examples: list[Example], cache: Path, dataset: Dataset = DATASET) -> Items:
    repeated, views = training_views(examples, dataset, SIZE, seed=0)
    return prepare_items(base, "the vae", repeated, views, dataset, Cache(cache))


def test_latents_are_the_vaes_of_the_pixels_of_each_view(
    base: Base, examples: list[Example], tmp_path: Path
) -> None:
    items = prepare(base, examples, tmp_path)
    repeated, views = training_views(examples, DATASET, SIZE, seed=0)
    assert len(items) == 6 == len(items.posterior_NCHW) == len(items.time_ids_N6)
    for index, (example, view) in enumerate(zip(repeated, views, strict=True)):
        picture = Image.open(example.path).convert("RGB")
        pixels = pixels_CHW(picture, view, DATASET.interpolation)
        with torch.no_grad():
            dist = base.vae.encode(pixels[None]).latent_dist  # type: ignore[union-attr]
        assert torch.equal(items.posterior_NCHW[index], torch.cat([dist.mean, dist.std], 1)[0])
        assert items.captions[index] == example.caption


def test_time_ids_are_those_that_the_pipeline_makes(
    base: Base, examples: list[Example], tmp_path: Path
) -> None:
    pipeline = StableDiffusionXLPipeline(
        vae=base.vae,
        text_encoder=base.text_encoder,
        text_encoder_2=base.text_encoder_2,
        tokenizer=base.tokenizer,
        tokenizer_2=base.tokenizer_2,
        unet=base.unet,
        scheduler=base.scheduler,  # type: ignore[arg-type]
        add_watermarker=False,
    )
    items = prepare(base, examples, tmp_path)
    _, views = training_views(examples, DATASET, SIZE, seed=0)
    for row, view in zip(items.time_ids_N6, views, strict=True):
        expected = pipeline._get_add_time_ids(
            view.original_HW, view.crop_top_left, (SIZE, SIZE), torch.float32, 96
        )
        assert torch.equal(row[None].float(), expected)


def test_nothing_is_encoded_twice(base: Base, examples: list[Example], tmp_path: Path) -> None:
    different = set(zip(*training_views(examples, DATASET, SIZE, seed=0), strict=True))
    with encodings(base) as calls:
        first = prepare(base, examples, tmp_path)
        assert len(calls) == len(different) > 3
        again = prepare(base, examples, tmp_path)
        assert len(calls) == len(different)
    assert torch.equal(first.posterior_NCHW, again.posterior_NCHW)


def test_repeats_have_views_of_their_own_and_so_latents_of_their_own(
    base: Base, examples: list[Example], tmp_path: Path
) -> None:
    items = prepare(base, examples, tmp_path)
    assert not torch.equal(items.posterior_NCHW[0], items.posterior_NCHW[1])
    assert items.captions[0] == items.captions[1]
    centred = prepare(base, examples, tmp_path, Dataset(repeats=2, crop=Crop.center))
    assert torch.equal(centred.posterior_NCHW[0], centred.posterior_NCHW[1])


@pytest.mark.parametrize("change", ["picture", "vae", "view", "filter", "precision"])
def test_what_a_latent_depends_on_makes_another_entry(
    base: Base, examples: list[Example], tmp_path: Path, change: str
) -> None:
    cache, dataset, vae = Cache(tmp_path), Dataset(), "the vae"
    one = examples[:1]
    views = measure_views(one, SIZE)
    prepare_items(base, vae, one, views, dataset, cache)
    if change == "picture":
        one = [replace(one[0], digest="another")]
    elif change == "vae":
        vae = "another"
    elif change == "view":
        views = [replace(views[0], crop_top_left=(0, 1))]
    elif change == "filter":
        dataset = Dataset(interpolation=Interpolation.bilinear)
    else:
        base = load_base(Model(vae_precision=Precision.bf16), torch.device("cpu"))
    with encodings(base) as calls:
        prepare_items(base, vae, one, views, dataset, cache)
    assert len(calls) == 1


def test_views_are_functions_of_seed_and_item_and_classes_have_their_own(
    examples: list[Example],
) -> None:
    dataset = Dataset()
    first = training_views(examples, dataset, SIZE, seed=0)[1]
    assert training_views(examples, dataset, SIZE, seed=0)[1] == first
    assert training_views(examples, dataset, SIZE, seed=1)[1] != first
    numbers, views = class_views(examples, dataset, first, seed=0)
    assert numbers == [0, 1, 2] and views != first


def test_measured_pictures_are_centred_and_never_mirrored(examples: list[Example]) -> None:
    for view in measure_views(examples, SIZE):
        height, width = view.resized_HW
        assert view.crop_top_left == (round((height - SIZE) / 2), round((width - SIZE) / 2))
        assert not view.flipped


def test_progress_is_told_item_by_item(base: Base, examples: list[Example], tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    prepare_items(
        base,
        "the vae",
        examples,
        measure_views(examples, SIZE),
        DATASET,
        Cache(tmp_path),
        lambda done, total: told.append((done, total)),
    )
    assert told == [(1, 3), (2, 3), (3, 3)]


BUCKETS = Dataset(buckets=True)


def test_with_buckets_each_item_has_a_latent_of_its_pictures_shape(
    base: Base, examples: list[Example], tmp_path: Path
) -> None:
    items = prepare(base, examples, tmp_path, BUCKETS)
    assert items.shapes == ((6, 10), (10, 6), (8, 8)), "a quarter of the pixels"
    assert items.time_ids_N6[:, 4:].tolist() == [[24, 40], [40, 24], [32, 32]]
    for row, (height, width) in enumerate(items.shapes):
        assert items.posterior([row]).shape == (1, 8, height, width)
    assert items.time_ids_N6[1].tolist() == [64, 40, 0, 1, 40, 24], "25 pixels wide, 24 are kept"


def test_square_pictures_have_the_same_latents_and_cache_with_buckets(
    base: Base, examples: list[Example], tmp_path: Path
) -> None:
    squares = [examples[2], replace(examples[2], caption="another")]
    plain = prepare(base, squares, tmp_path, Dataset())
    with encodings(base) as calls:
        items = prepare(base, squares, tmp_path, BUCKETS)
    assert calls == [], "found in the cache"
    assert torch.equal(items.posterior_NCHW, plain.posterior_NCHW)
    assert torch.equal(items.time_ids_N6, plain.time_ids_N6) and items.shapes == plain.shapes


def test_class_pictures_have_the_shapes_of_the_items_beside_them(examples: list[Example]) -> None:
    training = training_views(examples, BUCKETS, SIZE, seed=0)[1]
    numbers, views = class_views(examples[:2], BUCKETS, training, seed=0)
    shown = [(number, view.shape_HW) for number, view in zip(numbers, views, strict=True)]
    assert shown == [(0, (24, 40)), (1, (40, 24)), (0, (32, 32))]
    assert class_views([], BUCKETS, training, seed=0) == ([], [])


def test_latents_are_made_one_picture_at_a_time(
    base: Base, examples: list[Example], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """31 pictures of 1024 pixels would be 390 MB as pixels; as latents they are 16 MB."""
    alive: list[weakref.ref[object]] = []

    def cut(*arguments: Any) -> torch.Tensor:
        assert not any(each() is not None for each in alive), "pixels of another are there"
        pixels = pixels_CHW(*arguments)
        alive.append(weakref.ref(pixels))
        return pixels

    monkeypatch.setattr(prepare_module, "pixels_CHW", cut)
    prepare(base, examples, tmp_path)
    assert len(alive) > 3
