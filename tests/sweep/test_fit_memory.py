"""train.fit_memory: what costs nothing comes first, what changes the result last; all is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lora_sweep.config.compose import compose
from lora_sweep.config.settings import Settings
from lora_sweep.errors import SettingsError
from lora_sweep.sweep import fit_memory, request
from lora_sweep.sweep.cost.machine import Gpu
from lora_sweep.sweep.fit_memory import fitted
from lora_sweep.sweep.request import resolve_request

GIB = 2**30
COMMAND = ("experiment=huggy_prodigy", "model=sdxl", "evaluate=off")


@pytest.fixture(autouse=True)
def on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_memory, "device_of", lambda settings: "cuda")


def settings(fit: str | None, *overrides: str) -> Settings:
    composed = compose([*COMMAND, *overrides])
    return replace(composed, train=replace(composed.train, fit_memory=fit))


def chosen(fit: str, *overrides: str) -> tuple[Any, ...]:
    found = fitted(settings(fit, *overrides))
    assert found.problem is None and found.settings.train.fit_memory is None
    train = found.settings.train
    return (
        train.gradient_checkpointing, train.offload_optimizer,
        train.batch_size, train.gradient_accumulation_steps,
    )  # fmt: skip


def test_the_more_room_the_less_is_given_up() -> None:
    assert chosen("80") == (False, False, 4, 1)
    assert chosen("12") == (True, False, 4, 1)
    ladder = [chosen(f"{room / 4}") for room in range(44, 34, -1)]
    assert ladder == sorted(ladder, key=lambda c: (-c[2], c[1])), "batches last, state before them"
    assert {c[:3] for c in ladder} >= {(True, True, 4), (True, False, 2)}
    assert all(batch * accumulation == 4 for *_, batch, accumulation in ladder)


def test_accumulation_that_was_asked_for_is_multiplied() -> None:
    *_, batch, accumulation = chosen("8.8", "train.gradient_accumulation_steps=3")
    assert batch < 4 and batch * accumulation == 12


def test_without_it_nothing_is_changed() -> None:
    asked = settings(None)
    assert fitted(asked).settings is asked and fitted(asked).words is None


def test_what_was_chosen_is_told_with_what_is_expected() -> None:
    words = fitted(settings("9.5")).words
    assert words is not None and words.startswith("train.fit_memory=9.5: gradient checkpointing on")
    assert "batches of 2 x 2 in place of 4 x 1" in words
    assert words.endswith("GiB are expected while training, of 9.5 GiB")


def test_too_little_room_is_refused_with_what_would_do() -> None:
    problem = fitted(settings("3")).problem
    assert problem is not None and "must be more, since at least" in problem
    drawing = fitted(settings("9", "evaluate=default")).problem
    assert drawing is not None and "evaluate=off none of it" in drawing


def test_auto_is_most_of_the_smallest_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus = (Gpu("large", 80 * GIB), Gpu("small", 12 * GIB))
    monkeypatch.setattr(fit_memory, "visible_gpus", lambda: gpus)
    assert chosen("auto") == chosen(f"{0.92 * 12}")
    monkeypatch.setattr(fit_memory, "visible_gpus", lambda: ())
    problem = fitted(settings("auto")).problem
    assert problem is not None and "must be a number of GiB" in problem


def test_auto_on_the_cpu_is_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_memory, "device_of", lambda settings: "cpu")
    monkeypatch.setattr(fit_memory, "available_memory", lambda: 40 * GIB)
    assert chosen("auto")[:2] in {(False, False), (True, False)}, "there is nothing to offload to"


def test_a_base_of_unknown_size_cannot_be_fitted() -> None:
    problem = fitted(settings("8", "model.path=owner/name")).problem
    assert problem is not None and "must be null with model.path=owner/name" in problem


def test_a_fitted_trial_is_the_one_that_was_asked_for_in_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(request, "say", said.append)
    base = [f"results.dir={tmp_path}", "train.max_train_steps=4", "evaluate=off"]
    smaller = [*base, "train.batch_size=2", "train.gradient_accumulation_steps=2"]
    asked = replace(compose(base), train=replace(compose(base).train, batch_size=4))
    wanted = resolve_request(compose(smaller)).id
    monkeypatch.setattr(fit_memory, "_room", lambda *arguments: least_for_two(asked))
    fitting = replace(asked, train=replace(asked.train, fit_memory="1"))
    found = resolve_request(fitting)
    assert found.id == wanted != resolve_request(asked).id
    assert found.settings.train.fit_memory is None
    assert len(said) == 1 and "batches of 2 x 2" in said[0]


def least_for_two(settings: Settings) -> float:
    two = replace(settings.train, batch_size=2, gradient_checkpointing=True, offload_optimizer=True)
    peak = fit_memory.computed_peak(replace(settings, train=two), "cuda")
    assert peak is not None
    return peak.total


@pytest.mark.parametrize("value", ["much", "-1", "0", "8 GB", "nan"])
def test_what_is_no_amount_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match=r"fit_memory=.*must be auto, or a number of GiB"):
        resolve_request(settings(value))
