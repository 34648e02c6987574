"""Plain values: JSON goes in and out unchanged, and everything that does not fit is named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lora_sweep.config import settings_from_plain, to_plain
from lora_sweep.config.settings import (
    VARIANTS,
    AdamW,
    Device,
    Evaluate,
    Model,
    Pivotal,
    PivotRounding,
    Precision,
    Prodigy,
    Settings,
    Train,
)
from lora_sweep.errors import SettingsError


def with_optimizer(**values: Any) -> dict[str, Any]:
    return {"optimizer": {"name": "adamw", **values}}


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(model=Model(precision=Precision.bf16), train=Train(device=Device.cuda)),
        Settings(te_mode=Pivotal(pivot_rounding=PivotRounding.epoch), optimizer=Prodigy()),
        Settings(evaluate=Evaluate(prompts=("a", "b"))),
    ],
)
def test_json_brings_the_same_settings_back(settings: Settings) -> None:
    assert settings_from_plain(json.loads(json.dumps(to_plain(settings)))) == settings


@pytest.mark.parametrize("variant", [cls for group in VARIANTS.values() for cls in group])
def test_every_choice_comes_back_as_its_own_class(variant: type) -> None:
    section = {
        "Optimizer": "optimizer",
        "TeMode": "te_mode",
        "Prior": "prior",
        "Tracker": "tracker",
    }
    base = next(base for base, classes in VARIANTS.items() if variant in classes)
    settings = Settings(**{section[base.__name__]: variant()})
    assert settings_from_plain(to_plain(settings)) == settings


def test_whole_numbers_are_accepted_where_fractions_are() -> None:
    lr = settings_from_plain(with_optimizer(lr=1)).optimizer.lr
    assert lr == 1.0 and type(lr) is float


def test_a_number_for_holdout_becomes_text() -> None:
    assert settings_from_plain({"dataset": {"holdout": 3}}).dataset.holdout == "3"


def test_what_is_left_out_keeps_its_default() -> None:
    assert settings_from_plain({}) == Settings()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (with_optimizer(lr=True), "optimizer.lr=true: must be a number"),
        (with_optimizer(lr="1"), "optimizer.lr=1: must be a number"),
        (with_optimizer(te_lr=[]), "optimizer.te_lr=[]: must be a number or null"),
        ({"optimizer": {"lr": 1.0}}, "optimizer.name=null: must be one of prodigy, adamw"),
        ({"optimizer": 3}, "optimizer=3: must be a group of settings"),
        ({"train": {"batch_size": 1.0}}, "train.batch_size=1.0: must be a whole number"),
        ({"train": {"batch_size": None}}, "train.batch_size=null: must be a whole number"),
        ({"train": {"compile": 1}}, "train.compile=1: must be true or false"),
        ({"train": {"device": "gpu"}}, "train.device=gpu: must be one of auto, cpu, cuda"),
        ({"lora": {"target_modules": "to_k"}}, "lora.target_modules=to_k: must be a list"),
        ({"lora": {"target_modules": [None]}}, "lora.target_modules=[null]: must be a list"),
        ({"datset": {}}, "datset: there is no such setting; did you mean dataset?"),
    ],
)
def test_a_value_that_does_not_fit_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings_from_plain(values)
    assert message in str(caught.value)


def test_all_values_that_do_not_fit_are_reported_at_once() -> None:
    wrong = {"seed": "x", "lora": {"rank": 1.5, "nope": 1}, **with_optimizer(d0=1, lr=None)}
    with pytest.raises(SettingsError) as caught:
        settings_from_plain(wrong)
    named = {problem.split(":")[0].split("=")[0] for problem in caught.value.problems}
    assert named == {"seed", "lora.rank", "lora.nope", "optimizer.d0", "optimizer.lr"}


def test_no_optimizer_choice_shares_its_name_with_another() -> None:
    names = [cls().name for cls in VARIANTS[AdamW.__mro__[1]]]
    assert len(names) == len(set(names))
