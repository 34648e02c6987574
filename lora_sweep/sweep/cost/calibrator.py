"""The process that measures, from the side that imports no torch."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import lora_sweep
from lora_sweep.config import to_plain
from lora_sweep.files import TEMPORARY, make_folder, store_error
from lora_sweep.sweep.cost.keys import num_class_pictures
from lora_sweep.sweep.request import TrialRequest

MODULE = "lora_sweep.sweep.cost.calibrate"


class Calibrator:
    """Measures trials in a process of its own.

    `start` may come long before `measure`: imports take several seconds, in which trials can be
    composed. Use it as a context; what still runs at its end is killed.
    """

    def __init__(self) -> None:
        self.failure: str | None = None  # why the last job told less than it was asked for
        self._process: subprocess.Popen[str] | None = None
        self._words: IO[bytes] | None = None  # its standard error

    def __enter__(self) -> Calibrator:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> subprocess.Popen[str]:
        """The process, which is started unless it runs."""
        if self._process is None:
            self._words = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
            self._process = subprocess.Popen(
                [sys.executable, "-m", MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._words,
                text=True,
                env=_environment(),
                start_new_session=True,  # Ctrl-C is for the plan, which then ends it
            )
        return self._process

    def measure(
        self,
        folder: Path,
        trials: Sequence[TrialRequest],
        *,
        finish: bool,
        seconds: float,
        patience: float,
    ) -> Iterator[dict[str, Any]]:
        """Measurements as they come, for at most about `seconds` after the base is loaded.

        folder: where to write, on the disk that results are written to, since how fast that is is
        measured too; nothing stays there. finish: for the first trial, also what it takes beside
        its steps. patience: seconds that imports and loading may take. Raises StoreError where
        nothing can be written.
        """
        with _scratch(folder) as scratch:
            job = {
                "folder": str(scratch),
                "seconds": seconds,
                "finish": finish,
                "trials": [
                    {"settings": to_plain(each.settings), "class": num_class_pictures(each)}
                    for each in trials
                ],
            }
            try:
                yield from self._lines(job, seconds + patience)
            finally:
                self.close()

    def _lines(self, job: dict[str, Any], seconds: float) -> Iterator[dict[str, Any]]:
        self.failure = None
        process, late = self.start(), threading.Event()
        assert process.stdin is not None and process.stdout is not None

        def give_up() -> None:
            late.set()
            process.kill()

        alarm = threading.Timer(seconds, give_up)
        alarm.start()
        try:
            with contextlib.suppress(OSError):  # a dead process reads nothing; its words say why
                process.stdin.write(json.dumps(job) + "\n")
                process.stdin.close()
            for line in process.stdout:
                yield json.loads(line)
        finally:
            alarm.cancel()
        if process.wait() != 0:
            took = f"it took longer than {seconds:.0f} s"
            self.failure = took if late.is_set() else self._last_words()

    def _last_words(self) -> str:
        assert self._words is not None
        self._words.seek(0)
        lines = self._words.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it ended without a word"

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            with contextlib.suppress(OSError):  # what it was not sent is lost
                self._process.__exit__(None, None, None)
            self._process = None
        if self._words is not None:
            self._words.close()
            self._words = None


@contextlib.contextmanager
def _scratch(parent: Path) -> Iterator[Path]:
    make_folder(parent)
    try:
        folder = Path(tempfile.mkdtemp(prefix=f"{TEMPORARY}calibrate-", dir=parent))
    except OSError as error:
        raise store_error(parent, "write to", error) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _environment() -> dict[str, str]:
    """Imported from where this process was; and a plan downloads nothing."""
    source = str(Path(lora_sweep.__file__).parent.parent)
    path = os.pathsep.join([source, *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": path}
