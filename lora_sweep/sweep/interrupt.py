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

STOPPING = "\nstopping after this step and saving it; once more stops at once\n"


class Interrupt:
    """Whether somebody asked to stop, and whether that can wait for the end of a step."""

    def __init__(self) -> None:
        self.asked = False
        self._can_wait = False

    @contextmanager
    def after_the_step(self) -> Iterator[None]:
        """Inside, the first request only sets `asked`: whoever takes steps has to look at it."""
        self._can_wait = True
        try:
            yield
        finally:
            self._can_wait = False

    def handle(self, signum: int, frame: FrameType | None) -> None:
        """The signal handler."""
        if self.asked or not self._can_wait:
            raise KeyboardInterrupt
        self.asked = True
        # Not by print: the signal may have come in the middle of one.
        with contextlib.suppress(OSError, ValueError):
            os.write(sys.stderr.fileno(), STOPPING.encode())


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
