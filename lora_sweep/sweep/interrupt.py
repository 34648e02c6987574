"""Ctrl-C and SIGTERM: at once, or while steps are taken, after the step; a second one always at
once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = "stopping after this step and saving it; once more stops at once"
INTERRUPTED = "interrupted"


class Interrupt:
    """Whether somebody asked to stop, and whether that can wait for the end of a step."""

    def __init__(self) -> None:
        self.asked = False
        self.reason = INTERRUPTED
        self.signal_means = INTERRUPTED  # the reason that a signal stands for
        self.aloud = True  # False where something else on the terminal says it
        self._can_wait = False

    @property
    def by_user(self) -> bool:
        """Whether it was a signal, and not `stop`."""
        return self.reason == INTERRUPTED

    @contextmanager
    def after_the_step(self) -> Iterator[None]:
        """Inside, the first request only sets `asked`: whoever takes steps has to look at it."""
        self._can_wait = True
        try:
            yield
        finally:
            self._can_wait = False

    def stop(self, reason: str) -> None:
        """Ask to stop when the step in hand is done and saved; no signal is needed for it."""
        if not self.asked:
            self.asked, self.reason = True, reason

    def check(self) -> None:
        """Raise KeyboardInterrupt if somebody asked to stop; call it between pieces of work."""
        if self.asked:
            raise KeyboardInterrupt

    def handle(self, signum: int, frame: FrameType | None) -> None:
        """The signal handler."""
        self.reason = self.signal_means
        if self.asked or not self._can_wait:
            raise KeyboardInterrupt
        self.asked = True
        # Not by print: the signal may have come in the middle of one.
        if self.aloud:
            with contextlib.suppress(OSError, ValueError):
                os.write(sys.stderr.fileno(), f"\n{STOPPING}\n".encode())


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Inside, SIGINT and SIGTERM go to the Interrupt, which raises KeyboardInterrupt.

    In any thread but the main one, where Python allows no handlers, nothing changes.
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {signum: signal.signal(signum, interrupt.handle) for signum in signals}
    try:
        yield interrupt
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
