"""Training on several shapes: batches of one, class pictures alike, squares as without buckets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from small_trials import a_trial, run, some_items, some_settings, te_modes, weights

from lora_sweep.config.settings import PriorReal, Settings
from lora_sweep.model.base import Base
from lora_sweep.training.prepare import Items
from lora_sweep.training.step import Predict, train_step
from lora_sweep.training.trial import Trial

SHAPES = ((8, 8), (6, 10), (8, 8), (10, 6), (6, 10), (8, 8))


def shaped_items(
    shapes: tuple[tuple[int, int], ...], seed: int = 0, caption: str = "a TOK"
) -> Items:
    """Random posteriors of these shapes."""
    g = torch.Generator().manual_seed(seed)
    posteriors = tuple(torch.rand(8, h, w, generator=g) for h, w in shapes)
    time_ids = torch.tensor([[64, 64, 0, 0, 4 * h, 4 * w] for h, w in shapes])
    return Items(torch.empty(0), time_ids, (caption,) * len(shapes), (), posteriors)


def with_buckets(settings: Settings) -> Settings:
    return replace(settings, dataset=replace(settings.dataset, buckets=True))


def predicting(base: Base, seen: list[tuple[torch.Size, Any]]) -> Predict:
    def predict(noisy: Any, *arguments: Any, **options: Any) -> Any:
        seen.append((noisy.shape, options["added_cond_kwargs"]["time_ids"]))
        return base.unet(noisy, *arguments, **options)

    return predict


def test_every_batch_has_one_shape_and_its_own_target_size(base: Base) -> None:
    seen: list[tuple[torch.Size, Any]] = []
    settings = with_buckets(some_settings(batch_size=2))
    with a_trial(base, settings, shaped_items(SHAPES), steps=8) as trial:
        assert trial.epoch.steps == 2 + 1 + 1, "3, 2 and 1 pictures in pairs"
        for _ in range(4):
            train_step(trial, predicting(base, seen))
    shapes = [(shape[0], *shape[2:]) for shape, _ in seen]
    assert sorted(shapes) == [(1, 8, 8), (1, 10, 6), (2, 6, 10), (2, 8, 8)]
    for shape, time_ids in seen:
        assert time_ids[:, 4:].tolist() == [[4 * shape[2], 4 * shape[3]]] * shape[0]


@pytest.mark.parametrize("mode", ["frozen", "pivotal"])
def test_square_pictures_train_to_the_same_bytes_with_buckets(base: Base, mode: str) -> None:
    def trained(change: Callable[[Settings], Settings]) -> dict[str, torch.Tensor]:
        settings = change(some_settings(te_modes(0.5)[mode], batch_size=2))
        with a_trial(base, settings, some_items(5), steps=4) as trial:
            run(trial, 4)
            return weights(trial)

    plain, bucketed = trained(lambda settings: settings), trained(with_buckets)
    assert all(torch.equal(plain[name], bucketed[name]) for name in plain)


def test_class_pictures_come_in_the_shape_of_the_batch(base: Base) -> None:
    seen: list[tuple[torch.Size, Any]] = []
    # Picture 0 in two shapes, picture 1 in one: rows of an epoch are (0, 0), (1, 1), (2, 0), (3, 1)
    items = shaped_items(((8, 8), (6, 10), (6, 10), (6, 10)))
    classes = replace(
        shaped_items(((8, 8), (6, 10), (6, 10)), seed=1, caption="a thing"), pictures=(0, 1, 0)
    )
    settings = with_buckets(some_settings(prior=PriorReal(num_class_images=2), batch_size=2))
    with a_trial(base, settings, items, classes, steps=6) as trial:
        assert trial.class_rows == (0, 1, 2, 1)
        for _ in range(3):
            train_step(trial, predicting(base, seen))
    assert sorted(shape[0] for shape, _ in seen) == [2, 2, 4], "class rows beside their own"


def test_a_trial_of_several_shapes_resumes_to_the_same_bytes(base: Base) -> None:
    settings = with_buckets(some_settings(te_modes(0.5)["pivotal"], batch_size=2))

    def fresh() -> Any:
        return a_trial(base, settings, shaped_items(SHAPES), steps=6)

    with fresh() as trial:
        run(trial, 3)
        snapshot = trial.snapshot()
        run(trial, 6)
        through = weights(trial)
    with fresh() as trial:
        resumed: Trial = trial
        resumed.restore(*snapshot)
        run(resumed, 6)
        assert all(torch.equal(through[name], value) for name, value in weights(resumed).items())
