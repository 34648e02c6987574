"""Measurements that nobody made, for what is done with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lora_sweep.sweep.cost.calibrator import Calibrator
from lora_sweep.sweep.request import TrialRequest

FINISH = dict.fromkeys(
    ("start", "encode", "embed", "build", "caption", "loss_row", "sample_step", "picture",
    "save", "export"), 0.5,
)  # fmt: skip


class Told(Calibrator):
    """A calibrator that measures nothing and tells what it is to tell."""

    def __init__(self, failing: Sequence[int] = (), failure: str | None = None) -> None:
        super().__init__()
        self.failing = failing
        self.words = failure
        self.folder = Path()
        self.asked: list[list[str]] = []  # optimizers of each job
        self.finishes: list[bool] = []
        self.seconds: list[float] = []

    def measure(
        self,
        folder: Path,
        trials: Sequence[TrialRequest],
        *,
        finish: bool,
        seconds: float,
        patience: float,
    ) -> Iterator[dict[str, Any]]:
        self.folder = folder
        self.asked.append([trial.settings.optimizer.name for trial in trials])
        self.finishes.append(finish)
        self.seconds.append(seconds)
        for index in range(len(trials)):
            if index in self.failing:
                yield {"kind": "failed", "trial": index, "reason": "no memory"}
                continue
            for text in (True, False):
                yield {"kind": "step", "trial": index, "text": text, "seconds": 0.1, "memory": 9}
            if finish and index == 0:
                yield {"kind": "finish", "trial": 0, "memory": 7, **FINISH}
        self.failure = self.words
