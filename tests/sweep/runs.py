"""Whole trials of a few steps on the embedded base, and what they leave."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lora_sweep.config.settings import (
    AdamW,
    Dataset,
    Evaluate,
    Lora,
    Pivotal,
    Results,
    Settings,
    TeFull,
    TeLora,
    TeMode,
    Train,
)
from lora_sweep.training import loop

STEPS = 6
PIVOT = 3
VOLATILE = {"seconds", "steps_per_second", "memory_gib"}
"""Keys of a row that tell how fast it went."""

TE_MODES: dict[str, TeMode] = {
    "frozen": TeMode(),
    "lora": TeLora(frac=0.5),
    "full": TeFull(frac=0.5),
    "pivotal": Pivotal(frac=0.5),
}


def small(
    root: Path, te_mode: str = "pivotal", *, train: dict[str, Any] | None = None, **sections: Any
) -> Settings:
    """Settings of a trial on the six packaged face pictures, without measures and validation
    pictures.
    """
    lengths: dict[str, Any] = {"max_train_steps": STEPS, "batch_size": 2, "log_every": 1}
    chosen: dict[str, Any] = {
        "dataset": Dataset(name="face", set="varied", class_noun="woman"),
        "optimizer": AdamW(lr=1e-2),
        "lora": Lora(rank=2),
        "te_mode": TE_MODES[te_mode],
        "train": Train(**(lengths | (train or {}))),
        "evaluate": Evaluate(loss_timesteps=0),
        "results": Results(dir=str(root)),
    }
    return Settings(**(chosen | sections))


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """The rows of metrics.jsonl without what depends on the machine's speed."""
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in VOLATILE} for line in lines]


def record_of(folder: Path) -> dict[str, Any]:
    """trial.json."""
    return json.loads((folder / "trial.json").read_text(encoding="utf-8"))


def weights_of(folder: Path) -> dict[str, bytes]:
    """The exported files, by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.safetensors"))}


def only_run(root: Path) -> Path:
    """The folder of the one trial below a results folder."""
    (folder,) = (root / "runs").iterdir()
    return folder


def before_step(patch: pytest.MonkeyPatch, step: int, act: Callable[[], None]) -> None:
    """Act when `step` steps are done and the next is to begin; once."""
    real, waiting = loop.train_step, [True]

    def wrapped(trial: Any, predict: Any) -> Any:
        if trial.step == step and waiting:
            waiting.clear()
            act()
        return real(trial, predict)

    patch.setattr(loop, "train_step", wrapped)


def count_steps(patch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows by each step that is trained."""
    real, seen = loop.train_step, []

    def wrapped(trial: Any, predict: Any) -> Any:
        seen.append(trial.step)
        return real(trial, predict)

    patch.setattr(loop, "train_step", wrapped)
    return seen


@contextlib.contextmanager
def child(work: Callable[[], object], log: Path) -> Iterator[int]:
    """Do the work in a forked process, which is killed at the end if it still runs."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            # pytest's own streams would not go to the log.
            sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
            sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    try:
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def wait_for_step(root: Path, step: int, seconds: float = 120) -> None:
    """Wait until the rows of the one trial below root reach a step."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for path in root.glob("runs/*/metrics.jsonl"):
            if f'"step": {step},' in path.read_text(encoding="utf-8"):
                return
        time.sleep(0.005)
    raise TimeoutError(f"no step {step} below {root}")
