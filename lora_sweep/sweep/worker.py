"""A process that trains the units it is given: `python -m lora_sweep.sweep.worker`.

Lines of JSON come on standard input: {"unit": …, "blocking": …} and {"stop": reason}. Lines of JSON
go to standard output, one for each report; words for people go to standard error. When its input
ends, whoever gave it work is gone: it ends its step, saves it, and stops.
"""

from __future__ import annotations

import _thread
import contextlib
import io
import json
import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Sequence
from typing import IO, Any

from lora_sweep.quiet import quiet_libraries
from lora_sweep.results.lock import LockHeld
from lora_sweep.results.trial_record import TrialState
from lora_sweep.sweep.interrupt import Interrupt, interruptible
from lora_sweep.sweep.unit import line_of, unit_from_plain
from lora_sweep.sweep.watch import StepRow

INTERRUPTED_STATUS = 130
PARENT_GONE = "whoever gave the work is gone"


class Reports:
    """Writes reports as lines; a `Watch`. Nobody may be there to read them any more."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out

    def send(self, event: str, **values: Any) -> None:
        """Write one report."""
        with contextlib.suppress(OSError, ValueError):
            self._out.write(line_of({"event": event, **values}))
            self._out.flush()

    def entered(self, trials: Sequence[str], step: int, position: int) -> None:
        """See Watch."""
        self.send("entered", trials=list(trials), step=step, position=position)

    def stepped(self, rows: Sequence[StepRow], position: int) -> None:
        """See Watch."""
        self.send("stepped", rows=list(rows), position=position)

    def changed(self, trial: str, state: TrialState, step: int, reason: str | None) -> None:
        """See Watch."""
        self.send("changed", trial=trial, state=state.value, step=step, reason=reason)


def main() -> None:
    """Train what comes until the input ends."""
    reports = Reports(take_standard_output())
    sys.stderr = _deaf_to_closed_pipes(sys.stderr.fileno())
    quiet_libraries()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
    # With it SLURM announces the end of a job to all its processes; whoever gave the work decides.
    if hasattr(signal, "SIGUSR2"):  # Windows has none
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    with interruptible() as interrupt:
        interrupt.aloud = False  # whoever gave the work says it
        try:
            inbox = _Inbox(interrupt)
            inbox.start()
            _work(inbox, interrupt, reports)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED_STATUS)


def _work(inbox: _Inbox, interrupt: Interrupt, reports: Reports) -> None:
    from lora_sweep.sweep.trainer import Trainer  # imports torch: stopping has to be ready before

    trainer = Trainer(interrupt)
    reports.send("ready")
    while (order := inbox.get()) is not None:
        try:
            unit = unit_from_plain(order["unit"])
            faults = trainer.train(unit, reports, blocking=order["blocking"])
        except LockHeld:
            reports.send("held")
        else:
            reasons = {trial: str(error) for trial, error in faults.items()}
            reports.send("finished", faults=reasons)


class _Inbox(threading.Thread):
    """Reads orders beside the training, so that an order to stop is heard at once."""

    def __init__(self, interrupt: Interrupt) -> None:
        super().__init__(daemon=True)
        self._interrupt = interrupt
        self._orders: queue.Queue[dict[str, Any] | None] = queue.Queue()

    def get(self) -> dict[str, Any] | None:
        """The next order, waited for; None when there will be none."""
        return self._orders.get()

    def run(self) -> None:
        """Read until the input ends."""
        for line in sys.stdin:
            order = json.loads(line)
            if "stop" in order:
                self._stop(order["stop"])
            elif order.get("end"):
                self._orders.put(None)
                return
            else:
                self._orders.put(order)
        self._stop(PARENT_GONE)

    def _stop(self, reason: str) -> None:
        self._interrupt.signal_means = reason
        self._orders.put(None)
        _thread.interrupt_main(signal.SIGINT)


def take_standard_output() -> IO[str]:
    """Keep standard output for reports; what is printed goes to standard error from now on."""
    kept = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return os.fdopen(kept, "w", encoding="utf-8")


class _DeafPipe(io.RawIOBase):
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def write(self, data: Any) -> int:
        with contextlib.suppress(OSError):
            return os.write(self._descriptor, data)
        return len(data)


def _deaf_to_closed_pipes(descriptor: int) -> IO[str]:
    """A text stream whose words are lost when nobody reads, in place of an error."""
    raw: Any = _DeafPipe(descriptor)
    return io.TextIOWrapper(
        raw, encoding="utf-8", errors="replace", write_through=True, line_buffering=True
    )


if __name__ == "__main__":
    main()
