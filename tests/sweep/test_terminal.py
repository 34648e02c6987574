"""A sweep on a real terminal: the live table, and what Ctrl-C does there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from runs import record_of, rows_of

import lora_sweep.__main__ as command
from lora_sweep.results.progress import standard_console
from lora_sweep.training import loop

pty = pytest.importorskip("pty")
pytestmark = [
    pytest.mark.usefixtures("one_base"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]

WIDTH, HEIGHT = 100, 30
CTRL_C = b"\x03"
SMALL = ("dataset=face", "te_mode=frozen", "train.batch_size=1", "train.log_every=1",
         "train.checkpoint_every=1", "evaluate=off", "evaluate.loss_timesteps=0")  # fmt: skip


@dataclass
class Terminal:
    """A command on a terminal of its own."""

    pid: int
    descriptor: int
    text: str = field(default="")

    def read_until(self, pattern: str, seconds: float = 240) -> None:
        """Read until what was shown matches."""
        end = time.monotonic() + seconds
        while not re.search(pattern, self.text):
            assert time.monotonic() < end, f"no {pattern!r} in {self.text}"
            if select.select([self.descriptor], [], [], 0.2)[0]:
                try:
                    data = os.read(self.descriptor, 1 << 16)
                except OSError:  # closed by its end
                    data = b""
                assert data, f"it ended without {pattern!r}: {self.text}"
                self.text += data.decode(errors="replace")

    def press(self, keys: bytes) -> None:
        os.write(self.descriptor, keys)

    def status(self) -> int:
        """The exit status, when it has ended."""
        with contextlib.suppress(OSError):
            while data := os.read(self.descriptor, 1 << 16):
                self.text += data.decode(errors="replace")
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@contextlib.contextmanager
def on_terminal(*arguments: str) -> Iterator[Terminal]:
    """The command line in a forked process, killed at the end if it still runs."""
    pid, descriptor = pty.fork()
    if pid == 0:
        status: Any = 1
        try:
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
            os.environ |= {"TERM": "xterm-256color"}
            for name in ("COLUMNS", "LINES", "NO_COLOR"):
                os.environ.pop(name, None)
            sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
            sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
            standard_console.cache_clear()  # made by another test, for no terminal
            sys.argv = ["lora_sweep", "-m", *SMALL, *arguments]
            command.main()
        except SystemExit as end:
            status = end.code
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status or 0)
    try:
        yield Terminal(pid, descriptor)
    finally:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(descriptor)


@pytest.fixture
def slow_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of half a second: so that keys are pressed within one, and each state is shown."""
    real = loop.train_step

    def slow(trial: Any, predict: Any) -> Any:
        end = time.monotonic() + 0.5
        while (left := end - time.monotonic()) > 0:
            time.sleep(left)
        return real(trial, predict)

    monkeypatch.setattr(loop, "train_step", slow)


def saved_steps(root: Path) -> list[int]:
    """Of trials that have begun; each has the rows of the steps it has saved."""
    records = [record_of(folder) for folder in (root / "runs").iterdir()]
    for record in records:
        rows = rows_of(root / "runs" / record["id"])
        assert [row["step"] for row in rows][: record["steps"]] == list(
            range(1, record["steps"] + 1)
        )
    return [record["steps"] for record in records]


@pytest.mark.usefixtures("slow_steps")
def test_the_table_is_drawn_over_itself_and_the_summary_is_left(root: Path) -> None:
    with on_terminal("rank=2,3", "train.max_train_steps=2,3", f"results.dir={root}") as shown:
        assert shown.status() == 0, shown.text
    text = shown.text
    assert "\x1b[2K" in text and "━" in text and "4 steps shared" in text
    for words in ("running", "waiting", "4/4 done", "6/6 steps"):
        assert words in text, text
    left = text[text.rindex("\x1b[2K") :]  # behind the last line that was erased
    assert "trial" in left and "summary.csv" in left and "report.html" in left
    assert "waiting" not in left and "Traceback" not in text


@pytest.mark.usefixtures("slow_steps")
def test_one_ctrl_c_ends_the_step_saves_it_and_says_how_to_go_on(root: Path) -> None:
    arguments = ("rank=2,3", "train.max_train_steps=3,4", f"results.dir={root}")
    with on_terminal(*arguments) as shown:
        shown.read_until(r" 2/4 ")
        shown.press(CTRL_C)
        shown.read_until("stopping after this step and saving it; once more stops at once")
        assert shown.status() == 130
    assert "stopped; saved is step 3 of 4" in shown.text or "saved is step 3 of 3" in shown.text
    assert "0 of 4 trials are done, 4 are left; 3 of 8 steps are taken and saved" in shown.text
    assert "run the same command again to go on" in shown.text and "Traceback" not in shown.text
    assert saved_steps(root) == [3, 3]


@pytest.mark.usefixtures("slow_steps")
def test_two_of_them_stop_at_once_and_lose_the_step_alone(root: Path) -> None:
    arguments = ("rank=2,3", "train.max_train_steps=6", f"results.dir={root}")
    with on_terminal(*arguments) as shown:
        shown.read_until(r" 2/6 ")
        shown.press(CTRL_C)
        time.sleep(0.05)
        shown.press(CTRL_C)
        assert shown.status() == 130
    assert "run the same command again to go on" in shown.text and "Traceback" not in shown.text
    (steps,) = saved_steps(root)
    assert 2 <= steps <= 3
