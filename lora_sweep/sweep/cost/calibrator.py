"""The process that measures, from the side that imports no torch."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from lora_sweep.config import to_plain
from lora_sweep.files import TEMPORARY, make_folder, store_error
from lora_sweep.results.store import Store
from lora_sweep.sweep.cost.keys import num_class_pictures
from lora_sweep.sweep.request import TrialRequest

MODULE = "lora_sweep.sweep.cost.calibrate"
LOADING_SECONDS = 60.0  # at most, imports included, before the process is given up
LARGE_BASE_LOADING_SECONDS = 900.0


class Calibrator:
    """Measures trials in a process of its own.

    `start` may come long before `measure`: imports take several seconds, in which trials can be
    composed. Use it as a context; what still runs at its end is killed.
    """

    def __init__(self) -> None:
        self.failure: str | None = None  # why the last job told less than it was asked for
        self._process: subprocess.Popen[str] | None = None
        self._errors: IO[bytes] | None = None
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Calibrator:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start the process, unless it runs."""
        if self._process is not None:
            return
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._process = subprocess.Popen(
            [sys.executable, "-m", MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            # A plan downloads nothing.
            env={**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": _python_path()},
            start_new_session=True,  # Ctrl-C is for the plan, which then ends it
        )

    def measure(
        self,
        store: Store,
        trials: Sequence[TrialRequest],
        *,
        finish: bool,
        seconds: float,
        patience: float = LOADING_SECONDS,
    ) -> Iterator[dict[str, Any]]:
        """Measurements as they come, for at most about `seconds` after the base is loaded.

        finish: for the first trial, also what it takes beside its steps. patience: seconds that
        loading may take. Raises StoreError where the results folder cannot be written to.
        """
        self.failure = None
        with _scratch(store) as folder:
            self.start()
            assert self._process is not None and self._process.stdin is not None
            job = {
                "folder": str(folder),
                "seconds": seconds,
                "finish": finish,
                "trials": [
                    {"settings": to_plain(each.settings), "class": num_class_pictures(each)}
                    for each in trials
                ],
            }
            try:
                self._process.stdin.write(json.dumps(job) + "\n")
                self._process.stdin.close()
                yield from self._lines(seconds + patience)
            except OSError:
                self.failure = self._last_words()
            finally:
                self.close()

    def _lines(self, seconds: float) -> Iterator[dict[str, Any]]:
        process = self._process
        assert process is not None and process.stdout is not None
        lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=_forward, args=(process.stdout, lines), daemon=True)
        self._reader.start()
        end = time.monotonic() + seconds
        while True:
            try:
                line = lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                self.failure = f"it took longer than {seconds:.0f} s"
                return
            if line is None:
                if process.wait() != 0:
                    self.failure = self._last_words()
                return
            with contextlib.suppress(ValueError):
                yield json.loads(line)

    def _last_words(self) -> str:
        if self._errors is None:
            return "it did not start"
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it ended without a word"

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            if self._reader is not None:
                self._reader.join()  # it has come to the end of the output
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
        if self._errors is not None:
            self._errors.close()
            self._errors = None


def _forward(stream: IO[str], lines: queue.Queue[str | None]) -> None:
    with contextlib.suppress(ValueError, OSError):  # closed meanwhile
        for line in stream:
            lines.put(line)
    lines.put(None)


@contextlib.contextmanager
def _scratch(store: Store) -> Iterator[Path]:
    """A folder on the disk that results are written to: how fast it is, is measured too."""
    make_folder(store.cache)
    try:
        folder = Path(tempfile.mkdtemp(prefix=f"{TEMPORARY}calibrate-", dir=store.cache))
    except OSError as error:
        raise store_error(store.cache, "write to", error) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _python_path() -> str:
    """Where this process finds the package, the child finds it too."""
    import lora_sweep

    package = str(Path(lora_sweep.__file__).parent.parent)
    return os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
