"""Trials with tracker=wandb, offline: what is read back is what the trials' own files hold."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from runs import STEPS, before_step, count_steps, record_of, rows_of, small
from wandb_alone import no_account
from wandb_reader import OfflineRun, runs_below, table_of

from lora_sweep.config.settings import AdamW, Evaluate, Lora, Optimizer, Prodigy, Settings, Wandb
from lora_sweep.errors import SettingsError
from lora_sweep.sweep.launch import run_sweep
from lora_sweep.sweep.run import run_trial

__all__ = ["no_account"]  # a fixture

EVALUATE = Evaluate(
    every=3, loss_timesteps=1, prompts=("a <script> TOK",), images_per_prompt=1, sample_steps=1
)
pytestmark = pytest.mark.usefixtures("one_base")

OPTIMIZERS: dict[str, Optimizer] = {"adamw": AdamW(lr=1e-2), "prodigy": Prodigy()}


def grid(
    root: Path,
    tracker: Wandb | None = None,
    ranks: Sequence[int] = (2, 4),
    evaluate: Evaluate = EVALUATE,
) -> tuple[list[Settings], list[list[str]]]:
    """Trials and their overrides: rank by optimizer by number of steps, of which two share."""
    asked = [
        [f"rank={rank}", f"optimizer={name}", f"train.max_train_steps={steps}"]
        for rank in ranks
        for name, steps in (("prodigy", 4), ("prodigy", STEPS), ("adamw", STEPS))
    ]
    trials: list[Settings] = []
    for overrides in asked:
        rank, name, steps = (each.partition("=")[2] for each in overrides)
        trials.append(
            small(
                root,
                "frozen",
                lora=Lora(rank=int(rank)),
                optimizer=OPTIMIZERS[name],
                train={"max_train_steps": int(steps)},
                evaluate=evaluate,
                tracker=tracker or Wandb(project="faces", tags=("mine",)),
            )
        )
    return trials, asked


def trial_runs(root: Path) -> dict[str, OfflineRun]:
    """The runs of trials, by name."""
    runs = [run for run in runs_below(root / "wandb") if run.job_type == "trial"]
    assert len({run.name for run in runs}) == len(runs)
    return {run.name: run for run in runs}


def assert_holds(run: OfflineRun, folder: Path) -> None:
    """The run has every row of the trial's metrics file, at its step."""
    rows: dict[int, dict[str, Any]] = {}
    for row in rows_of(folder):
        rows.setdefault(row["step"], {}).update(row)
    history = {row["_step"]: row for row in run.history}
    assert list(history) == sorted(rows) == list(range(1, record_of(folder)["steps"] + 1))
    for step, row in rows.items():
        for key in row.keys() - {"step"}:
            assert history[step][key] == pytest.approx(row[key], rel=1e-12), (step, key)


@pytest.mark.timeout(300)
def test_a_sweep_of_six_trials_is_read_back_whole(root: Path) -> None:
    trials, asked = grid(root)
    folder = root / "multirun" / "2026-01-01" / "12-30-11"
    results = run_sweep(trials, asked, folder)
    runs = trial_runs(root)
    assert set(runs) == {
        f"rank={rank} {rest}"
        for rank in (2, 4)
        for rest in (
            "optimizer=prodigy max_train_steps=4",
            "optimizer=prodigy max_train_steps=6",
            "optimizer=adamw max_train_steps=6",
        )
    }
    (group,) = {run.group for run in runs.values()}
    assert group.startswith("rank-optimizer-max_train_steps-")
    for overrides, result in zip(asked, results, strict=True):
        assert result is not None
        name = " ".join(overrides).replace("train.", "")
        run, record = runs[name], result.record
        assert run.id.startswith(f"{record.id}-")
        assert run.tags == ["mine", *name.split()]
        assert (run.project, run.exit_code, run.host) == ("faces", 0, "")
        assert run.config["trial_id"] == record.id
        assert run.config["lora"]["rank"] == int(overrides[0][-1])
        assert not {"tracker", "results"} & run.config.keys()
        assert_holds(run, result.folder)
        for score, value in record.scores.items():
            assert run.summary[score]["last"] == pytest.approx(value)
        losses = [row["val_loss"] for row in run.history if "val_loss" in row]
        assert len(losses) == 2
        assert run.summary["val_loss"]["min"] == min(losses)
        assert (run.summary["state"], run.summary["steps"]) == ("done", record.steps)
        assert_shows_its_samples(run, result.folder)


def assert_shows_its_samples(run: OfflineRun, folder: Path) -> None:
    """A table at every evaluation, with the pictures that are on disk."""
    steps = [row["_step"] for row in run.history if "samples_table" in row]
    assert steps == [3, run.history[-1]["_step"]]
    for step, artifact in zip(steps, run.artifacts, strict=True):
        columns, ((trial, of_step, prompt, seed, picture),) = table_of(artifact)
        assert columns == ["trial", "step", "prompt", "seed", "picture"]
        assert (trial, of_step, seed) == (run.name, step, 0)
        assert prompt == "a <script> TOK"
        (drawn,) = (folder / "samples").glob(f"step-{step:06d}-*.png")
        assert artifact.files[picture["path"]].read_bytes() == drawn.read_bytes()


@pytest.mark.timeout(300)
def test_the_sweep_itself_is_a_run_with_its_table_and_report(root: Path) -> None:
    trials, asked = grid(root, ranks=(2,))
    folder = root / "multirun" / "ranks of: a/b"
    results = run_sweep(trials, asked, folder)
    (run,) = (run for run in runs_below(root / "wandb") if run.job_type == "sweep")
    assert {each.group for each in trial_runs(root).values()} == {run.group} == {"b"}
    assert (run.name, run.tags, run.exit_code) == ("sweep b", ["mine"], 0)
    assert run.config["axes"] == {
        "optimizer": ["prodigy", "adamw"], "max_train_steps": ["4", "6"]
    }  # fmt: skip
    artifacts = {artifact.type: artifact for artifact in run.artifacts}
    report = artifacts.pop("report")
    for name, path in report.files.items():
        assert path.read_bytes() == (folder / name).read_bytes()
    assert {"report.html", "summary.csv", "sweep.json"} <= report.files.keys()
    (table,) = artifacts.values()
    columns, rows = table_of(table)
    assert columns[:7] == [
        "trial", "id", "optimizer", "max_train_steps", "state", "steps", "seconds"
    ]  # fmt: skip
    for row, result in zip(rows, results, strict=True):
        assert result is not None
        found = dict(zip(columns, row, strict=True))
        assert (found["id"], found["state"]) == (result.record.id, "done")
        assert found["val_loss"] == pytest.approx(result.record.scores["val_loss"])
    losses = [result.record.scores["val_loss"] or math.inf for result in results if result]
    assert run.summary["best_val_loss"] == pytest.approx(min(losses))
    assert run.summary["best_val_loss_trial"] == rows[losses.index(min(losses))][0]
    assert run.summary["trials_done"] == 3


@pytest.mark.timeout(300)
def test_a_stopped_sweep_goes_on_in_the_same_runs_with_nothing_lost_or_twice(root: Path) -> None:
    trials, asked = grid(root, ranks=(2,))

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        before_step(patch, 5, stop)
        run_sweep(trials, asked, root / "multirun" / "2026-01-01" / "12-30-11")
    began = trial_runs(root)
    results = run_sweep(trials, asked, root / "multirun" / "2026-01-02" / "09-00-00")
    runs = trial_runs(root)
    assert len(runs) == len(trials)
    assert {run.id for run in began.values()} <= {run.id for run in runs.values()}
    for run, result in by_trial(runs, results):
        assert run.exit_code == 0
        assert_holds(run, result.folder)
        assert_shows_its_samples(run, result.folder)


def by_trial(runs: dict[str, OfflineRun], results: Sequence[Any]) -> list[tuple[OfflineRun, Any]]:
    found = {run.config["trial_id"]: run for run in runs.values()}
    return [(found[result.record.id], result) for result in results]


@pytest.mark.timeout(300)
def test_finished_trials_are_sent_into_every_sweep_that_asks_for_them(
    root: Path,
) -> None:
    trials, asked = grid(root, ranks=(2,))
    first = run_sweep(trials, asked, root / "multirun" / "first")
    ids = {run.id for run in trial_runs(root).values()}
    with pytest.MonkeyPatch.context() as patch:
        steps = count_steps(patch)
        second = run_sweep(trials, asked, root / "multirun" / "second")
        written = sorted((root / "wandb" / "wandb").glob("offline-run-*/run-*.wandb"))
        run_sweep(trials, asked, root / "multirun" / "second")
        assert not steps
    runs = [run for run in runs_below(root / "wandb") if run.job_type == "trial"]
    assert len({run.id for run in runs}) == len(runs) == 6
    assert ids < {run.id for run in runs}
    for group, results in (("first", first), ("second", second)):
        of_group = {run.name: run for run in runs if run.group == group}
        for run, result in by_trial(of_group, results):
            assert_holds(run, result.folder)
            assert_shows_its_samples(run, result.folder)
    again = sorted((root / "wandb" / "wandb").glob("offline-run-*/run-*.wandb"))
    kept = [path for path in written if "-sweep-" not in path.name]
    assert kept == [path for path in again if "-sweep-" not in path.name], "sent once more"
    shutil.rmtree(root / "wandb")
    run_sweep(trials, asked, root / "multirun" / "first")
    assert {run.id for run in trial_runs(root).values()} == ids, "not made again from the metrics"


@pytest.mark.timeout(300)
def test_a_trial_alone_has_the_run_of_its_id(root: Path) -> None:
    settings = small(root, "frozen", evaluate=EVALUATE, tracker=Wandb(run_name="rank 2"))
    result = run_trial(settings)
    (run,) = runs_below(root / "wandb")
    assert (run.id, run.name, run.group, run.tags) == (result.record.id, "rank 2", "", [])
    assert_holds(run, result.folder)
    assert_shows_its_samples(run, result.folder)


@pytest.mark.timeout(300)
def test_a_tracker_that_fails_stops_no_sweep_and_is_said_once(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import wandb

    monkeypatch.setattr(wandb, "init", lambda **more: 1 // 0)
    results = run_sweep(
        *grid(root, ranks=(2,), evaluate=Evaluate(loss_timesteps=0)), root / "multirun" / "first"
    )
    assert all(result is not None and not result.failed for result in results)
    assert (root / "multirun" / "first" / "summary.csv").is_file()
    said = [line for line in capfd.readouterr().err.splitlines() if "W&B" in line]
    assert len(said) == 1
    assert "division" in said[0]


def test_a_sweep_that_must_be_online_without_a_key_is_refused_before_training(root: Path) -> None:
    trials, asked = grid(root, Wandb(offline=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("WANDB_MODE", raising=False)
        steps = count_steps(patch)
        with pytest.raises(SettingsError, match=r"all 6 trials: tracker.offline=false, but no W&B"):
            run_sweep(trials, asked, root / "multirun" / "first")
        assert not steps
    assert not (root / "runs").exists()
