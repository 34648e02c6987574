"""The commands of the check, each run by the ordinary entry point in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).parents[1]
UNMEASURED = ("evaluate=off", "evaluate.loss_timesteps=0")


@dataclass(frozen=True)
class Setup:
    """Where everything lies, and what all commands have in common."""

    folder: Path
    resolution: int
    threads: int
    steps: int
    rounds: int  # of the ratio to a bare pass
    ratios: Sequence[str]  # te_modes that it is taken in

    def overrides(self, name: str) -> list[str]:
        """The post's Huggy command on the full-size base, with few steps on few pictures."""
        return [
            "experiment=huggy_prodigy",
            "model=sdxl",
            f"model.path={self.folder / 'base'}",
            f"model.vae={self.folder / 'vae_fix'}",
            f"model.resolution={self.resolution}",
            f"results.dir={self.results(name)}",
            f"train.threads={self.threads}",
            f"train.max_train_steps={self.steps}",
            "train.batch_size=1",
            "train.log_every=1",
            "dataset.subset=4",
            "dataset.holdout=0",
        ]

    def results(self, name: str) -> Path:
        """The results folder of a command."""
        return self.folder / "results" / name

    def record(self, name: str) -> Path:
        """Where the phases of a command are kept, and the command."""
        return self.folder / "observed" / f"{self.resolution}-{name}.json"

    def trial(self, name: str) -> Path:
        """The folder of a command's one trial."""
        (trial,) = (self.results(name) / "runs").iterdir()
        return trial


def observed(setup: Setup, name: str, *overrides: str, stop_after: int | None = None) -> list[Any]:
    """Run a command and return its phases; what was run before, in this folder, is looked up.

    stop_after: interrupt it, as Ctrl-C does, once so many steps are done; then it is run again.
    Raises RuntimeError with the end of its output when it fails.
    """
    record = setup.record(name)
    if record.is_file():
        return json.loads(record.read_text())["rows"]
    shutil.rmtree(setup.results(name), ignore_errors=True)
    rows: list[Any] = []
    if stop_after is not None:
        rows += _run(setup, name, overrides, stop_after)
    rows += _run(setup, name, overrides, None)
    record.parent.mkdir(exist_ok=True)
    told = {"overrides": [*setup.overrides(name), *overrides], "rows": rows}
    record.write_text(json.dumps(told))
    return rows


def _run(setup: Setup, name: str, overrides: Sequence[str], stop_after: int | None) -> list[Any]:
    file = setup.folder / "observed.jsonl"
    file.unlink(missing_ok=True)
    log = setup.folder / "observed.log"
    arguments = [str(file), *setup.overrides(name), *overrides]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(SCRIPTS / "full_size" / "observe.py"), *arguments],
            stdout=output, stderr=subprocess.STDOUT, env=_environment(),
        )  # fmt: skip
        while process.poll() is None:
            time.sleep(0.5)
            if stop_after is not None and _steps(file) == stop_after:
                process.send_signal(signal.SIGINT)
                stop_after = -1
    expected = 130 if stop_after is not None else 0
    if process.returncode != expected:
        raise RuntimeError(
            f"{name} ended with {process.returncode}, not {expected}:\n{log.read_text()[-3000:]}"
        )
    return _rows(file)


def _environment() -> Mapping[str, str]:
    return {**os.environ, "HF_HUB_OFFLINE": "1"}


def _rows(file: Path) -> list[Any]:
    if not file.is_file():
        return []
    return [json.loads(line) for line in file.read_text().splitlines()]


def _steps(file: Path) -> int:
    return sum(row["phase"] == "step" for row in _rows(file))
