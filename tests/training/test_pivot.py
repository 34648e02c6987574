"""The pivot: the text side trains before it and never after, and its encoders are not called."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest
import torch
from small_trials import a_trial, run, some_items, some_settings, te_modes
from torch import Tensor

from lora_sweep.config.settings import (
    Pivotal,
    PivotRounding,
)
from lora_sweep.model.base import Base
from lora_sweep.model.text import encode_captions
from lora_sweep.training.loop import train
from lora_sweep.training.trial import Trial


@contextmanager
def encoder_calls(base: Base) -> Iterator[list[int]]:
    calls: list[int] = []
    encoders = base.text_encoders
    hooks = [e.register_forward_hook(lambda *args: calls.append(1)) for e in encoders]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


def text_values(trial: Trial) -> Tensor:
    return trial.groups["text"].vector.detach().clone()


@pytest.mark.parametrize("mode", ["lora", "full", "pivotal"])
def test_the_text_side_trains_before_the_pivot_and_never_after(base: Base, mode: str) -> None:
    with a_trial(base, some_settings(te_modes(0.5)[mode]), steps=4) as trial:
        assert trial.pivot_step == 2
        text, unet = [text_values(trial)], [trial.groups["unet"].vector.detach().clone()]
        for _ in train(trial, 4):
            text.append(text_values(trial))
            unet.append(trial.groups["unet"].vector.detach().clone())
        moved = [not torch.equal(a, b) for a, b in pairwise(text)]
        assert moved == [True, True, False, False]
        assert all(not torch.equal(a, b) for a, b in pairwise(unet))


@pytest.mark.parametrize("mode", ["lora", "full", "pivotal"])
def test_after_the_pivot_text_comes_from_the_final_weights_without_an_encoder(
    base: Base, mode: str
) -> None:
    with a_trial(base, some_settings(te_modes(0.5)[mode]), steps=4) as trial:
        with encoder_calls(base) as calls:
            run(trial, 2)
            assert len(calls) == 2 * 2, "two steps, two encoders"
            run(trial, 3)
            assert len(calls) == 2 * 2 + 2 * 6, "six captions, once more"
            run(trial, 4)
            assert len(calls) == 2 * 2 + 2 * 6
        found = trial.conditioner(range(6))
        words = "<s0><s1>" if mode == "pivotal" else "TOK"
        with torch.no_grad():
            expected = encode_captions(
                base, [c.replace("TOK", words) for c in trial.items.captions]
            )
        torch.testing.assert_close(found.prompt_BLD, expected.prompt_BLD)
        torch.testing.assert_close(found.pooled_BP, expected.pooled_BP)


def test_frozen_encoders_are_called_once_per_caption_and_never_in_a_step(base: Base) -> None:
    with encoder_calls(base) as calls, a_trial(base, some_settings()) as trial:
        assert len(calls) == 2 * 6
        run(trial, 3)
        assert len(calls) == 2 * 6


def test_the_clipped_norm_holds_no_text_after_the_pivot(base: Base) -> None:
    with a_trial(base, some_settings(te_modes(0.5)["pivotal"]), steps=4) as trial:
        for result in train(trial, 4):
            both = torch.cat([group.gradient for group in trial.groups.values()])
            unet = trial.groups["unet"].gradient
            joint = torch.linalg.vector_norm(both if result.step <= 2 else unet)
            shown = min(float(result.grad_norm), 1.0)
            assert float(joint) == pytest.approx(shown, rel=1e-4)
            assert set(result.lr) == ({"unet", "text"} if result.step <= 2 else {"unet"})


def test_new_rows_are_pulled_to_the_tables_deviation_once_per_step_until_the_pivot(
    base: Base,
) -> None:
    settings = some_settings(te_modes(0.5)["pivotal"], gradient_accumulation_steps=2, batch_size=1)
    with a_trial(base, settings, steps=4) as trial:
        assert trial.tokens is not None
        steps: list[int] = []
        normalise = type(trial.tokens).normalise
        try:
            type(trial.tokens).normalise = lambda self: (  # type: ignore[method-assign]
                steps.append(trial.step),
                normalise(self),
            )[1]
            run(trial, 4)
        finally:
            type(trial.tokens).normalise = normalise  # type: ignore[method-assign]
        assert steps == [0, 1]


@pytest.mark.parametrize(
    ("rounding", "frac", "expected"),
    [
        (PivotRounding.exact, 0.5, 5),
        (PivotRounding.epoch, 0.5, 3),  # 6 items by 2: epochs of 3 steps; int(0.5 * 4) = 2 ... of 9
        (PivotRounding.epoch, 0.2, 0),
        (PivotRounding.exact, 1.0, 9),
    ],
)
def test_the_pivot_follows_its_rounding(
    base: Base, rounding: PivotRounding, frac: float, expected: int
) -> None:
    mode = Pivotal(frac=frac, pivot_rounding=rounding)
    with a_trial(base, some_settings(mode), steps=9) as trial:
        assert trial.pivot_step == expected
        assert trial.text_frozen == (expected == 0)


def test_class_pictures_lengthen_the_epoch_that_the_pivot_is_rounded_to(base: Base) -> None:
    mode = Pivotal(frac=0.5, pivot_rounding=PivotRounding.epoch)
    with a_trial(base, some_settings(mode), class_items=some_items(10), steps=20) as trial:
        assert trial.pivot_step == 10, "epochs of 5 steps"
