from __future__ import annotations

import errno
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from lora_sweep.results import lock
from lora_sweep.results.lock import LockHeld
from lora_sweep.results.store import Store, TrialFolder

HOLDER = """
import sys, time
from pathlib import Path
from lora_sweep.results import lock
if sys.argv[2] == "file":
    lock.fcntl = None
with lock.file_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(params=["flock", "file"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With the system's locks, and where there are none."""
    if request.param == "file":
        monkeypatch.setattr(lock, "fcntl", None)
    monkeypatch.setattr(lock, "POLL_SECONDS", 0.01)
    return request.param


def held_by_child(trial: TrialFolder, kind: str) -> subprocess.Popen[str]:
    trial.create()
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(trial.lock_file), kind],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def test_a_second_process_gets_a_clear_answer_and_a_killed_holder_frees_the_trial(
    tmp_path: Path, kind: str
) -> None:
    trial = Store(tmp_path).trial("abc")
    child = held_by_child(trial, kind)
    try:
        with pytest.raises(LockHeld, match=rf"runs/abc is in use by process {child.pid} on "):
            trial.lock(blocking=False).__enter__()
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    with trial.lock():
        pass


def test_a_second_worker_waits_says_so_once_and_then_has_the_trial(
    tmp_path: Path, kind: str
) -> None:
    trial = Store(tmp_path).trial("abc")
    lines: list[str] = []
    waiting, entered = threading.Event(), threading.Event()

    def say(line: str) -> None:
        lines.append(line)
        waiting.set()

    def second() -> None:
        with trial.lock(on_wait=say):
            entered.set()

    with trial.lock():
        thread = threading.Thread(target=second, daemon=True)
        thread.start()
        assert waiting.wait(10)
        assert not entered.wait(0.1)
    assert entered.wait(10)
    thread.join()
    assert len(lines) == 1
    assert lines[0].endswith("; waiting")


def test_a_lock_is_free_again_after_an_error_inside(tmp_path: Path, kind: str) -> None:
    trial = Store(tmp_path).trial("abc")
    with pytest.raises(RuntimeError), trial.lock():
        raise RuntimeError
    with trial.lock(blocking=False):
        pass


def test_a_file_system_without_locks_falls_back_to_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system: Any = lock.fcntl

    def unsupported(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(system, "flock", unsupported)
    trial = Store(tmp_path).trial("abc")
    with trial.lock(), pytest.raises(LockHeld):
        trial.lock(blocking=False).__enter__()
    with trial.lock(blocking=False):
        pass
