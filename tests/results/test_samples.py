from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from lora_sweep.config.settings import Evaluate
from lora_sweep.errors import StoreError
from lora_sweep.model.base import Base
from lora_sweep.results.samples import draw_samples, png_bytes, read_samples, sample_paths
from lora_sweep.results.store import Store, TrialFolder

PROMPTS = ("a TOK dog", "a red circle")
FAST = Evaluate(prompts=PROMPTS, images_per_prompt=2, seed=5, sample_steps=1, batch_size=3)


@pytest.fixture
def folder(tmp_path: Path) -> TrialFolder:
    return Store(tmp_path).trial("0123456789ab").create()


def test_every_prompt_is_drawn_with_every_seed_and_listed(base: Base, folder: TrialFolder) -> None:
    drawn = draw_samples(base, folder, FAST, PROMPTS, 64, {"TOK": "red"}, step=7)
    assert [(s.prompt, s.text, s.seed) for s in drawn] == [
        ("a TOK dog", "a red dog", 5),
        ("a TOK dog", "a red dog", 6),
        ("a red circle", "a red circle", 5),
        ("a red circle", "a red circle", 6),
    ]
    assert read_samples(folder) == drawn
    rows = json.loads(folder.samples_index.read_text(encoding="utf-8"))
    assert set(rows[0]) == {"file", "step", "prompt", "text", "seed"}
    for path in sample_paths(folder, drawn).values():
        with Image.open(path) as picture:
            assert (picture.format, picture.size, picture.mode) == ("PNG", (64, 64), "RGB")


def test_drawing_a_step_again_gives_its_bytes_and_keeps_other_steps(
    base: Base, folder: TrialFolder
) -> None:
    one = Evaluate(prompts=PROMPTS[:1], images_per_prompt=1, sample_steps=1)
    for step in (2, 10, 2):
        draw_samples(base, folder, one, one.prompts, 64, {}, step)
    assert [sample.step for sample in read_samples(folder)] == [2, 10]
    files = sorted(path.name for path in folder.samples.glob("*.png"))
    before = [(folder.samples / name).read_bytes() for name in files]
    draw_samples(base, folder, one, one.prompts, 64, {}, 2)
    assert [(folder.samples / name).read_bytes() for name in files] == before


def test_without_prompts_the_list_is_empty(base: Base, folder: TrialFolder) -> None:
    assert draw_samples(base, folder, Evaluate(), (), 64, {}, 1) == []
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
