"""Warnings: likely traps are named and nothing is refused because of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lora_sweep.config import problems, warnings
from lora_sweep.config.settings import (
    Adafactor,
    AdamW,
    Dataset,
    Evaluate,
    Model,
    Pivotal,
    Precision,
    PriorGenerated,
    Prodigy,
    ProdigyPlus,
    Schedule,
    Settings,
    Train,
)

GOOD = Settings(
    dataset=Dataset(instance_prompt="a TOK emoji", class_noun="emoji"),
    te_mode=Pivotal(),
    train=Train(max_train_steps=100),
)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": Prodigy(lr=1e-4)}, "optimizer.lr=0.0001: prodigy estimates its own step"),
        ({"optimizer": AdamW(lr=1.0)}, "optimizer.lr=1.0: high for adamw"),
        ({"optimizer": ProdigyPlus()}, "train.max_grad_norm=1.0: clipping hampers"),
        ({"optimizer": Adafactor(relative_step=True)}, "optimizer.lr=0.0001: has no effect"),
        ({"schedule": Schedule(warmup_steps=5)}, "schedule.warmup_steps=5: has no effect"),
        ({"schedule": Schedule(num_cycles=2)}, "schedule.num_cycles=2: has no effect"),
        ({"schedule": Schedule(power=2.0)}, "schedule.power=2.0: has no effect"),
        ({"prior": PriorGenerated(snr_weighting=True)}, "prior.snr_weighting=true: has no effect"),
        ({"prior": PriorGenerated(weight=0.0)}, "prior.weight=0"),
        ({"evaluate": Evaluate(prompts=("an emoji",))}, "it will not show the subject"),
        ({"evaluate": Evaluate(prompts=("TOK",), every=101)}, "evaluate.every=101: more than"),
        ({"evaluate": Evaluate(loss_timesteps=0, every=9)}, "evaluate.every=9: has no effect"),
        (
            {"model": Model(name="sdxl", vae_precision=Precision.fp16)},
            "model.vae_precision=fp16: SDXL's own VAE overflows",
        ),
    ],
)
def test_a_likely_trap_is_a_warning_and_no_problem(changes: dict[str, Any], message: str) -> None:
    settings = replace(GOOD, **changes)
    assert problems(settings) == []
    assert any(message in warning for warning in warnings(settings)), warnings(settings)


def test_measures_without_pictures_may_be_taken_on_the_way() -> None:
    settings = replace(GOOD, evaluate=Evaluate(prompts=(), every=9))
    assert not any("evaluate.every" in warning for warning in warnings(settings))
