"""SIGKILL at any moment, the same command again: the rest is trained, and the table is the same."""

from __future__ import annotations

import csv
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from runs import child, record_of, rows_of, weights_of

from lora_sweep.__main__ import main

Roots = Callable[[str], Path]
pytestmark = pytest.mark.usefixtures("one_base")

SWEEP = (
    "rank=2,3", "train.max_train_steps=4,6,8", "dataset=face", "te_mode=pivotal",
    "train.batch_size=2", "train.log_every=1", "train.checkpoint_every=1", "evaluate=off",
    "evaluate.loss_timesteps=1",
)  # fmt: skip
SPEED = ("seconds", "seconds_shared")


def sweep(root: Path, *overrides: str) -> None:
    """The command line in this process, for `child`."""
    sys.argv = ["lora_sweep", "-m", *overrides, f"results.dir={root}"]
    try:
        main()
    except SystemExit as end:
        assert not end.code, end.code


def finished(root: Path, log: Path, overrides: Sequence[str] = SWEEP) -> str:
    """Run the command to its end; returns what it said."""
    with child(lambda: sweep(root, *overrides), log) as pid:
        _, status = os.waitpid(pid, 0)
    assert status == 0, log.read_text(encoding="utf-8")
    return log.read_text(encoding="utf-8")


def table(root: Path) -> list[dict[str, str]]:
    """The newest summary.csv, without times."""
    newest = max(root.glob("multirun/*/*/summary.csv"), key=lambda path: path.stat().st_mtime_ns)
    with newest.open(encoding="utf-8") as lines:
        return [
            {key: value for key, value in row.items() if key not in SPEED}
            for row in csv.DictReader(lines)
        ]


def lines_written(root: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in root.glob("runs/*/metrics.jsonl"))


def state_of(root: Path) -> dict[str, tuple[object, object]]:
    runs = sorted((root / "runs").iterdir())
    return {run.name: (weights_of(run), rows_of(run)) for run in runs}


def kill_after(root: Path, lines: int, delay: float, log: Path) -> bool:
    """Kill the command a moment after so many more rows are on disk; False if it ended."""
    wanted = lines_written(root) + lines
    with child(lambda: sweep(root, *SWEEP), log) as pid:
        while lines_written(root) < wanted:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                assert status == 0, log.read_text(encoding="utf-8")
                return False
            time.sleep(0.002)
        time.sleep(delay)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return True


@pytest.mark.parametrize("luck", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_sweep_killed_anywhere_again_and_again_ends_as_if_it_was_not(
    luck: int, new_root: Roots, tmp_path: Path
) -> None:
    whole, killed, log = new_root("whole"), new_root("killed"), tmp_path / "log.txt"
    finished(whole, log)
    total, chance, kills = lines_written(whole), random.Random(luck), 0
    for _ in range(12):
        kills += kill_after(killed, chance.randrange(total // 4), chance.uniform(0, 0.3), log)
    assert kills >= 4, "the command was hardly ever killed in time"
    finished(killed, log)
    assert state_of(killed) == state_of(whole)
    assert table(killed) == table(whole)


def test_what_is_done_is_not_touched_and_only_what_is_new_is_trained(
    new_root: Roots, tmp_path: Path
) -> None:
    root, log = new_root("root"), tmp_path / "log.txt"
    finished(root, log, ("rank=2", *SWEEP[1:]))
    before = {path: path.stat().st_mtime_ns for path in root.glob("runs/*/*") if path.is_file()}
    said = finished(root, log)
    assert said.count("already done") == 3
    assert {path: path.stat().st_mtime_ns for path in before} == before
    states = [record_of(folder)["state"] for folder in (root / "runs").iterdir()]
    assert states == ["done"] * 6
