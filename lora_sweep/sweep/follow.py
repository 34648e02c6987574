"""A process that trains with another one: it does each step that process 0 tells it, and leaves
nothing but what it adds to the cache.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator

from lora_sweep.quiet import quiet_libraries
from lora_sweep.results.store import Store
from lora_sweep.sweep.interrupt import Interrupt
from lora_sweep.sweep.live import Live, Snapshot
from lora_sweep.sweep.trainer import Trainer
from lora_sweep.sweep.unit import unit_from_plain
from lora_sweep.training.loop import train
from lora_sweep.training.ranks import ranks
from lora_sweep.training.step import StepResult


def follow() -> None:
    """Follow process 0 until it ends."""
    quiet_libraries()
    # Ctrl-C reaches all processes of a terminal: process 0 ends the step, saves it, and tells.
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.SIG_IGN)
    trainer = Trainer(Interrupt())
    live: Live | None = None
    steps: Iterator[StepResult] = iter(())
    while True:
        message, tensors = ranks().hear()
        match message["do"]:
            case "build":
                if live is not None:
                    live.leave()
                unit, meta = unit_from_plain(message["unit"]), message["meta"]
                live = trainer.live(unit.requests[0], Store(unit.root))
                trial = live.build(unit.requests[0], meta and Snapshot(tensors, meta))
                steps = train(trial, sys.maxsize)
            case "step":
                assert live is not None and live.trial is not None
                live.trial.pivot_step = message["pivot"]
                next(steps)
            case "end":
                return
            case _:
                raise AssertionError(message)
