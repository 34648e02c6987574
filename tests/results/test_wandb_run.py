from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from wandb_alone import KEY, no_account
from wandb_reader import OfflineRun, runs_below, table_of

from lora_sweep.config.settings import Wandb
from lora_sweep.results import wandb_run
from lora_sweep.results.metrics import MetricsWriter, read_metrics
from lora_sweep.results.names import TrialName
from lora_sweep.results.tracker import NoTracker, build_tracker, is_sent, plan_run
from lora_sweep.results.wandb_files import RunPlan
from lora_sweep.results.wandb_run import Picture, Row

__all__ = ["no_account"]  # a fixture


def plan(tmp_path: Path, settings: Wandb, **more: Any) -> RunPlan:
    given: dict[str, Any] = {
        "trial_id": "0123456789ab", "name": "rank 4", "config": {"lora": {"rank": 4}},
        "folder": tmp_path / "wandb",
    }  # fmt: skip
    return plan_run(settings, **given | more)


def build(
    tmp_path: Path, settings: Wandb, history: Iterable[Row] = (), **more: Any
) -> tuple[Any, list[str]]:
    lines: list[str] = []
    of = plan(tmp_path, settings, **more)
    return build_tracker(settings, of, history, say=lines.append), lines


def only_run(tmp_path: Path) -> OfflineRun:
    (run,) = runs_below(tmp_path / "wandb")
    return run


def test_an_offline_run_holds_every_row_setting_and_picture(tmp_path: Path) -> None:
    settings = Wandb(project="mine", tags=("a", "b" * 64), group="sweep 1")
    config = {"lora": {"rank": 4, "blocks": None}, "dataset": {"abstractions": ["TOK"]}}
    tracker, lines = build(tmp_path, settings, config=config)
    Image.new("RGB", (8, 8)).save(tmp_path / "picture.png")
    for step in range(1, 31):
        row = {"step": step, "loss": step / 2, "lr/unet": 1e-4}
        tracker.log(step, row | ({"drift": float("nan")} if step == 30 else {}))
    tracker.pictures(30, [Picture(tmp_path / "picture.png", "a <s0><script>", 7)])
    tracker.finish({"val_loss": 0.25, "subject": None, "state": "failed"}, failed=True)
    run = only_run(tmp_path)
    assert (run.name, run.group, run.project, run.job_type) == (
        "rank 4",
        "sweep 1",
        "mine",
        "trial",
    )
    assert run.id.startswith("0123456789ab-")
    assert run.tags == ["a", "b" * 64]
    assert run.config == config | {"trial_id": "0123456789ab"}
    assert [(row["_step"], row["loss"]) for row in run.history] == [
        (i, i / 2) for i in range(1, 31)
    ]
    assert run.history[-1]["samples"]["captions"] == ["a <s0><script> (seed 7)"]
    assert "drift" not in run.history[-1]
    assert any(path.startswith("media/images/samples") for path in run.files)
    assert run.summary["val_loss"] == {"last": 0.25}
    assert run.summary["state"] == "failed"
    assert run.exit_code == 1
    assert lines == [
        "W&B: no key is configured; writing offline, send it later with: "
        f"wandb sync {tmp_path / 'wandb' / 'wandb'}"
    ]
    (artifact,) = run.artifacts
    columns, ((*values, image),) = table_of(artifact)
    assert columns == ["trial", "step", "prompt", "seed", "picture"]
    assert values == ["rank 4", 30, "a <s0><script>", 7]
    picture = artifact.files[image["path"]]
    assert picture.read_bytes() == (tmp_path / "picture.png").read_bytes()
    assert picture.is_relative_to(tmp_path / "wandb"), "it would not travel with the results"


def test_a_measure_has_its_last_and_its_best_value_in_the_summary(tmp_path: Path) -> None:
    tracker, _ = build(tmp_path, Wandb())
    for step, loss, subject in [(10, 0.5, 0.3), (20, 0.4, 0.6), (30, 0.6, 0.5)]:
        tracker.log(step, {"step": step, "val_loss": loss, "subject": subject, "fit_loss": loss})
    tracker.finish({"val_loss": 0.6, "subject": 0.5, "fit_loss": 0.6})
    summary = only_run(tmp_path).summary
    assert summary["val_loss"] == {"last": 0.6, "min": 0.4}
    assert summary["subject"] == {"last": 0.5, "max": 0.6}
    assert summary["fit_loss"] == {"last": 0.6}


def test_nothing_is_sent_after_the_end(tmp_path: Path) -> None:
    tracker, _ = build(tmp_path, Wandb(run_name="other"), group="from the sweep")
    tracker.finish({})
    tracker.log(1, {"loss": 1.0})
    tracker.finish({})
    run = only_run(tmp_path)
    assert (run.exit_code, run.name, run.group) == (0, "other", "from the sweep")
    assert run.history == []


def test_the_machine_is_not_named(tmp_path: Path) -> None:
    import platform

    import wandb

    tracker, _ = build(tmp_path, Wandb())
    tracker.log(1, {"loss": 1.0})
    tracker.finish({})
    wandb.teardown()
    (written,) = tmp_path.glob("wandb/wandb/offline-run-*/run-*.wandb")
    content = written.read_bytes()
    assert only_run(tmp_path).host == ""
    for private in (platform.node(), str(Path.home()), str(tmp_path), sys.argv[0]):
        assert len(private) < 6 or private.encode() not in content, private


KILLED = """
import sys, time
from pathlib import Path
from lora_sweep.config.settings import Wandb
from lora_sweep.results.metrics import MetricsWriter
from lora_sweep.results.tracker import build_tracker, plan_run
folder = Path(sys.argv[1])
plan = plan_run(Wandb(), "0123456789ab", "n", config={}, folder=folder / "wandb")
tracker = build_tracker(Wandb(), plan)
writer = MetricsWriter(folder / "metrics.jsonl")
for step in range(1, 51):
    row = {"step": step, "loss": 1 / step}
    writer.write(row)
    tracker.log(step, row)
print("ready", flush=True)
time.sleep(60)
"""


def killed_child(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGKILL)
    child.communicate()


def test_rows_that_wandb_lost_when_killed_are_fed_again_into_one_run(tmp_path: Path) -> None:
    import wandb

    wandb.setup()  # a service that the child would take for its own, and which outlives it
    assert "WANDB_SERVICE" in os.environ
    killed_child(tmp_path)
    metrics = tmp_path / "metrics.jsonl"
    assert [row["step"] for row in read_metrics(metrics)] == list(range(1, 51))

    with MetricsWriter(metrics, resume_step=40) as writer:
        tracker, lines = build(tmp_path, Wandb(), history=writer.kept)
    for step in range(39, 61):  # rows that were sent already are passed over
        tracker.log(step, {"step": step, "loss": 1 / step})
    tracker.finish({})
    history = only_run(tmp_path).history
    assert [row["_step"] for row in history] == list(range(1, 61))
    assert [row["loss"] for row in history] == [1 / step for step in range(1, 61)]
    assert len(lines) == 1


def test_a_run_that_was_sent_to_the_server_is_kept(tmp_path: Path) -> None:
    build(tmp_path, Wandb())[0].finish({})
    (old,) = (tmp_path / "wandb" / "wandb").glob("offline-run-*")
    (old / "run-0123456789ab.wandb.synced").touch()
    time.sleep(1.1)  # folders are named by the second
    build(tmp_path, Wandb())[0].finish({})
    assert [run.id for run in runs_below(tmp_path / "wandb")] == ["0123456789ab"] * 2
    assert old.is_dir()


def test_pictures_of_the_past_are_sent_at_their_steps(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "p.png")
    history = [{"step": step, "loss": 1.0} for step in (1, 2, 2, 3)]
    shown = {2: [Picture(tmp_path / "p.png", "two", 0)], 3: [Picture(tmp_path / "p.png", "3", 0)]}
    tracker = build_tracker(Wandb(), plan(tmp_path, Wandb()), history, shown)
    tracker.pictures(3, [Picture(tmp_path / "p.png", "again", 0)])
    tracker.finish({})
    found = {
        row["_step"]: row.get("samples", {}).get("captions") for row in only_run(tmp_path).history
    }
    assert found == {1: None, 2: ["two (seed 0)"], 3: ["3 (seed 0)"]}


def test_several_trials_of_one_process_keep_their_own_runs(tmp_path: Path) -> None:
    trackers = {
        name: build(tmp_path, Wandb(), trial_id=name, config={"of": name})[0]
        for name in ("first", "second")
    }
    for name, tracker in trackers.items():
        tracker.log(1, {"loss": float(len(name))})
    for tracker in trackers.values():
        tracker.finish({})
    found = {
        run.id: (run.config["of"], run.history[0]["loss"]) for run in runs_below(tmp_path / "wandb")
    }
    assert found == {"first": ("first", 5.0), "second": ("second", 6.0)}


def test_a_run_is_sent_again_only_if_it_is_not_whole_or_called_otherwise(tmp_path: Path) -> None:
    settings = Wandb()
    of = plan(tmp_path, settings, group="g", varied=TrialName("rank=4", ("rank=4",)))
    assert not is_sent(settings, of)
    build_tracker(settings, of).finish({}, settled=False)
    assert not is_sent(settings, of)
    build_tracker(settings, of).finish({})
    assert is_sent(settings, of)
    for other in (Wandb(project="p"), Wandb(entity="e")):
        assert not is_sent(other, of)
    assert not is_sent(settings, plan(tmp_path, settings, group="h"))
    assert not is_sent(
        settings, plan(tmp_path, settings, group="g", varied=TrialName("rank=4 seed=1"))
    )


def test_wandb_mode_disabled_switches_the_tracker_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    tracker, lines = build(tmp_path, Wandb())
    assert isinstance(tracker, NoTracker)
    assert not lines


@pytest.mark.parametrize("method", ["log", "finish", "define_metric"])
def test_whatever_wandb_raises_ends_no_training_and_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    import wandb

    def fail(*arguments: Any, **more: Any) -> None:
        raise ZeroDivisionError("not of its own")

    said: list[str] = []
    monkeypatch.setattr(wandb.Run, method, fail)
    for trial in ("first", "second"):
        tracker, lines = build(tmp_path, Wandb(), trial_id=trial)
        tracker.log(1, {"loss": 1.0})
        tracker.log(2, {"loss": 1.0})
        tracker.finish({})
        said += lines
        assert not is_sent(Wandb(), plan(tmp_path, Wandb(), trial_id=trial)) or method == "log"
    monkeypatch.undo()
    assert [line for line in said if "stopped" in line] == [
        "W&B stopped (not of its own); metrics.jsonl has every row"
    ]


def test_a_run_that_cannot_begin_ends_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    monkeypatch.setattr(wandb, "init", lambda **more: 1 // 0)
    tracker, lines = build(tmp_path, Wandb())
    tracker.log(1, {"loss": 1.0})
    tracker.finish({})
    assert len(lines) == 1 and "cannot be written offline" in lines[0]


@pytest.fixture
def silent_server() -> Iterator[str]:
    """Accepts connections and never answers."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def within(seconds: float, action: Callable[[], Any]) -> Any:
    result: list[Any] = []
    thread = threading.Thread(target=lambda: result.append(action()), daemon=True)
    began = time.monotonic()
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), f"still waiting after {time.monotonic() - began:.0f} s"
    return result[0]


@pytest.mark.parametrize("reachable", [True, False])
def test_a_server_that_does_not_answer_is_waited_for_once_and_leaves_offline_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent_server: str, reachable: bool
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", silent_server if reachable else "http://127.0.0.1:9")
    monkeypatch.setattr(wandb_run, "INIT_SECONDS", 1.0)
    tracker, lines = within(60, lambda: build(tmp_path, Wandb()))
    monkeypatch.setattr(wandb_run, "INIT_SECONDS", 300.0)
    second, more = within(30, lambda: build(tmp_path, Wandb(), trial_id="second"))
    for each in (tracker, second):
        each.log(1, {"loss": 0.5})
        each.finish({})
    runs = runs_below(tmp_path / "wandb")
    assert sorted((run.id, len(run.history)) for run in runs) == [
        ("0123456789ab", 1), ("second", 1)
    ]  # fmt: skip
    assert len(lines) == 1
    assert not more
    assert "no run on the server" in lines[0]
    assert "wandb sync" in lines[0]
