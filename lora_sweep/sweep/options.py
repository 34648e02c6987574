"""How a sweep is run or planned, beside its trials; nothing here changes a result. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True)
class SweepOptions:
    """What the user asked for on the command line of a sweep."""

    workers: int | None = None  # processes; null: one per visible GPU, one without
    skip_invalid: bool = False  # leave impossible trials out in place of refusing the sweep
    max_failures: int | None = None  # stop when so many trials have failed; null: never


class Calibrate(Enum):
    """When a plan takes a few real steps, in a process of its own, to see what they cost."""

    auto = "auto"  # where no trial and no earlier calibration tells, and the base is small
    never = "never"
    always = "always"  # everything anew, and on a large base too, if it is on this machine
