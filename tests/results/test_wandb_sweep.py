"""The run of a sweep as a whole, read back from its offline file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sweep_rows import NAMES, a_row
from wandb_alone import no_account
from wandb_reader import OfflineRun, read_run, runs_below, table_of

from lora_sweep.config.settings import Results, Settings, Wandb
from lora_sweep.results.store import SweepFolder
from lora_sweep.results.summary import SweepRow, write_summary
from lora_sweep.results.trial_record import TrialState
from lora_sweep.results.wandb_sweep import log_sweep

__all__ = ["no_account"]  # a fixture


def sweep_of(tmp_path: Path) -> tuple[SweepFolder, list[SweepRow]]:
    rows = [
        a_row("a1", 4, scores={**NAMES, "val_loss": 0.3}),
        a_row("b2", 8, scores={**NAMES, "val_loss": 0.2, "subject": 0.4}),
        a_row("c3", 16, state=TrialState.failed, scores={}, error="out of memory"),
        a_row("d4", 8, "prodigy", scores={**NAMES, "val_loss": float("nan")}),
    ]
    results = Results(dir=str(tmp_path))
    rows = [replace(row, settings=replace(row.settings, results=results)) for row in rows]
    folder = SweepFolder(tmp_path / "multirun" / "ranks")
    folder.path.mkdir(parents=True)
    write_summary(folder, rows)
    folder.report.write_text("<!doctype html>", "utf-8")
    return folder, rows


def logged(tmp_path: Path, settings: Wandb, group: str = "ranks") -> tuple[OfflineRun, list[str]]:
    folder, rows = sweep_of(tmp_path)
    said: list[str] = []
    log_sweep(settings, group, folder, rows, said.append)
    (run,) = runs_below(tmp_path / "wandb")
    return run, said


def test_the_sweep_is_a_run_beside_its_trials(tmp_path: Path) -> None:
    run, said = logged(tmp_path, Wandb(project="mine", tags=("face",)))
    assert (run.name, run.group, run.job_type) == ("sweep ranks", "ranks", "sweep")
    assert (run.project, run.tags, run.exit_code) == ("mine", ["face"], 0)
    assert run.config == {
        "sweep": "ranks",
        "trials": 4,
        "axes": {"rank": ["4", "8", "16"], "optimizer": ["adamw", "prodigy"]},
    }
    assert len(said) == 1 and "wandb sync" in said[0]


def test_its_table_has_what_varies_the_state_the_scores_and_what_stopped_a_trial(
    tmp_path: Path,
) -> None:
    run, _ = logged(tmp_path, Wandb())
    (table,) = (artifact for artifact in run.artifacts if artifact.type == "run_table")
    columns, rows = table_of(table)
    assert columns == [
        "trial",
        "id",
        "rank",
        "optimizer",
        "state",
        "steps",
        "seconds",
        *NAMES,
        "error",
    ]
    by_id = {row[1]: dict(zip(columns, row, strict=True)) for row in rows}
    assert by_id["b2"]["trial"] == "rank=8 optimizer=adamw"
    assert (by_id["b2"]["val_loss"], by_id["b2"]["subject"]) == (0.2, 0.4)
    assert (by_id["c3"]["state"], by_id["c3"]["error"]) == ("failed", "out of memory")
    assert by_id["c3"]["val_loss"] is None and by_id["d4"]["val_loss"] is None


def test_its_summary_names_the_best_of_each_measure_that_has_a_direction(tmp_path: Path) -> None:
    run, _ = logged(tmp_path, Wandb())
    assert run.summary["trials_done"] == 3 and run.summary["trials_failed"] == 1
    assert run.summary["best_val_loss"] == 0.2
    assert run.summary["best_val_loss_trial"] == "rank=8 optimizer=adamw"
    assert run.summary["best_subject"] == 0.5
    assert "best_fit_loss" not in run.summary


def test_report_table_and_list_are_an_artifact(tmp_path: Path) -> None:
    run, _ = logged(tmp_path, Wandb())
    (report,) = (artifact for artifact in run.artifacts if artifact.type == "report")
    assert report.name == "report-ranks"
    assert sorted(report.files) == ["report.html", "summary.csv", "sweep.json"]
    assert report.files["report.html"].read_text("utf-8") == "<!doctype html>"
    assert all(path.is_relative_to(tmp_path) for path in report.files.values())


def test_a_group_may_be_called_anything(tmp_path: Path) -> None:
    run, _ = logged(tmp_path, Wandb(group="Größe: 4/8 \N{DOG FACE} " + "x" * 100))
    (report,) = (artifact for artifact in run.artifacts if artifact.type == "report")
    assert report.name.startswith("report-Gr-e-4-8-x") and len(report.name) < 128
    assert run.group.startswith("Größe: 4/8")


def test_without_wandb_nothing_is_written(tmp_path: Path) -> None:
    folder, rows = sweep_of(tmp_path)
    log_sweep(Settings().tracker, "ranks", folder, rows, pytest.fail)
    assert not (tmp_path / "wandb").exists()


def test_whatever_wandb_raises_is_said_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    def fail(*arguments: Any, **more: Any) -> None:
        raise ZeroDivisionError("not of its own")

    monkeypatch.setattr(wandb.Run, "log_artifact", fail)
    folder, rows = sweep_of(tmp_path)
    said: list[str] = []
    log_sweep(Wandb(), "ranks", folder, rows, said.append)
    assert said[-1] == "W&B did not take the sweep's table and report (not of its own)"


def test_a_real_sweep_leaves_a_run_for_each_trial_and_one_for_itself_with_its_report(
    tmp_path: Path,
) -> None:
    asked = [
        "rank=4,8", "seed=3", "dataset=face", "te_mode=frozen", "train.max_train_steps=4",
        "evaluate.every=2", "evaluate.images_per_prompt=1", "evaluate.sample_steps=2",
        "tracker=wandb", f"results.dir={tmp_path}", f"hydra.sweep.dir={tmp_path}/multirun/ranks",
    ]  # fmt: skip
    environment = {**os.environ, "WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "lora_sweep", "-m", *asked],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = tmp_path / "multirun" / "ranks" / "report.html"
    assert f"report: {report}" in done.stdout + done.stderr
    runs = [read_run(folder) for folder in (tmp_path / "wandb" / "wandb").glob("offline-run-*")]
    trials = [run for run in runs if run.job_type == "trial"]
    (sweep,) = (run for run in runs if run.job_type == "sweep")
    assert sorted(run.name for run in trials) == ["rank=4", "rank=8"]
    assert {run.group for run in runs} == {"ranks"}
    ids = [row["id"] for row in json.loads((report.parent / "sweep.json").read_text())["trials"]]
    for run in trials:
        trial = run.config["trial_id"]
        assert trial in ids
        assert [row["_step"] for row in run.history] == [1, 2, 3, 4]
        assert ["val_loss" in row for row in run.history] == [False, True, False, True]
        assert all("lr/unet" in row and "loss" in row for row in run.history)
        (_, first), (columns, last) = map(table_of, run.artifacts)
        assert columns == ["trial", "step", "prompt", "seed", "picture"]
        assert [row[1:4] for row in first + last] == [
            [step, f"a photo of TOK woman{more}", 0]
            for step in (2, 4)
            for more in ("", " wearing a hat")
        ]
        record = json.loads((tmp_path / "runs" / trial / "trial.json").read_text())
        assert run.summary["val_loss"]["last"] == record["scores"]["val_loss"]
    (artifact,) = (each for each in sweep.artifacts if each.type == "report")
    assert artifact.files["report.html"].read_bytes() == report.read_bytes()
