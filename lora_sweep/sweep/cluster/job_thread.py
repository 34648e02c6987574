"""A job in a thread of its own, so that whatever interrupts its process can wait for a step's end.
No torch.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lora_sweep.sweep.cluster.node import Release, run_job
from lora_sweep.sweep.interrupt import Interrupt

SAVING_SECONDS = 3600.0  # at most; whoever wants the process gone kills it sooner
POLL_SECONDS = 0.5  # some interrupts are seen only between two waits


class JobThread:
    """Runs one job."""

    def __init__(
        self, path: Path, about: Mapping[str, Any], release: Release | None = None
    ) -> None:
        self._interrupt = Interrupt()
        self._error: BaseException | None = None
        self._is_over = False

        def work() -> None:
            try:
                self._is_over = run_job(path, self._interrupt, about, release)
            except BaseException as error:
                self._error = error

        self._thread = threading.Thread(target=work)

    def run(self) -> bool:
        """Whether the job is over at its end; raises what the job raises."""
        self._thread.start()
        while self._thread.is_alive():
            self._thread.join(POLL_SECONDS)
        if self._error is not None:
            raise self._error
        return self._is_over

    def stop(self, reason: str) -> None:
        """Let the steps in hand end and save them; returns when that is done."""
        self._interrupt.stop(reason)
        if self._thread.is_alive():
            self._thread.join(SAVING_SECONDS)
