from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lora_sweep.config.settings import Evaluate
from lora_sweep.errors import StoreError
from lora_sweep.model import sample
from lora_sweep.model.base import Base
from lora_sweep.model.sample import SampleRequest, SamplerSettings
from lora_sweep.results.samples import (
    Sample,
    draw_samples,
    open_picture,
    png_bytes,
    read_samples,
    sample_paths,
)
from lora_sweep.results.store import Store, TrialFolder

PROMPTS = ("a TOK dog", "a red circle")
SAMPLER = SamplerSettings(64, 1, 5.0, 3)
FAST = Evaluate(prompts=PROMPTS, images_per_prompt=2, seed=5, sample_steps=1, batch_size=3)


def draw(
    base: Base,
    folder: TrialFolder,
    asked: Evaluate,
    replacements: dict[str, str],
    step: int,
    state: str = "trained",
    sampler: SamplerSettings = SAMPLER,
    drawn: dict[str, bytes] | None = None,
) -> list[Sample]:
    return draw_samples(
        base,
        folder,
        asked,
        asked.prompts,
        sampler,
        replacements,
        step,
        state,
        {} if drawn is None else drawn,
    )


@pytest.fixture
def asked_to_draw(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by the number of pictures that each call draws."""
    real, counts = sample.draw_pictures, []

    def counted(base: Base, requests: list[SampleRequest], sampler: SamplerSettings) -> Any:
        counts.append(len(requests))
        return real(base, requests, sampler)

    monkeypatch.setattr(sample, "draw_pictures", counted)
    return counts


@pytest.fixture
def folder(tmp_path: Path) -> TrialFolder:
    return Store(tmp_path).trial("0123456789ab").create()


def test_every_prompt_is_drawn_with_every_seed_and_listed(base: Base, folder: TrialFolder) -> None:
    drawn = draw(base, folder, FAST, {"TOK": "red"}, 7)
    assert [(s.prompt, s.text, s.seed) for s in drawn] == [
        ("a TOK dog", "a red dog", 5),
        ("a TOK dog", "a red dog", 6),
        ("a red circle", "a red circle", 5),
        ("a red circle", "a red circle", 6),
    ]
    assert read_samples(folder) == drawn
    rows = json.loads(folder.samples_index.read_text(encoding="utf-8"))
    assert set(rows[0]) == {"file", "step", "prompt", "text", "seed", "key"}
    for path in sample_paths(folder, drawn).values():
        with Image.open(path) as picture:
            assert (picture.format, picture.size, picture.mode) == ("PNG", (64, 64), "RGB")


def test_drawing_a_step_again_gives_its_bytes_and_keeps_other_steps(
    base: Base, folder: TrialFolder
) -> None:
    one = Evaluate(prompts=PROMPTS[:1], images_per_prompt=1, sample_steps=1)
    for step in (2, 10, 2):
        draw(base, folder, one, {}, step)
    assert [sample.step for sample in read_samples(folder)] == [2, 10]
    files = sorted(path.name for path in folder.samples.glob("*.png"))
    before = [(folder.samples / name).read_bytes() for name in files]
    draw(base, folder, one, {}, 2)
    assert [(folder.samples / name).read_bytes() for name in files] == before


def bytes_of(folder: TrialFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.samples.glob("*.png"))}


def test_the_same_pictures_are_not_drawn_again(
    base: Base, folder: TrialFolder, asked_to_draw: list[int]
) -> None:
    first = draw(base, folder, FAST, {}, 7)
    before = bytes_of(folder)
    assert draw(base, folder, FAST, {}, 7) == first and bytes_of(folder) == before
    assert draw(base, folder, replace(FAST, batch_size=1), {}, 7) == first
    assert asked_to_draw == [4, 0, 0]


@pytest.mark.parametrize(
    "change",
    [
        {"state": "trained on"},
        {"replacements": {"dog": "cat", "circle": "square"}},
        {"sampler": replace(SAMPLER, steps=2)},
        {"sampler": replace(SAMPLER, guidance_scale=1.0)},
        {"sampler": replace(SAMPLER, size=32)},
        {"asked": replace(FAST, seed=9)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_a_picture_depends_on_has_it_drawn_again(
    base: Base, folder: TrialFolder, asked_to_draw: list[int], change: dict[str, Any]
) -> None:
    draw(base, folder, FAST, {}, 7)
    asked: dict[str, Any] = {"asked": FAST, "replacements": {}, "step": 7}
    draw(base, folder, **(asked | change))
    assert asked_to_draw == [4, 4]
    assert set(bytes_of(folder)) == {sample.file for sample in read_samples(folder)}


def test_pictures_keep_their_content_when_prompts_move_and_others_go(
    base: Base, folder: TrialFolder, asked_to_draw: list[int]
) -> None:
    draw(base, folder, FAST, {}, 7)
    before = bytes_of(folder)
    moved = draw(base, folder, replace(FAST, prompts=PROMPTS[::-1]), {}, 7)
    after = bytes_of(folder)
    assert asked_to_draw == [4, 0]
    assert [sample.prompt for sample in moved] == [PROMPTS[1]] * 2 + [PROMPTS[0]] * 2
    assert after["step-000007-prompt-0-seed-5.png"] == before["step-000007-prompt-1-seed-5.png"]
    draw(base, folder, replace(FAST, prompts=PROMPTS[:1]), {}, 7)
    assert len(bytes_of(folder)) == 2


def test_a_batch_with_a_new_picture_is_drawn_whole(
    base: Base, folder: TrialFolder, asked_to_draw: list[int]
) -> None:
    draw(base, folder, FAST, {}, 7)
    draw(base, folder, replace(FAST, prompts=(*PROMPTS, "a dog")), {}, 7)
    assert asked_to_draw == [4, 3]  # of batches of 3: the first is there, the second is not whole


def test_a_damaged_picture_is_drawn_again(
    base: Base, folder: TrialFolder, asked_to_draw: list[int]
) -> None:
    drawn = draw(base, folder, FAST, {}, 7)
    before = bytes_of(folder)
    path = folder.samples / drawn[1].file
    path.write_bytes(path.read_bytes()[:-20])
    draw(base, folder, FAST, {}, 7)
    assert asked_to_draw == [4, 3] and bytes_of(folder) == before


def test_trials_in_the_same_state_share_their_pictures(
    base: Base, folder: TrialFolder, tmp_path: Path, asked_to_draw: list[int]
) -> None:
    drawn: dict[str, bytes] = {}
    other = Store(tmp_path).trial("ba9876543210").create()
    for each in (folder, other):
        draw(base, each, FAST, {}, 7, drawn=drawn)
    assert asked_to_draw == [4, 0] and bytes_of(folder) == bytes_of(other)


def test_a_list_of_before_there_were_keys_is_read_and_drawn_anew(
    base: Base, folder: TrialFolder, asked_to_draw: list[int]
) -> None:
    draw(base, folder, FAST, {}, 7)
    rows = json.loads(folder.samples_index.read_text(encoding="utf-8"))
    old = [{key: value for key, value in row.items() if key != "key"} for row in rows]
    folder.samples_index.write_text(json.dumps(old))
    assert len(read_samples(folder)) == 4
    draw(base, folder, FAST, {}, 7)
    assert asked_to_draw == [4, 4]


def test_a_picture_that_is_gone_is_named(folder: TrialFolder) -> None:
    with pytest.raises(StoreError, match=r"a\.png cannot be read"):
        open_picture(folder, Sample("a.png", 1, "a dog", "a dog", 0))


def test_without_prompts_the_list_is_empty(base: Base, folder: TrialFolder) -> None:
    assert draw(base, folder, Evaluate(), {}, 1) == []
    assert read_samples(folder) == []


def test_a_folder_without_a_list_has_no_samples(folder: TrialFolder) -> None:
    assert read_samples(folder) == []


@pytest.mark.parametrize("text", ["", "[", "[1]", '[{"file": "a.png"}]'])
def test_a_damaged_list_is_named_with_what_to_do(folder: TrialFolder, text: str) -> None:
    folder.samples.mkdir()
    folder.samples_index.write_text(text)
    with pytest.raises(StoreError, match=r"samples\.json cannot be read.*remove the file"):
        read_samples(folder)


def test_a_picture_survives_its_file() -> None:
    picture = Image.new("RGB", (5, 3), (1, 2, 3))
    with Image.open(io.BytesIO(png_bytes(picture))) as read:
        assert read.tobytes() == picture.tobytes()
