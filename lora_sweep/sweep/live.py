"""The one trial that is on the base while a family is trained, and the snapshots that it forks
from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from lora_sweep.errors import Diverged
from lora_sweep.model.base import Base
from lora_sweep.sweep.prepare import Prepared
from lora_sweep.sweep.request import TrialRequest
from lora_sweep.sweep.unit import Unit
from lora_sweep.training.ranks import ranks
from lora_sweep.training.trial import Trial, build_trial


@dataclass(frozen=True)
class Snapshot:
    """A state after some step; `meta` also holds the seconds that led to it."""

    tensors: dict[str, Tensor]
    meta: dict[str, Any]


@dataclass
class Live:
    """The trial on the base, and the seconds of training up to its step."""

    base: Base
    prepared: Prepared
    trial: Trial | None = None
    seconds: float = 0.0
    seconds_shared: float = 0.0  # of them, in segments that several trials pass
    root: Path = Path()  # the results folder
    snapshots: dict[int, Snapshot] = field(default_factory=dict)  # by segment, at its end

    def build(self, request: TrialRequest, snapshot: Snapshot | None = None) -> Trial:
        """Put a new trial on the base, at step 0 or at a snapshot."""
        self.leave()
        self.trial = build_trial(
            self.base,
            request.settings,
            self.prepared.items,
            self.prepared.class_items,
            request.max_train_steps,
            self.prepared.text_identity,
        )
        self.seconds = self.seconds_shared = 0.0
        if snapshot is not None:
            self.trial.restore(snapshot.tensors, snapshot.meta)
            self.seconds = float(snapshot.meta["seconds"])
            self.seconds_shared = float(snapshot.meta["seconds_shared"])
        if ranks().leads:
            unit = Unit((request,), 0, self.root.absolute())
            message = {"do": "build", "unit": unit.to_plain(), "meta": snapshot and snapshot.meta}
            ranks().tell(message, snapshot.tensors if snapshot else {})
        return self.trial

    def snapshot(self, stage: str) -> Snapshot:
        """The live state, with the key of the stage that its last step belongs to.

        Raises Diverged where a weight is not finite: loss and gradient may have been, in the very
        step that made the weights run away.
        """
        assert self.trial is not None
        for group in self.trial.groups.values():
            largest = float(group.vector.detach().abs().max())
            if not math.isfinite(largest):
                raise Diverged(self.trial.step, f"largest {group.name} weight", largest)
        tensors, meta = self.trial.snapshot()
        times = {"seconds": self.seconds, "seconds_shared": self.seconds_shared}
        return Snapshot(tensors, {**meta, **times, "stage": stage})

    def leave(self) -> None:
        """Take the trial off the base."""
        if self.trial is not None:
            self.trial.close()
            self.trial = None
