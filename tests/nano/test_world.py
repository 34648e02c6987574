"""Claims about the small world: a pure function of its seed, readable colours, honest captions."""

from __future__ import annotations

import random

import numpy as np
import pytest

from lora_sweep.errors import SettingsError
from lora_sweep.nano.world import (
    KINDS,
    caption_variants,
    draw_emoji,
    draw_scene,
    heldout_emoji,
    is_heldout,
    measure_emoji,
    rasterise,
)
from lora_sweep.nano.world.faces import HEADS, MOODS
from lora_sweep.nano.world.hats import HATS, PROPS
from lora_sweep.nano.world.palette import NAMES


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_scene(kind: str) -> None:
    for seed in range(30):
        assert draw_scene(seed, kind) == draw_scene(seed, kind)
    assert draw_scene(1, kind).svg != draw_scene(2, kind).svg


def test_training_scenes_are_never_held_out_and_held_out_ones_always_are() -> None:
    scenes = [draw_scene(seed) for seed in range(2000)]
    assert not any(is_heldout(scene.attributes) for scene in scenes)
    assert all(is_heldout(scene.attributes) for scene in heldout_emoji(200, seed=3))


def test_about_a_tenth_of_the_combinations_is_held_out() -> None:
    rng = random.Random(5)
    drawn = [draw_emoji(rng).attributes for _ in range(2000)]
    assert 0.07 < np.mean([is_heldout(attributes) for attributes in drawn]) < 0.13


def test_colours_of_held_out_emoji_can_be_read_from_their_pixels() -> None:
    pytest.importorskip("resvg_py")
    scenes = heldout_emoji(200, seed=11)
    right = [
        measure_emoji(rasterise(s.svg)) == (s.attributes["background"], s.attributes["body"])
        for s in scenes
    ]
    assert np.mean(right) >= 0.99


def test_emoji_captions_say_emoji_and_mostly_both_colours() -> None:
    scenes = [draw_scene(seed, "emoji") for seed in range(1500)]
    assert all("emoji" in scene.caption for scene in scenes)
    plain = [s for s in scenes if s.attributes["pattern"] == "plain"]
    both = [
        s.attributes["body"] in s.caption
        and f"{s.attributes['background']} background" in s.caption
        for s in plain
    ]
    assert 0.8 < np.mean(both) < 0.92


def test_captions_are_lower_case_short_and_varied() -> None:
    scenes = [draw_scene(seed) for seed in range(1000)]
    assert all(s.caption == s.caption.lower() and len(s.caption.split()) < 45 for s in scenes)
    rng = random.Random(0)
    for scene in scenes[:50]:
        phrases = {caption_variants(scene.kind, scene.attributes, rng) for _ in range(40)}
        assert len(phrases) >= 3


def test_portrait_captions_open_as_portraits_or_photos() -> None:
    captions = [draw_scene(seed, "portrait").caption for seed in range(200)]
    assert all(c.startswith(("a portrait of a", "a photo of a")) for c in captions)


def test_every_attribute_value_of_emoji_appears() -> None:
    drawn = [draw_scene(seed, "emoji").attributes for seed in range(1500)]
    for key, values in (("body", NAMES), ("mood", MOODS), ("hat", HATS), ("prop", PROPS),
                        ("head", HEADS)):  # fmt: skip
        assert {attributes[key] for attributes in drawn} == set(values)
    assert {a["background"] for a in drawn} == {*NAMES, "scenery"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [64, 96])
def test_a_scene_is_rasterised_at_any_size(kind: str, size: int) -> None:
    pytest.importorskip("resvg_py")
    picture = rasterise(draw_scene(7, kind).svg, size)
    assert picture.shape == (size, size, 3)
    assert picture.dtype == np.uint8
    assert picture.std() > 5


def test_given_attributes_are_kept_and_wrong_ones_named() -> None:
    scene = draw_emoji(random.Random(0), background="blue", body="red", mood="cool", hat="crown")
    assert [scene.attributes[k] for k in ("background", "body", "mood", "hat", "pattern")] == [
        "blue", "red", "cool", "crown", "plain",
    ]  # fmt: skip
    with pytest.raises(SettingsError, match="mood is 'hungry'"):
        draw_emoji(random.Random(0), mood="hungry")
    with pytest.raises(SettingsError, match="must differ"):
        draw_emoji(random.Random(0), background="red", body="red")
    with pytest.raises(SettingsError, match="kind is 'poem'"):
        draw_scene(0, "poem")
