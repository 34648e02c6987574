"""A trial that cannot go on is recorded with its reason, and the rest go on."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from runs import count_steps, weights_of

import lora_sweep.__main__ as command
from lora_sweep.training import loop

pytestmark = pytest.mark.usefixtures("one_base")

Run = Callable[..., tuple[int, str]]
SMALL = ("dataset=face", "te_mode=frozen", "train.batch_size=1", "train.log_every=1",
         "optimizer=adamw", "optimizer.lr=0.01", "evaluate=off",
         "evaluate.loss_timesteps=1")  # fmt: skip


@pytest.fixture
def run(root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a sweep in this process; gives exit status and what it said."""

    def run(*arguments: str, steps: str = "3") -> tuple[int, str]:
        length = f"train.max_train_steps={steps}"
        argv = ["lora_sweep", "-m", *SMALL, f"results.dir={root}", *arguments, length]
        monkeypatch.setattr(sys, "argv", argv)
        with pytest.raises(SystemExit) as caught:
            command.main()
        assert isinstance(caught.value.code, int)
        return caught.value.code, capfd.readouterr().err

    return run


def at_step(patch: pytest.MonkeyPatch, rank: int, step: int, act: Callable[[Any], Any]) -> None:
    """Pass what one step of the trials of a rank gives through `act`, which may raise."""
    real = loop.train_step

    def wrapped(trial: Any, predict: Any) -> Any:
        result = real(trial, predict)
        hit = trial.settings.lora.rank == rank and result.step == step
        return act(result) if hit else result

    patch.setattr(loop, "train_step", wrapped)


def diverge(result: Any) -> Any:
    return replace(result, loss=result.loss * math.nan)


def run_out_of_memory(result: Any) -> Any:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has …")


def break_down(result: Any) -> Any:
    raise ZeroDivisionError("a fault of ours")


def table(root: Path) -> dict[str, dict[str, str]]:
    """The newest summary.csv by rank."""
    newest = max(root.glob("multirun/*/*/summary.csv"), key=lambda path: path.stat().st_mtime_ns)
    with newest.open(encoding="utf-8", newline="") as lines:
        return {row["lora.rank"]: row for row in csv.DictReader(lines)}


def states(root: Path) -> dict[str, str]:
    return {rank: row["state"] for rank, row in table(root).items()}


def test_an_impossible_point_is_named_and_the_sweep_refused_before_training(
    run: Run, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = count_steps(monkeypatch)
    status, said = run("rank=0,2,3")
    assert status == 2 and "trial 0 (rank=0): lora.rank=0: must be at least 1" in said
    assert "1 problem with" in said and said.endswith(
        "sweep.skip_invalid=true leaves impossible trials out and trains the others\n"
    )
    assert not trained and not (root / "runs").exists()


def test_layers_that_the_base_has_not_got_are_told_before_training_too(
    run: Run, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = count_steps(monkeypatch)
    status, said = run("rank=2", "lora.target_modules=[to_k],[to_k,to_w]", "lora.blocks=null,[up]")
    assert status == 2 and "holds 'to_w', which no layer's name ends in; there are" in said
    assert "trial 1 (lora.target_modules=[to_k] lora.blocks=[up]): lora.blocks holds 'up'" in said
    assert not trained and not (root / "runs").exists()


def test_an_impossible_point_is_left_out_and_said_where_that_is_asked_for(
    run: Run, root: Path
) -> None:
    status, said = run("rank=0,2", "sweep.skip_invalid=true")
    assert status == 0 and "left out: trial 0 (rank=0): lora.rank=0: must be at least 1" in said
    assert len(list((root / "runs").iterdir())) == 1
    (path,) = root.glob("multirun/*/*/sweep.json")
    (left_out,) = json.loads(path.read_text(encoding="utf-8"))["left_out"]
    assert left_out["number"] == 0 and "rank=0" in left_out["overrides"]


@pytest.mark.parametrize(
    ("act", "state", "reason"),
    [
        (diverge, "diverged", "the loss is nan at step 2; optimizer=adamw, lr=0.01"),
        (
            run_out_of_memory,
            "failed",
            "out of memory: an allocation of 2.00 GiB failed, predicted were ",
        ),
        (break_down, "failed", "ZeroDivisionError: a fault of ours"),
    ],
    ids=["diverges", "out of memory", "a fault of ours"],
)
def test_a_trial_that_cannot_go_on_is_in_the_table_with_its_reason_and_the_others_are_done(
    act: Callable[[Any], Any], state: str, reason: str, run: Run, root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with monkeypatch.context() as patch:
        at_step(patch, 3, 2, act)
        status, said = run("rank=2,3,4")
    assert status == 1 and states(root) == {"2": "done", "3": state, "4": "done"}
    row = table(root)["3"]
    assert row["error"].startswith(reason)
    assert ("available are" in row["error"]) is (act is run_out_of_memory)
    assert f"\n{row['id']}: {state}: {reason}" in said, "below the closing table"
    assert ("Traceback" in said) is (act is break_down)
    if act is run_out_of_memory:
        assert "unknown" not in row["error"] and "less is needed with" in row["error"]
    trained = count_steps(monkeypatch)
    again, said = run("rank=2,3,4")
    if act is diverge:
        assert again == 1 and not trained and "already diverged" in said
    else:
        assert again == 0 and len(trained) == 3 and set(states(root).values()) == {"done"}


def test_a_fault_in_shared_steps_ends_the_trials_that_share_them_and_no_others(
    run: Run, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        at_step(patch, 2, 3, break_down)
        assert run("rank=2", "seed=0,1", steps="2,4,5")[0] == 1
    (path,) = root.glob("multirun/*/*/summary.csv")
    with path.open(encoding="utf-8", newline="") as lines:
        found = {(row["train.max_train_steps"], row["seed"]): row for row in csv.DictReader(lines)}
    expected = {"2": "done", "4": "failed", "5": "failed"}
    assert {key: row["state"] for key, row in found.items()} == {
        (steps, seed): expected[steps] for steps in expected for seed in ("0", "1")
    }


def test_a_sweep_stops_once_so_many_have_failed_and_goes_on_when_asked_again(
    run: Run, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        for rank in (2, 3, 4, 5):
            at_step(patch, rank, 2, break_down)
        status, said = run("rank=2,3,4,5", "sweep.max_failures=2")
    assert status == 1 and sorted(states(root).values()) == ["failed"] * 2 + ["waiting"] * 2
    assert "stopped early: 2 of the trials failed or diverged and sweep.max_failures=2" in said
    assert "0 of 4 trials are done, 2 failed or diverged, 2 are left" in said
    assert "run the same command again to go on" in said
    status, said = run("rank=2,3,4,5", "sweep.max_failures=2")
    assert status == 0 and set(states(root).values()) == {"done"}
    assert all(weights_of(folder) for folder in (root / "runs").iterdir())
