"""Buckets as planning sees them: part of a trial only where they change a picture."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from lora_sweep.config.compose import compose
from lora_sweep.sweep.request import TrialRequest, resolve_request
from lora_sweep.sweep.stages import pivot_of, spec_of


def request(tmp_path: Path, sizes: list[tuple[int, int]], *overrides: str) -> TrialRequest:
    folder = tmp_path / "pictures"
    folder.mkdir(exist_ok=True)
    for number, (width, height) in enumerate(sizes):
        Image.new("RGB", (width, height), (number, 0, 0)).save(folder / f"{number}.png")
    return resolve_request(
        compose(
            [
                "dataset=folder",
                f"dataset.path={folder}",
                "dataset.instance_prompt=a TOK",
                "dataset.holdout=0",
                f"results.dir={tmp_path / 'results'}",
                "train.max_train_steps=12",
                "train.batch_size=2",
                *overrides,
            ]
        )
    )


def test_among_squares_buckets_are_the_same_trial_as_without(tmp_path: Path) -> None:
    squares = [(64, 64), (300, 301)]
    with_buckets = request(tmp_path, squares, "dataset.buckets=true")
    assert with_buckets.id == request(tmp_path, squares).id
    assert not with_buckets.settings.dataset.buckets


@pytest.mark.parametrize("prior", [(), ("prior=generated", "prior.num_class_images=8")])
def test_other_shapes_make_another_trial_with_steps_of_its_own(
    tmp_path: Path, prior: tuple[str, ...]
) -> None:
    sizes = [(64, 64)] * 3 + [(120, 60)] * 3
    by_epoch = ("te_mode.pivot_rounding=epoch", *prior)
    plain = request(tmp_path, sizes, *by_epoch)
    buckets = request(tmp_path, sizes, "dataset.buckets=true", *by_epoch)
    assert plain.id != buckets.id and buckets.settings.dataset.buckets
    assert plain.epoch_lengths == ((8,) if prior else (6,))
    assert buckets.epoch_lengths == ((5, 3) if prior else (3, 3))
    steps = 5 if prior else 4  # of an epoch: 3 + 2, and 2 + 2 batches
    epochs = -(-12 // steps)
    assert pivot_of(spec_of(buckets)) == epochs // 2 * steps
