"""One worker as its parent sees it: a process, a line to it, what it reports. No torch."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import lora_sweep
from lora_sweep.sweep.unit import Unit, line_of

VISIBLE = "CUDA_VISIBLE_DEVICES"
KEPT_WORDS = 20  # lines of a worker's standard error that a message may quote


@dataclass(frozen=True)
class Report:
    """A worker's report; `event` is "said" for a line of words, "gone" when it has ended."""

    worker: int
    event: str
    values: dict[str, Any]


class WorkerProcess:
    """Starts a worker; its reports come in `reports`, told apart by its number.

    It has a session of its own, so that Ctrl-C on the terminal reaches its parent alone, which then
    decides. gpu: what CUDA_VISIBLE_DEVICES names it, for the only one that it is to see.
    """

    def __init__(self, number: int, reports: queue.Queue[Report], gpu: str | None = None) -> None:
        self.number = number
        self.is_ready = False
        self.unit: Unit | None = None
        self._words: deque[str] = deque(maxlen=KEPT_WORDS)
        self._reports = reports
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lora_sweep.sweep.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=_environment(gpu),
            start_new_session=True,
        )
        self._threads = [
            threading.Thread(target=self._read_reports, daemon=True),
            threading.Thread(target=self._read_words, daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        self._end = threading.Thread(target=self._wait, daemon=True)
        self._end.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def status(self) -> int | None:
        """The exit status; negative is the signal that killed it."""
        return self._process.poll()

    def give(self, unit: Unit, *, blocking: bool) -> None:
        """Send a unit; nothing happens if the worker is dead, which is reported by itself."""
        self.unit = unit
        self._send({"unit": unit.to_plain(), "blocking": blocking})

    def stop(self, reason: str) -> None:
        """Let it end its step, save and stop; the second time it stops at once."""
        self._send({"stop": reason})

    def dismiss(self) -> None:
        """There is no more work for it."""
        self._send({"end": True})

    def kill(self) -> None:
        """End it at once, with all processes that it has started."""
        if self.status is None:
            with contextlib.suppress(OSError):
                if os.name == "nt":
                    self._process.kill()
                else:
                    os.killpg(self._process.pid, signal.SIGKILL)
        self._end.join(2.0)

    def wait(self, seconds: float) -> bool:
        """Whether it has ended, after so many seconds at most."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def how_it_ended(self) -> str:
        """For a message."""
        status = self.status or 0
        if status >= 0:
            last = self._words[-1] if self._words else "it said nothing"
            return f"it ended with status {status}: {last}"
        with contextlib.suppress(ValueError):
            return f"it was killed by {signal.Signals(-status).name}"
        return f"it was killed by signal {-status}"

    def _send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError, ValueError):
            stdin = _pipe(self._process.stdin)
            stdin.write(line_of(message))
            stdin.flush()

    def _read_reports(self) -> None:
        with _pipe(self._process.stdout) as lines:
            for line in lines:
                # A line cut off by the worker's death says nothing.
                with contextlib.suppress(ValueError):
                    values = json.loads(line)
                    self._reports.put(Report(self.number, values.pop("event"), values))

    def _read_words(self) -> None:
        with _pipe(self._process.stderr) as lines:
            for line in lines:
                words = line.rstrip("\n")
                if words.strip():
                    self._words.append(words)
                self._reports.put(Report(self.number, "said", {"line": words}))

    def _wait(self) -> None:
        self._process.wait()
        for thread in self._threads:
            thread.join(1.0)  # a process that it has started may hold the pipes open
        with contextlib.suppress(OSError):
            _pipe(self._process.stdin).close()
        self._reports.put(Report(self.number, "gone", {}))


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def _environment(gpu: str | None) -> dict[str, str]:
    source = str(Path(lora_sweep.__file__).parent.parent)
    path = os.environ.get("PYTHONPATH")
    # Imported from where its parent was, whatever the working directory is now.
    environment = {**os.environ, "PYTHONPATH": f"{source}{os.pathsep}{path}" if path else source}
    return environment if gpu is None else {**environment, VISIBLE: gpu}
