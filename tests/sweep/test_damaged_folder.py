"""A trial's folder with any of its files cut short or missing: what can be made again is."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from runs import (
    STEPS,
    before_step,
    count_steps,
    only_run,
    record_of,
    rows_of,
    small,
    weights_of,
)

from lora_sweep.config.settings import Evaluate, Settings
from lora_sweep.errors import StoreError
from lora_sweep.results.samples import read_samples
from lora_sweep.results.store import TrialFolder
from lora_sweep.sweep.run import run_trial

pytestmark = pytest.mark.usefixtures("one_base")

EVALUATE = Evaluate(
    every=2, loss_timesteps=1, prompts=("a TOK",), images_per_prompt=1, sample_steps=1
)
DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "cut short": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
}
CHECKPOINTS = "checkpoints/step-000002", "checkpoints/step-000004"
UNFINISHED = [
    "config.yaml", "trial.json", "metrics.jsonl", "samples/samples.json",
    *(f"{folder}/{name}" for folder in CHECKPOINTS for name in ("state.json", "state.safetensors")),
]  # fmt: skip
FINISHED = [
    "config.yaml", "trial.json", "samples/samples.json", "README.md", "lora.safetensors",
    "lora_emb.safetensors", "pytorch_lora_weights.safetensors",
]  # fmt: skip
ALWAYS = (
    ("metrics.jsonl", "cut short"), ("trial.json", "cut short"), ("trial.json", "missing"),
    (f"{CHECKPOINTS[1]}/state.safetensors", "cut short"), ("samples/samples.json", "cut short"),
    ("lora_emb.safetensors", "cut short"), ("pytorch_lora_weights.safetensors", "missing"),
)  # fmt: skip
"""Tried by default; the others are like one of these."""


def damages(names: Sequence[str]) -> pytest.MarkDecorator:
    """Every file with every damage."""
    return pytest.mark.parametrize(
        ("name", "damage"),
        [
            pytest.param(*case, marks=() if case in ALWAYS else pytest.mark.slow)
            for case in product(names, DAMAGES)
        ],
    )


def trial(root: Path) -> Settings:
    return small(root, train={"checkpoint_every": 2}, evaluate=EVALUATE)


class Stopped(BaseException):
    """As a kill: nothing of ours catches it."""


def stop() -> None:
    raise Stopped


def outcome(folder: Path) -> tuple[Any, ...]:
    record = record_of(folder)
    kept = {key: record[key] for key in ("id", "state", "steps", "scores", "error")}
    samples = {path.name: path.read_bytes() for path in sorted(folder.glob("samples/*.png"))}
    return kept, rows_of(folder), weights_of(folder), samples


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> tuple[Path, Path]:
    """A results folder with a trial that was killed after 5 of 6 steps, and one with it done."""
    roots: list[Path] = []
    for name in ("killed", "done"):
        root = tmp_path_factory.mktemp(name)
        (root / "cache").symlink_to(shared_cache)
        if name == "killed":
            with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
                before_step(patch, STEPS - 1, stop)
                run_trial(trial(root))
        else:
            run_trial(trial(root))
        roots.append(root)
    return roots[0], roots[1]


def copied(root: Path, to: Path, name: str, damage: str) -> Path:
    """The trial's folder in another results folder, with one file damaged."""
    target = to / "runs" / only_run(root).name
    shutil.copytree(only_run(root), target)
    DAMAGES[damage](target / name)
    return target


@damages(UNFINISHED)
def test_an_unfinished_trial_goes_on_to_the_same_end(
    name: str, damage: str, folders: tuple[Path, Path], root: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    killed, done = folders
    folder = copied(killed, root, name, damage)
    run_trial(trial(root))
    assert outcome(folder) == outcome(only_run(done))
    said = capfd.readouterr().err
    if name == "metrics.jsonl":
        assert "has no row for step 4" in said, "rows that are lost are trained again"
    elif name.startswith(CHECKPOINTS[1]):
        assert "going on from step 2 of 6" in said
    else:
        assert "going on from step 4 of 6" in said
    is_read = name != "config.yaml" and not name.endswith("state.json")
    is_read &= not name.startswith(CHECKPOINTS[0])
    if is_read and damage == "cut short":
        assert Path(name).name in said, "nothing is mended in silence"


@damages(FINISHED)
def test_a_finished_trial_is_made_whole_again_without_a_step(
    name: str, damage: str, folders: tuple[Path, Path], root: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    folder = copied(folders[1], root, name, damage)
    trained = count_steps(monkeypatch)
    if name == "README.md" and damage == "cut short":
        (folder / name).write_text("")
    run_trial(trial(root))
    assert outcome(folder) == outcome(only_run(folders[1])) and not trained
    if name == "pytorch_lora_weights.safetensors":
        assert f"{name} is missing or cut short; it is made again" in capsys.readouterr().err
    assert (folder / "README.md").read_text().startswith("---")
    assert len(read_samples(TrialFolder(folder))) == (1 if "samples.json" in name else 3)


def test_a_lost_picture_is_drawn_again(
    folders: tuple[Path, Path], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (name,) = (path.name for path in (only_run(folders[1]) / "samples").glob(f"*{STEPS:06d}*.png"))
    folder = copied(folders[1], root, f"samples/{name}", "missing")
    trained = count_steps(monkeypatch)
    run_trial(trial(root))
    assert outcome(folder) == outcome(only_run(folders[1])) and not trained


def test_a_folder_of_a_newer_version_is_refused_and_not_touched(
    folders: tuple[Path, Path], root: Path
) -> None:
    folder = copied(folders[0], root, "config.yaml", "missing")
    record = folder / "trial.json"
    record.write_text(record.read_text().replace('"format": 1', '"format": 2'))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(StoreError, match="written by a newer lora_sweep"):
        run_trial(trial(root))
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
