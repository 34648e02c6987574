"""What whoever trains a family reports of it while it goes on. No torch.

The state of record is on disk; reports are for those who look on, and may be lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from lora_sweep.results.trial_record import TrialState

StepRow = tuple[int, float, float | None]
"""Step, loss, highest effective learning rate."""


class Watch(Protocol):
    """Takes reports. `position` is the steps of the family that lie behind, of all its trials."""

    def entered(self, trials: Sequence[str], step: int, position: int) -> None:
        """From here on these trials are trained together, up to `stepped` or the next `entered`."""
        ...

    def stepped(self, rows: Sequence[StepRow], position: int) -> None:
        """Some steps more of the trials that were entered."""
        ...

    def changed(self, trial: str, state: TrialState, step: int, reason: str | None) -> None:
        """A trial's record says so now."""
        ...


def step_row(row: Mapping[str, Any]) -> StepRow:
    """What is reported of a row of metrics.jsonl; rates are named lr/unet, lr/text, …"""
    rates = [value for name, value in row.items() if name.startswith("lr") and value is not None]
    return int(row["step"]), float(row["loss"]), max(rates, default=None)
