"""Prior preservation in whole trials: class pictures that the base draws, and real ones."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from runs import record_of, rows_of, small, weights_of

from lora_sweep.config.settings import Lora, Model, PriorGenerated, PriorReal
from lora_sweep.data.cache import Cache
from lora_sweep.model.base import Base
from lora_sweep.sweep import class_images
from lora_sweep.sweep.class_images import class_folder, generated_class_examples
from lora_sweep.sweep.run import run_trial

FAST = PriorGenerated(num_class_images=3, sample_steps=1, sample_batch_size=2)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by the size of each batch that is asked for."""
    real, sizes = class_images.draw_pictures, []

    def draw(base: Base, requests: Any, *arguments: Any) -> Iterator[Any]:
        sizes.append(len(requests))
        return real(base, requests, *arguments)

    monkeypatch.setattr(class_images, "draw_pictures", draw)
    return sizes


def pictures(base: Base, root: Path, prior: PriorGenerated = FAST, **more: Any) -> list[bytes]:
    examples = generated_class_examples(base, "hash", Model(), prior, "a dog", Cache(root), **more)
    assert len(examples) == prior.num_class_images
    assert all(e.caption == "a dog" and e.size_HW == (64, 64) for e in examples)
    return [example.path.read_bytes() for example in examples]


def test_class_pictures_are_drawn_once_and_all_differ(
    base: Base, tmp_path: Path, drawn: list[int]
) -> None:
    first = pictures(base, tmp_path)
    assert drawn == [2, 2] and len(set(first)) == 3
    assert pictures(base, tmp_path) == first and drawn == [2, 2]


def test_asking_for_more_keeps_those_that_are_there(
    base: Base, tmp_path: Path, drawn: list[int]
) -> None:
    first = pictures(base, tmp_path)
    more = pictures(base, tmp_path, grown(6))
    assert more[:3] == first and drawn == [2, 2, 2]
    alone = pictures(base, tmp_path / "alone", grown(6))
    assert alone == more


def grown(count: int) -> PriorGenerated:
    return PriorGenerated(num_class_images=count, sample_steps=1, sample_batch_size=2)


def test_a_damaged_class_picture_is_drawn_again_with_a_warning(
    base: Base, tmp_path: Path, drawn: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    first = pictures(base, tmp_path)
    folder = class_folder(base, "hash", Model(), FAST, "a dog", Cache(tmp_path))
    path = folder / "00001.png"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    (folder / "00002.png").write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        assert pictures(base, tmp_path) == first
    assert drawn == [2, 2, 2, 2]
    assert "00001.png is damaged" in caplog.text and "drawn again" in caplog.text


def test_a_hundred_pictures_report_every_batch(
    base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    def draw(base: Base, requests: Any, settings: Any) -> Iterator[Any]:
        return (Image.new("RGB", (64, 64), (index, 0, 0)) for index in range(len(requests)))

    monkeypatch.setattr(class_images, "draw_pictures", draw)
    told: list[tuple[int, int]] = []
    prior = PriorGenerated(sample_batch_size=8)
    pictures(base, tmp_path, prior, on_picture=lambda done, total: told.append((done, total)))
    assert told == [(min(8 * k, 100), 100) for k in range(1, 14)]


def test_trials_share_generated_class_pictures(root: Path, drawn: list[int]) -> None:
    prior = PriorGenerated(num_class_images=3, sample_steps=2, sample_batch_size=2)
    train = {"max_train_steps": 2}
    first = run_trial(small(root, prior=prior, train=train))
    assert drawn == [2, 2]
    second = run_trial(small(root, prior=prior, train=train, lora=Lora(rank=4)))
    assert drawn == [2, 2] and first.folder != second.folder and not second.failed


def test_real_class_pictures_of_the_package_train(new_root: Callable[[str], Path]) -> None:
    train = {"max_train_steps": 2}
    real = run_trial(small(new_root("real"), prior=PriorReal(num_class_images=4), train=train))
    none = run_trial(small(new_root("none"), train=train))
    assert record_of(real.folder)["state"] == "done"
    assert rows_of(real.folder) != rows_of(none.folder)
    assert weights_of(real.folder) != weights_of(none.folder)
