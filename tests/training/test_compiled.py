"""Compiled blocks: the same numbers, only while a step runs."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
import torch
from small_trials import a_trial, make_nonzero, run, some_settings

from lora_sweep.model.base import Base
from lora_sweep.training import loop
from lora_sweep.training.compiled import CompiledBlocks


def test_blocks_are_compiled_inside_a_step_and_as_they_were_outside(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def count(function: Any) -> Any:
        def counted(*arguments: Any, **options: Any) -> Any:
            calls.append(1)
            return function(*arguments, **options)

        return counted

    monkeypatch.setattr(torch, "compile", count)
    blocks = len(CompiledBlocks(base.unet).blocks)
    assert blocks > 0
    found: list[list[float]] = []
    for settings in (some_settings(), some_settings(compile=True, gradient_checkpointing=True)):
        with a_trial(base, settings, steps=2) as trial:
            make_nonzero(trial)
            found.append(run(trial, 2))
        assert not any(getattr(part, "_compiled_call_impl", None) for part in base.unet.modules())
    assert found[0] == found[1]
    assert 2 * blocks < len(calls) <= 4 * blocks, "two steps; in backward those with a gradient"


def test_a_step_that_fails_leaves_no_compiled_block_behind(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any) -> Any:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(torch, "compile", lambda function: function)
    monkeypatch.setattr(loop, "train_step", fail)
    with a_trial(base, some_settings(compile=True)) as trial, pytest.raises(RuntimeError):
        run(trial, 1)
    assert not any(getattr(part, "_compiled_call_impl", None) for part in base.unet.modules())


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("ignore")
def test_compiled_training_agrees_closely(base: Base) -> None:
    losses: list[list[float]] = []
    for compiled in (False, True):
        settings = some_settings(compile=compiled, gradient_checkpointing=True)
        with a_trial(base, settings, steps=3) as trial:
            make_nonzero(trial)
            losses.append(run(trial, 3))
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
