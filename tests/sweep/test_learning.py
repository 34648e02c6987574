"""Training teaches the subject: held-out pictures of it are denoised better than by the base."""

from __future__ import annotations

from pathlib import Path

import pytest

from lora_sweep.config.compose import compose
from lora_sweep.model.base import load_base
from lora_sweep.results.measure.denoising import measure_losses
from lora_sweep.results.store import Store
from lora_sweep.sweep.device import open_device
from lora_sweep.sweep.prepare import prepare
from lora_sweep.sweep.request import resolve_request
from lora_sweep.training.loop import train
from lora_sweep.training.trial import build_trial

STEPS = 150
LOWER_BY = 0.15


@pytest.mark.parametrize(
    "choices",
    [
        ["optimizer=prodigy", "te_mode=pivotal"],
        # Ten times the post's rate, which is for a UNet a thousand times larger.
        ["optimizer=adamw", "te_mode=frozen", "optimizer.lr=1e-3"],
    ],
    ids=["pivotal prodigy", "frozen adamw"],
)
def test_150_steps_lower_the_held_out_loss_by_15_percent(choices: list[str], root: Path) -> None:
    overrides = [
        "dataset=huggy",
        "rank=16",
        f"train.max_train_steps={STEPS}",
        f"results.dir={root}",
    ]
    request = resolve_request(compose([*overrides, *choices]))
    base = load_base(request.settings.model, open_device(request.settings))
    prepared = prepare(base, request, Store(root))
    assert prepared.yardstick.fit_items is not None

    def held_out_loss(replacements: dict[str, str]) -> float:
        assert prepared.yardstick.fit_items is not None
        scores = measure_losses(
            base, prepared.yardstick.fit_items, prepared.yardstick.heldout_items, replacements, 8, 8
        )
        return scores["val_loss"]

    untrained = held_out_loss({})
    trial = build_trial(base, request.settings, prepared.items, None, STEPS, prepared.text_identity)
    for _ in train(trial, STEPS):
        pass
    trained = held_out_loss(dict(trial.tokens.replacements) if trial.tokens else {})
    assert trained <= (1 - LOWER_BY) * untrained
