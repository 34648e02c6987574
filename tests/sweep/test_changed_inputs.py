"""Pictures, captions or a base that have changed are another trial, never a silent reuse."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from runs import count_steps, small, weights_of
from safetensors.torch import load_file, save_file

from lora_sweep.config.settings import Dataset, Model, Settings
from lora_sweep.nano import WEIGHTS
from lora_sweep.sweep.request import resolve_request
from lora_sweep.sweep.run import run_trial

STEPS = 2


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(4):
        Image.new("RGB", (64, 64), (60 * index, 90, 30)).save(folder / f"{index}.png")
        (folder / f"{index}.txt").write_text(f"a TOK square {index}")
    return folder


def trial(root: Path, pictures: Path, **sections: Model) -> Settings:
    dataset = Dataset(
        name="folder", path=str(pictures), class_noun="square", holdout="0",
        instance_prompt="a TOK square",
    )  # fmt: skip
    train = {"max_train_steps": STEPS, "batch_size": 1}
    return small(root, "pivotal", train=train, dataset=dataset, **sections)


def change_a_pixel(folder: Path) -> None:
    with Image.open(folder / "2.png") as picture:
        changed = picture.copy()
    changed.putpixel((5, 5), (0, 0, 0))
    changed.save(folder / "2.png")


def change_a_caption(folder: Path) -> None:
    (folder / "2.txt").write_text("a TOK square two")


def lose_a_picture(folder: Path) -> None:
    (folder / "2.png").unlink()
    (folder / "2.txt").unlink()


@pytest.mark.usefixtures("one_base")
@pytest.mark.parametrize("change", [change_a_pixel, change_a_caption, lose_a_picture])
def test_changed_pictures_are_trained_on_and_the_old_trial_is_left_alone(
    change: Callable[[Path], None], root: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = trial(root, pictures)
    first = run_trial(settings)
    before = weights_of(first.folder)
    trained = count_steps(monkeypatch)
    assert run_trial(settings).folder == first.folder and not trained
    change(pictures)
    second = run_trial(settings)
    assert second.folder != first.folder and len(trained) == STEPS
    assert weights_of(first.folder) == before
    assert weights_of(second.folder)["lora.safetensors"] != before["lora.safetensors"]


def test_another_number_anywhere_in_the_base_is_another_trial(
    root: Path, pictures: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "base"
    shutil.copytree(WEIGHTS, copy)
    model = Model(path=str(copy))
    same = resolve_request(trial(root, pictures)).base_hash
    assert resolve_request(trial(root, pictures, model=model)).base_hash == same
    for part in ("unet", "vae", "text_encoder_2"):
        (weights,) = (copy / part).glob("*.safetensors")
        tensors = load_file(weights)
        name = next(iter(tensors))
        tensors[name] = tensors[name] + torch.finfo(tensors[name].dtype).eps
        save_file(tensors, weights, {"format": "pt"})
        changed = resolve_request(trial(root, pictures, model=model))
        assert changed.base_hash != same and changed.id != resolve_request(trial(root, pictures)).id
        same = changed.base_hash
