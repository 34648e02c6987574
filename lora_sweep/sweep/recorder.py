"""The rows of training steps: gathered on the device, written together, shown."""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Sequence
from typing import Any

import torch

from lora_sweep.errors import Diverged
from lora_sweep.sweep.trial_log import TrialLog
from lora_sweep.sweep.watch import StepRow, Watch, step_row
from lora_sweep.training.step import StepResult


class Recorder:
    """Writes one row per step into the logs of all trials that take it.

    Rows are gathered and written in groups, so that a GPU is waited for once a group, not once a
    step.
    """

    def __init__(
        self,
        logs: Sequence[TrialLog],
        watch: Watch,
        log_every: int,
        seconds: float,
        *,
        overflow_is_skipped: bool = False,
        offset: int = 0,
    ) -> None:
        self.logs = logs
        self.watch = watch
        self.log_every = log_every
        self._overflow_is_skipped = overflow_is_skipped  # fp16: an infinite norm costs one step
        self._offset = offset  # from a trial's step to the position in its family
        self._waiting: list[StepResult] = []
        self._before = seconds  # of training before these steps
        self._began = time.monotonic()
        self._flushed = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds of training, earlier processes included."""
        return self._before + time.monotonic() - self._began

    def add(self, result: StepResult) -> None:
        """Take one step's result; raises Diverged when a group is written that has a bad loss."""
        self._waiting.append(result)
        if len(self._waiting) >= self.log_every:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting; rows up to the first bad loss are kept, then Diverged comes."""
        if not self._waiting:
            return
        results, self._waiting = self._waiting, []
        rows = _to_rows(results)
        pace = len(results) / max(1e-9, time.monotonic() - self._flushed)
        self._flushed = time.monotonic()
        rows[-1] |= {
            "steps_per_second": round(pace, 3),
            "memory_gib": round(peak_memory_gib(), 3),
        }
        seconds = round(self.seconds, 3)
        written: list[StepRow] = []
        try:
            for row in rows:
                for log in self.logs:
                    log.emit({**row, "seconds": seconds})
                written.append(step_row(row))
                self._check_finite(row)
        finally:
            if written:
                self.watch.stepped(written, self._offset + written[-1][0])

    def _check_finite(self, row: dict[str, Any]) -> None:
        if not math.isfinite(row["loss"]):
            raise Diverged(row["step"], "loss", row["loss"])
        # Weights that an infinite gradient has moved must not reach a checkpoint.
        if not math.isfinite(row["grad_norm"]) and not self._overflow_is_skipped:
            raise Diverged(row["step"], "gradient norm", row["grad_norm"])


def _to_rows(results: list[StepResult]) -> list[dict[str, Any]]:
    """Loss, gradient norm and rates of each result, with one transfer from the device."""
    device = results[0].loss.device
    named = [
        {
            "loss": result.loss,
            "grad_norm": result.grad_norm,
            **{f"lr/{group}": rate for group, rate in result.lr.items()},
        }
        for result in results
    ]
    flat = [value for row in named for value in row.values()]
    tensors = [torch.as_tensor(value, dtype=torch.float64, device=device) for value in flat]
    numbers = iter(torch.stack(tensors).tolist())
    return [
        {"step": result.step, **{name: next(numbers) for name in row}}
        for result, row in zip(results, named, strict=True)
    ]


def peak_memory_gib() -> float:
    """Peak memory of this process in GiB: of the GPU where there is one, else resident."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated() / 2**30
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**30 if sys.platform == "darwin" else peak / 2**20
