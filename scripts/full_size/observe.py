"""A command of lora_sweep, with the seconds and the peak memory of its phases as lines of JSON.

python scripts/full_size/observe.py FILE OVERRIDE ...: the ordinary entry point in this process;
what it calls for each phase is watched from outside.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PHASES = {
    "load": ("lora_sweep.sweep.trainer", "load_base"),
    "encode": ("lora_sweep.sweep.trainer", "prepare"),
    "build": ("lora_sweep.sweep.live", "build_trial"),
    "step": ("lora_sweep.training.loop", "train_step"),
    "measure": ("lora_sweep.sweep.finish", "Finisher.evaluate"),
    "export": ("lora_sweep.sweep.finish", "Finisher.export"),
}
"""Where each phase is called from, and by what name."""


class Observer:
    """Writes a line when a phase ends."""

    def __init__(self, file: Path, began: float) -> None:
        self._file = file
        self._began = began  # of the process, by the clock on the wall

    def watch(self, phase: str, module: str, name: str) -> None:
        """Raises AttributeError where the phase is called by another name now."""
        owner: Any = importlib.import_module(module)
        *inside, last = name.split(".")
        for each in inside:
            owner = getattr(owner, each)
        setattr(owner, last, self._observed(phase, getattr(owner, last)))

    def _observed(self, phase: str, call: Callable[..., Any]) -> Callable[..., Any]:
        from lora_sweep.sweep.cost.timing import peak_memory, reset_peak

        def observed(*arguments: Any, **options: Any) -> Any:
            reset_peak()
            start = time.perf_counter()
            result = call(*arguments, **options)
            _wait()
            row = {
                "phase": phase,
                "seconds": time.perf_counter() - start,
                "peak": peak_memory(),
                "since_start": time.time() - self._began,
            }
            with self._file.open("a") as file:
                file.write(json.dumps(row) + "\n")
            return result

        return observed


def _wait() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def main() -> None:
    began = time.time()
    file, *overrides = sys.argv[1:]
    from lora_sweep.quiet import quiet_libraries

    quiet_libraries()
    observer = Observer(Path(file), began)
    for phase, (module, name) in PHASES.items():
        observer.watch(phase, module, name)
    from lora_sweep.__main__ import main as lora_sweep

    sys.argv = ["lora_sweep", *overrides]
    lora_sweep()


if __name__ == "__main__":
    main()
