from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from wandb_reader import OfflineRun, read_run

from lora_sweep.config.settings import Tracker as TrackerSettings
from lora_sweep.config.settings import Wandb
from lora_sweep.errors import SettingsError
from lora_sweep.results import tracker as tracking
from lora_sweep.results import wandb_run
from lora_sweep.results.metrics import MetricsWriter, read_metrics
from lora_sweep.results.tracker import NoTracker, build_tracker

KEY = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A machine where nobody has logged in to W&B."""
    import wandb

    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    wandb.teardown()
    yield
    wandb.teardown()


def build(tmp_path: Path, settings: TrackerSettings, **more: Any) -> tuple[Any, list[str]]:
    lines: list[str] = []
    given: dict[str, Any] = {
        "trial_id": "0123456789ab", "name": "rank 4", "config": {"lora": {"rank": 4}},
        "folder": tmp_path / "wandb", "say": lines.append,
    }  # fmt: skip
    return build_tracker(settings, **given | more), lines


def wandb_teardown() -> None:
    """Wait for wandb's service, which writes the end of a run a moment after finish() returns."""
    import wandb

    wandb.teardown()


def newest_run(tmp_path: Path) -> OfflineRun:
    wandb_teardown()
    folders = sorted((tmp_path / "wandb" / "wandb").glob("offline-run-*"))
    return read_run(max(folders, key=lambda folder: folder.stat().st_mtime_ns))


def test_no_tracker_takes_everything_and_writes_nothing(tmp_path: Path) -> None:
    tracker, lines = build(tmp_path, TrackerSettings())
    tracker.log(1, {"loss": 1.0})
    tracker.pictures(1, {"a": tmp_path / "missing.png"})
    tracker.finish({})
    assert isinstance(tracker, NoTracker)
    assert not lines
    assert list(tmp_path.iterdir()) == []


def test_an_offline_run_holds_every_row_setting_and_picture(tmp_path: Path) -> None:
    settings = Wandb(project="mine", tags=("a", "b" * 64), group="sweep 1")
    config = {"lora": {"rank": 4, "blocks": None}, "dataset": {"abstractions": ["TOK"]}}
    tracker, lines = build(tmp_path, settings, config=config)
    Image.new("RGB", (8, 8)).save(tmp_path / "picture.png")
    for step in range(1, 31):
        row = {"step": step, "loss": step / 2, "lr/unet": 1e-4}
        tracker.log(step, row | ({"val_loss": float("nan")} if step == 30 else {}))
    tracker.pictures(30, {"a <s0><s1>": tmp_path / "picture.png"})
    tracker.finish({"val_loss": 0.25, "subject": None}, failed=True)
    run = newest_run(tmp_path)
    assert (run.id, run.name, run.group, run.project) == (
        "0123456789ab",
        "rank 4",
        "sweep 1",
        "mine",
    )
    assert run.tags == ["a", "b" * 64]
    assert run.config == config
    assert [(row["_step"], row["loss"]) for row in run.history] == [
        (i, i / 2) for i in range(1, 31)
    ]
    assert run.history[-1]["samples"]["captions"] == ["a <s0><s1>"]
    assert "val_loss" not in run.history[-1]
    assert any(path.startswith("media/images/samples") for path in run.files)
    assert run.summary["val_loss"] == 0.25
    assert run.exit_code == 1
    assert len(lines) == 1
    assert "no key is configured" in lines[0]
    assert f"wandb sync {tmp_path / 'wandb' / 'wandb' / 'offline-run-'}" in lines[0]


def test_a_good_end_has_exit_code_0_and_a_run_name_replaces_the_trials(tmp_path: Path) -> None:
    tracker, _ = build(tmp_path, Wandb(run_name="other"), group="from the sweep")
    tracker.finish({})
    tracker.log(1, {"loss": 1.0})
    tracker.finish({})
    run = newest_run(tmp_path)
    assert (run.exit_code, run.name, run.group) == (0, "other", "from the sweep")
    assert run.history == []


KILLED = """
import sys, time
from pathlib import Path
from lora_sweep.config.settings import Wandb
from lora_sweep.results.metrics import MetricsWriter
from lora_sweep.results.tracker import build_tracker
folder = Path(sys.argv[1])
tracker = build_tracker(
    Wandb(), trial_id="0123456789ab", name="n", config={}, folder=folder / "wandb"
)
writer = MetricsWriter(folder / "metrics.jsonl")
for step in range(1, 51):
    row = {"step": step, "loss": 1 / step}
    writer.write(row)
    tracker.log(step, row)
print("ready", flush=True)
time.sleep(60)
"""


def test_rows_that_wandb_lost_when_killed_are_fed_again_from_the_metrics(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGKILL)
    child.communicate()
    metrics = tmp_path / "metrics.jsonl"
    assert [row["step"] for row in read_metrics(metrics)] == list(range(1, 51))

    with MetricsWriter(metrics, resume_step=40) as writer:
        tracker, _ = build(tmp_path, Wandb(), history=writer.kept)
    for step in range(39, 61):  # rows that were sent already are passed over
        tracker.log(step, {"step": step, "loss": 1 / step})
    tracker.finish({})
    history = newest_run(tmp_path).history
    assert [row["_step"] for row in history] == list(range(1, 61))
    assert [row["loss"] for row in history] == [1 / step for step in range(1, 61)]


def test_several_trials_of_one_process_keep_their_own_runs(tmp_path: Path) -> None:
    trackers = {
        name: build(tmp_path, Wandb(), trial_id=name, config={"of": name})[0]
        for name in ("first", "second")
    }
    for name, tracker in trackers.items():
        tracker.log(1, {"loss": float(len(name))})
    for tracker in trackers.values():
        tracker.finish({})
    wandb_teardown()
    runs = [read_run(folder) for folder in (tmp_path / "wandb" / "wandb").glob("offline-run-*")]
    found = {run.id: (run.config, run.history[0]["loss"]) for run in runs}
    assert found == {"first": ({"of": "first"}, 5.0), "second": ({"of": "second"}, 6.0)}


@pytest.mark.parametrize(
    ("settings", "environ", "key", "expected"),
    [
        (Wandb(), {}, False, "offline"),
        (Wandb(), {}, True, "online"),
        (Wandb(offline=True), {}, True, "offline"),
        (Wandb(offline=False), {}, True, "online"),
        (Wandb(), {"WANDB_MODE": "offline"}, True, "offline"),
        (Wandb(offline=False), {"WANDB_MODE": "dryrun"}, True, "offline"),
        (Wandb(), {"WANDB_MODE": "disabled"}, True, "disabled"),
        (Wandb(), {"WANDB_MODE": "online"}, False, "offline"),
    ],
)
def test_a_run_is_online_only_with_a_key_and_nothing_against_it(
    settings: Wandb, environ: dict[str, str], key: bool, expected: str
) -> None:
    assert wandb_run.choose_mode(settings, environ, lambda: key)[0] == expected


def test_wishes_that_cannot_be_met_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"tracker\.offline=false, but no W&B key"):
        wandb_run.choose_mode(Wandb(offline=False), {}, lambda: False)
    with pytest.raises(SettingsError, match=r"WANDB_MODE='of' is not one of online, offline"):
        wandb_run.choose_mode(Wandb(), {"WANDB_MODE": "of"}, lambda: True)
    with pytest.raises(SettingsError, match=r"tracker\.tags has '': .* 1 to 64") as caught:
        build(tmp_path, Wandb(tags=("", "x" * 65)), group="g" * 129)
    assert len(caught.value.problems) == 3


def test_a_key_is_found_in_the_variable_and_in_netrc_for_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    def found() -> bool:
        wandb.teardown()
        return wandb_run._has_key(dict(NETRC=str(tmp_path / "netrc")))

    assert not found()
    (tmp_path / "netrc").write_text(f"machine api.wandb.ai login user password {KEY}\n")
    assert found()
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    assert not found(), "the key belongs to another host"
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    assert found()


def test_wandb_mode_disabled_switches_the_tracker_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    tracker, lines = build(tmp_path, Wandb())
    assert isinstance(tracker, NoTracker)
    assert not lines


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
def test_a_server_that_does_not_answer_leaves_an_offline_run_and_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent_server: str, reachable: bool
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", silent_server if reachable else "http://127.0.0.1:9")
    monkeypatch.setattr(wandb_run, "INIT_SECONDS", 2.0)
    tracker, lines = within(60, lambda: build(tmp_path, Wandb()))
    tracker.log(1, {"loss": 0.5})
    tracker.finish({})
    run = newest_run(tmp_path)
    assert (run.id, len(run.history)) == ("0123456789ab", 1)
    assert len(lines) == 1
    assert "no run on the server" in lines[0]
    assert "wandb sync" in lines[0]


def test_secrets_never_reach_the_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    config = {"dataset": {"path": "https://me:pass@host/x"}, "list": ["a hf_secret b"], "n": 2}
    tracker, _ = build(tmp_path, Wandb(), config=config)
    tracker.finish({})
    assert newest_run(tmp_path).config == {
        "dataset": {"path": "https://***@host/x"}, "list": ["a *** b"], "n": 2,
    }  # fmt: skip
    assert tracking.without_secrets("plain", {}) == "plain"
