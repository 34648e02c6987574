"""Sweeps from the command line, and what they leave, for tests on real schedulers."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sweep.runs import rows_of, weights_of

PATIENCE = 600.0  # seconds, of one command: the machine may be busy
TRIAL = (
    "dataset=face", "dataset.set=varied", "dataset.class_noun=woman", "train.batch_size=1",
    "train.checkpoint_every=5", "optimizer=adamw", "evaluate=off", "evaluate.loss_timesteps=1",
)  # fmt: skip
TWELVE = (*TRIAL, "rank=2,4", "seed=0,1", "train.max_train_steps=20,30,40")
"""Trials of four families; those of each part at their pivots."""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "lora_sweep", "-m", *arguments]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "WANDB_MODE": "offline", **(more or {})}


def run(root: Path, *arguments: str, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """The status and the words of a sweep on a results folder."""
    done = subprocess.run(
        command(*arguments, f"results.dir={root}"),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=environment(env),
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@contextlib.contextmanager
def started(
    root: Path, log: Path, *arguments: str, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """The same in the background; killed at the end if it still runs."""
    with log.open("wb") as words:
        process = subprocess.Popen(
            command(*arguments, f"results.dir={root}"),
            stdout=words,
            stderr=subprocess.STDOUT,
            env=environment(env),
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until(holds: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Wait for something, and return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := holds():
            return found
        time.sleep(0.05)
    raise TimeoutError(f"no {what} within {seconds:.0f} s")


def notes(root: Path) -> list[dict[str, Any]]:
    """What nodes have noted, with the job's number."""
    found: list[dict[str, Any]] = []
    for path in sorted(root.glob("cluster/*/jobs/*.notes.jsonl")):
        number = int(path.name.split(".")[0])
        for line in path.read_text().splitlines():
            with contextlib.suppress(ValueError):
                found.append({**json.loads(line), "job": number})
    return found


def training(root: Path, but: Sequence[str] = ()) -> dict[str, Any] | None:
    """The note of a job that is being trained now and has saved a few steps, with its number; none
    of `but`, by their ids.
    """
    for path in sorted(root.glob("cluster/*/jobs/*.notes.jsonl")):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        if not rows or rows[-1]["event"] != "began" or rows[-1]["id"] in but:
            continue
        job = json.loads(path.with_name(path.name.replace(".notes.jsonl", ".json")).read_text())
        trials = [trial["id"] for unit in job["units"] for trial in unit["trials"]]
        if any(_saved(root, trial) for trial in trials):
            return {**rows[-1], "job": int(path.name.split(".")[0])}
    return None


def _saved(root: Path, trial: str) -> bool:
    try:
        record = json.loads((root / "runs" / trial / "trial.json").read_text())
    except (OSError, ValueError):
        return False
    return record["state"] == "running" and record["steps"] >= 5


def outcomes(root: Path) -> dict[str, Any]:
    """Rows, scores and exported files of all trials; fails where one is not done."""
    found: dict[str, Any] = {}
    for folder in sorted((root / "runs").iterdir()):
        record = json.loads((folder / "trial.json").read_text())
        assert record["state"] == "done", record
        found[folder.name] = (record["scores"], rows_of(folder), weights_of(folder))
    return found
