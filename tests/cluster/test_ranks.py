"""Two processes that train one trial see what one process sees, and get its losses."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from cluster.commands import PATIENCE, TRIAL, environment, wait_until

from lora_sweep.training.ranks import Ranks
from lora_sweep.training.step import Slots

Roots = Callable[[str], Path]
PICTURES = TRIAL[:3]
ALONE = [sys.executable]
TOGETHER = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes=2",
            "--num_machines=1", "--mixed_precision=no", "--dynamo_backend=no",
            "--main_process_port=0"]  # fmt: skip


def train(root: Path, launcher: list[str], *settings: str) -> list[dict[str, Any]]:
    """The rows of the last trial that is asked for."""
    done = subprocess.run(
        [*launcher, "-m", "lora_sweep", *PICTURES, "evaluate=off", "evaluate.loss_timesteps=1",
         "train.log_every=1", *settings, f"results.dir={root}"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=environment({"HYDRA_FULL_ERROR": "1"}),
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    newest = max(root.glob("runs/*/metrics.jsonl"), key=lambda path: path.stat().st_mtime)
    return [json.loads(line) for line in newest.read_text().splitlines()]


def largest_difference(one: list[dict[str, Any]], two: list[dict[str, Any]], key: str) -> float:
    pairs = [(a[key], b[key]) for a, b in zip(one, two, strict=True) if key in a]
    return max(abs(a - b) / abs(a) for a, b in pairs)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("rows", [1, 2, 3, 4, 7])
def test_each_row_is_of_one_process_and_keeps_its_slot(count: int, rows: int) -> None:
    whole = Slots(tuple(range(10, 10 + rows)), tuple(range(50, 50 + rows)), first=8)
    parts = [whole.part(Ranks(rank, count).share(rows)) for rank in range(count)]
    assert tuple(chain(*(part.instance for part in parts))) == whole.instance
    assert tuple(chain(*(part.classes for part in parts))) == whole.classes
    assert list(chain(*(part.numbers for part in parts))) == list(whole.numbers)
    sizes = [len(part.instance) for part in parts]
    assert max(sizes) - min(sizes) <= 1


def test_two_processes_with_two_pictures_each_have_the_losses_of_one_with_four(
    new_root: Roots,
) -> None:
    # Six pictures, so that every other batch is short.
    asked = ("train.batch_size=4", "train.max_train_steps=50", "optimizer=adamw")
    one, two = new_root("one"), new_root("two")
    rows, others = train(one, ALONE, *asked), train(two, TOGETHER, *asked)
    steps = [row["step"] for row in others if "loss" in row]
    assert steps == list(range(1, 51))  # process 0 alone has written them
    assert 0 < largest_difference(rows, others, "loss") < 1e-4
    assert largest_difference(rows, others, "grad_norm") < 1e-3
    assert [p.name for p in (one / "runs").iterdir()] == [p.name for p in (two / "runs").iterdir()]
    assert len(list(two.glob("outputs/*/*"))) == 1


@pytest.mark.slow
def test_a_state_of_two_processes_is_gone_on_from_by_one_and_by_two(new_root: Roots) -> None:
    # Batches of five and of one: then a process has nothing to do.
    asked = ("train.batch_size=5", "optimizer=prodigy", "te_mode=lora", "snr=gamma5",
             "train.gradient_accumulation_steps=2")  # fmt: skip
    first, then = "train.max_train_steps=8", "train.max_train_steps=16"
    alone = train(new_root("alone"), ALONE, *asked, then)
    root = new_root("both")
    train(root, TOGETHER, *asked, first)
    together = train(root, TOGETHER, *asked, then)
    assert largest_difference(alone, together, "loss") < 1e-4
    root = new_root("mixed")
    train(root, TOGETHER, *asked, first)
    assert largest_difference(alone, train(root, ALONE, *asked, then), "loss") < 1e-4


@pytest.mark.slow
def test_a_command_with_nothing_to_train_and_one_that_is_refused_end_all_processes(
    new_root: Roots,
) -> None:
    root = new_root("none")
    asked = ("train.batch_size=2", "train.max_train_steps=2", "optimizer=adamw")
    train(root, ALONE, *asked)
    train(root, TOGETHER, *asked)
    with pytest.raises(AssertionError, match=r"train\.batch_size=0"):
        train(root, TOGETHER, "train.batch_size=0")
    wait_until(lambda: not _trainers(root), "end of all processes", 30)


def _trainers(root: Path) -> list[str]:
    """Command lines of processes that work on a results folder."""
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes().decode(errors="replace"))
    return [line for line in found if f"results.dir={root}" in line]
