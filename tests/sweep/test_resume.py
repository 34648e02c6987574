"""However a trial is stopped, the same call again gives the bytes of a trial that was not."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runs import (
    PIVOT,
    STEPS,
    before_step,
    child,
    only_run,
    record_of,
    rows_of,
    small,
    wait_for_step,
    weights_of,
)

import lora_sweep.__main__ as command
from lora_sweep.config.settings import (
    Adafactor,
    Lora,
    Prior,
    PriorReal,
    Prodigy,
    ProdigyPlus,
    Schedule,
    Settings,
    Snr,
)
from lora_sweep.errors import StoreError
from lora_sweep.results import checkpoint
from lora_sweep.sweep.run import run_trial

pytestmark = [
    pytest.mark.usefixtures("one_base"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]

MODES: dict[str, dict[str, Any]] = {
    "frozen": {"lora": Lora(rank=2, dropout=0.3), "schedule": Schedule(name="cosine")},
    "lora": {"optimizer": Prodigy(d0=1e-3), "lora": Lora(rank=2, dropout=0.3, use_dora=True)},
    "full": {"optimizer": Adafactor(lr=1e-3), "snr": Snr(gamma=5.0)},
    "pivotal": {"optimizer": ProdigyPlus(d0=1e-3), "prior": PriorReal(num_class_images=3)},
}


def outcome(folder: Path) -> tuple[Any, ...]:
    record = record_of(folder)
    kept = {key: record[key] for key in ("id", "state", "steps", "scores", "error")}
    return kept, rows_of(folder), weights_of(folder)


class Stopped(BaseException):
    """Neither an error nor an interrupt: nothing of ours catches it, as nothing catches SIGKILL."""


def stop() -> None:
    raise Stopped


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Callable[[str], Any]:
    """What each mode's trial comes to when nothing stops it."""
    known: dict[str, Any] = {}

    def get(mode: str) -> Any:
        if mode not in known:
            root = tmp_path_factory.mktemp("whole")
            (root / "cache").symlink_to(shared_cache)
            known[mode] = outcome(run_trial(trial(root, mode)).folder)
        return known[mode]

    return get


def trial(root: Path, mode: str, every: int = 2) -> Settings:
    if mode == "adamw":
        return small(root, train={"checkpoint_every": every})
    return small(root, mode, train={"checkpoint_every": every}, **MODES[mode])


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_resumes_to_the_same_bytes(
    mode: str, root: Path, whole: Callable[[str], Any]
) -> None:
    for step in (
        PIVOT,
        STEPS - 1,
    ):  # at the pivot; and after it, from a checkpoint that is after it, too
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
            before_step(patch, step, stop)
            run_trial(trial(root, mode))
        assert record_of(only_run(root))["state"] == "running"
    assert outcome(run_trial(trial(root, mode)).folder) == whole(mode)


@pytest.mark.parametrize("step", [PIVOT - 1, PIVOT, PIVOT + 1])
def test_a_killed_process_costs_only_the_steps_since_its_last_checkpoint(
    step: int, root: Path, tmp_path: Path, whole: Callable[[str], Any]
) -> None:
    with child(lambda: run_trial(trial(root, "adamw")), tmp_path / "log") as pid:
        wait_for_step(root, step)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    folder = only_run(root)
    assert record_of(folder)["state"] == "running" and not weights_of(folder)
    assert outcome(run_trial(trial(root, "adamw")).folder) == whole("adamw")


def test_a_process_killed_at_any_change_of_a_file_leaves_nothing_that_misleads(
    new_root: Callable[[str], Path], tmp_path: Path, whole: Callable[[str], Any]
) -> None:
    counter = tmp_path / "count"
    expected = whole("adamw")  # which also fills the cache: later trials make equal changes

    def work(root: Path, die_at: int) -> None:
        kill_at_change(die_at, counter)
        run_trial(trial(root, "adamw"))

    with child(lambda: work(new_root("counted"), 0), tmp_path / "log") as pid:
        os.waitpid(pid, 0)
    total = int(counter.read_text())
    assert total > 40
    draw = random.Random(0)
    # The changes of a trial are many alike: a few of each stretch stand for all.
    stretch = total // 4
    for index, start in enumerate(range(1, total - stretch, stretch)):
        root = new_root(f"killed {index}")
        die_at = draw.randrange(start, start + stretch)
        with child(lambda root=root, at=die_at: work(root, at), tmp_path / "log") as pid:
            _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status), (tmp_path / "log").read_text()
        assert outcome(run_trial(trial(root, "adamw")).folder) == expected, die_at


def kill_at_change(number: int, counter: Path) -> None:
    """In this process, count calls that change files, and die just before one of them."""
    seen = 0

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            nonlocal seen
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)
            result = real(*arguments, **more)
            if number == 0:
                counter.write_text(str(seen))
            return result

        return call

    for name in ("replace", "rename", "fsync", "unlink", "mkdir", "rmdir"):
        setattr(os, name, counted(getattr(os, name)))


def test_a_full_disk_during_a_checkpoint_is_one_message_and_the_trial_goes_on_later(
    root: Path, monkeypatch: pytest.MonkeyPatch, whole: Callable[[str], Any]
) -> None:
    real = checkpoint._put_in_place

    def full(temporary: Path, target: Path) -> None:
        if target.name == "step-000004":
            raise OSError(28, "No space left on device")
        real(temporary, target)

    with monkeypatch.context() as patch, pytest.raises(StoreError, match=r"step-000004.*free some"):
        patch.setattr(checkpoint, "_put_in_place", full)
        run_trial(trial(root, "adamw"))
    folder = only_run(root)
    assert record_of(folder)["state"] == "failed" and not weights_of(folder)
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["step-000002"]
    assert outcome(run_trial(trial(root, "adamw")).folder) == whole("adamw")


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_serves(
    root: Path, whole: Callable[[str], Any], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
        before_step(patch, STEPS - 1, stop)
        run_trial(trial(root, "adamw"))
    folder = only_run(root)
    damaged = folder / "checkpoints/step-000004/state.safetensors"
    data = bytearray(damaged.read_bytes())
    data[-5] ^= 1
    damaged.write_bytes(data)
    assert outcome(run_trial(trial(root, "adamw")).folder) == whole("adamw")
    said = capfd.readouterr().err
    assert f"{damaged} is damaged" in said and "going on from step 2 of 6" in said


def interrupt_once() -> None:
    signal.raise_signal(signal.SIGINT)


def interrupt_twice() -> None:
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGINT)


def test_one_ctrl_c_finishes_the_step_and_saves_it(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
    whole: Callable[[str], Any],
) -> None:  # fmt: skip
    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        before_step(patch, 2, interrupt_once)
        run_trial(trial(root, "adamw", every=0))
    assert signal.getsignal(signal.SIGINT) is before
    folder, said = only_run(root), capfd.readouterr().err
    assert "stopping after this step" in said and f"saved is step 3 of {STEPS}" in said
    record = record_of(folder)
    assert (record["state"], record["steps"], record["error"]) == ("waiting", 3, "interrupted")
    assert [row["step"] for row in rows_of(folder)] == [1, 2, 3]
    assert outcome(run_trial(trial(root, "adamw", every=0)).folder) == whole("adamw")
    assert f"going on from step 3 of {STEPS}" in capfd.readouterr().err


def test_a_second_ctrl_c_stops_at_once(root: Path, whole: Callable[[str], Any]) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        before_step(patch, 3, interrupt_twice)
        run_trial(trial(root, "adamw"))
    record = record_of(only_run(root))
    assert (record["state"], record["steps"]) == ("waiting", 2)
    assert outcome(run_trial(trial(root, "adamw")).folder) == whole("adamw")


def test_ctrl_c_during_evaluation_stops_at_once_and_loses_no_step(
    root: Path, monkeypatch: pytest.MonkeyPatch, whole: Callable[[str], Any]
) -> None:
    import lora_sweep.results.evaluate as evaluate

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(evaluate, "draw_samples", lambda *arguments: interrupt_once())
        run_trial(trial(root, "adamw"))
    record = record_of(only_run(root))
    assert (record["state"], record["steps"]) == ("waiting", STEPS)
    with monkeypatch.context() as patch:
        before_step(patch, STEPS, stop)
        assert outcome(run_trial(trial(root, "adamw")).folder) == whole("adamw")


def test_an_interrupted_command_exits_with_130_and_says_how_to_go_on(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    overrides = ["dataset=face", "rank=2", "train.max_train_steps=4", "evaluate=off"]
    monkeypatch.setattr(sys, "argv", ["lora_sweep", f"results.dir={root}", *overrides])
    before_step(monkeypatch, 1, interrupt_once)
    with pytest.raises(SystemExit) as caught:
        command.main()
    assert caught.value.code == 130
    said = capfd.readouterr().err
    assert "run the same command again" in said and "Traceback" not in said


def test_a_trial_in_another_thread_trains_without_signal_handlers(root: Path) -> None:
    results: list[Any] = []
    settings = small(root, "frozen", train={"max_train_steps": 1}, prior=Prior())
    thread = threading.Thread(target=lambda: results.append(run_trial(settings)))
    thread.start()
    thread.join()
    assert results and not results[0].failed
