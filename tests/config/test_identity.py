"""A trial's id moves with everything that can change its adapter, and with nothing else."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest

from lora_sweep.config import canonical_json, identity, trial_id
from lora_sweep.config.identity import COVERED_BY_HASHES
from lora_sweep.config.settings import (
    VARIANTS,
    AdamW,
    Lora,
    Pivotal,
    PriorGenerated,
    Prodigy,
    Settings,
    Train,
)

DATA, BASE = "d" * 64, "b" * 64

GOLDEN = Settings(
    optimizer=Prodigy(), lora=Lora(rank=8), te_mode=Pivotal(), train=Train(max_train_steps=100)
)
GOLDEN_ID = "01f4c0ecd72f"


def id_of(settings: Settings) -> str:
    return trial_id(settings, DATA, BASE)


def another(hint: Any, value: Any) -> Any:
    """Return a value of the annotated type that is not `value`."""
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(arg for arg in get_args(hint) if arg is not type(None))
    if get_origin(hint) is tuple:
        return (*(value or ()), "x")
    if issubclass(hint, Enum):
        return next(member for member in hint if member is not value)
    if hint is bool:
        return not value
    return f"{value}x" if hint is str else hint((value or 0) + 3)


def sections() -> Iterator[tuple[str, Settings]]:
    """Yield each section with settings in which it is one of its choices."""
    for section, hint in get_type_hints(Settings).items():
        for cls in VARIANTS.get(hint, (hint,)):
            yield (
                section,
                replace(Settings(), **{section: cls()}) if is_dataclass(cls) else Settings(),
            )


def changes() -> Iterator[Any]:
    """Yield for each setting of each choice: does it count, settings, settings with it changed."""
    free = {field.name for field in fields(Settings) if not field.metadata.get("identity", True)}
    for section, settings in sections():
        part: Any = getattr(settings, section)
        if section == "seed":
            changed = replace(settings, **{section: another(type(part), part)})
            yield pytest.param(True, settings, changed, id=section)
            continue
        hints = get_type_hints(type(part))
        for field in fields(part):
            path = f"{section}.{field.name}"
            value = another(hints[field.name], getattr(part, field.name))
            changed = replace(settings, **{section: replace(part, **{field.name: value})})
            counts = section not in free and field.metadata.get("identity", True)
            counts = counts and path not in COVERED_BY_HASHES
            yield pytest.param(counts, settings, changed, id=f"{type(part).__name__}.{field.name}")


@pytest.mark.parametrize(("counts", "settings", "changed"), list(changes()))
def test_a_changed_setting_moves_the_id_exactly_if_it_can_change_the_adapter(
    counts: bool, settings: Settings, changed: Settings
) -> None:
    assert settings != changed
    assert (id_of(settings) != id_of(changed)) is counts


def test_every_choice_of_a_group_has_another_id() -> None:
    for section, hint in get_type_hints(Settings).items():
        if hint in VARIANTS and section != "tracker":
            ids = {id_of(replace(Settings(), **{section: cls()})) for cls in VARIANTS[hint]}
            assert len(ids) == len(VARIANTS[hint])


def test_settings_covered_by_hashes_exist() -> None:
    paths = {
        f"{section}.{field.name}"
        for section, s in sections()
        if is_dataclass(getattr(s, section))
        for field in fields(getattr(s, section))
    }
    assert paths >= COVERED_BY_HASHES


def test_other_pictures_or_another_base_move_the_id() -> None:
    settings = Settings()
    ids = {id_of(settings), trial_id(settings, "x", BASE), trial_id(settings, DATA, "x")}
    assert len(ids) == 3


def test_a_new_meaning_of_training_moves_the_id(monkeypatch: pytest.MonkeyPatch) -> None:
    before = id_of(Settings())
    monkeypatch.setattr(identity, "TRAINING_VERSION", identity.TRAINING_VERSION + 1)
    assert id_of(Settings()) != before


def test_the_golden_id_never_moves() -> None:
    # If this fails, every result on every disk gets another address. A changed default must not
    # do that; a new setting, or TRAINING_VERSION, does.
    assert trial_id(GOLDEN, DATA, BASE) == GOLDEN_ID


def test_an_id_is_12_hex_digits() -> None:
    found = id_of(Settings())
    assert len(found) == 12 and int(found, 16) >= 0


@pytest.mark.parametrize(
    ("null", "given"),
    [
        (Settings(lora=Lora(rank=8)), Settings(lora=Lora(rank=8, alpha=8.0))),
        (Settings(optimizer=AdamW(lr=2e-4)), Settings(optimizer=AdamW(lr=2e-4, te_lr=2e-4))),
        (
            Settings(optimizer=AdamW(weight_decay=0.5)),
            Settings(optimizer=AdamW(weight_decay=0.5, te_weight_decay=0.5)),
        ),
        (
            Settings(prior=PriorGenerated()),
            Settings(prior=PriorGenerated(class_prompt="a picture")),
        ),
    ],
)
def test_null_and_the_value_it_stands_for_are_one_trial(null: Settings, given: Settings) -> None:
    assert null != given and id_of(null) == id_of(given)


def test_0_is_not_null() -> None:
    assert id_of(Settings(optimizer=AdamW(te_lr=0.0))) != id_of(Settings(optimizer=AdamW()))


def test_1_and_1_point_0_are_one_value() -> None:
    whole, fraction = Settings(optimizer=AdamW(lr=1)), Settings(optimizer=AdamW(lr=1.0))
    assert canonical_json(whole) == canonical_json(fraction)


def test_canonical_json_is_sorted_and_without_paths() -> None:
    text = canonical_json(GOLDEN)
    values = json.loads(text)
    assert text == json.dumps(values, sort_keys=True, separators=(",", ":"))
    assert "path" not in values["model"] and "path" not in values["dataset"]
    assert not {"evaluate", "tracker", "results"} & set(values)
