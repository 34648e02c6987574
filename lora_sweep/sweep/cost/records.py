"""Measurements on disk: one small file each in the results folder's cache, by machine. No torch.

<root>/cache/calibration/<machine>/<key>.json
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from lora_sweep.files import atomic_write
from lora_sweep.results.store import Store
from lora_sweep.sweep.cost.keys import FinishKey, StepKey
from lora_sweep.sweep.cost.machine import Machine

FORMAT = 1

CALIBRATION, TRIALS = "calibration", "trials"
"""Where a measurement comes from: a few steps for the plan's sake, or trials that were trained."""


@dataclass(frozen=True)
class StepCost:
    """What one optimizer step takes; `rows` are those of the steps that were timed, on average."""

    key: StepKey
    rows: float
    seconds: float
    memory: int | None  # bytes at the peak of its process, the base included
    date: str
    source: str = CALIBRATION


@dataclass(frozen=True)
class FinishCost:
    """What a trial takes beside its steps, in seconds, and its peak memory in bytes."""

    key: FinishKey
    start: float  # a process: imports, loading the base
    encode: float  # one picture, into latents
    embed: float  # one picture, for the measures that compare pictures
    build: float  # putting a trial on the base
    caption: float  # encoding one for good
    loss_row: float  # of val_loss and fit_loss: one picture at one timestep
    sample_step: float  # one picture, one step of the sampler
    picture: float  # what else a validation picture takes
    save: float  # one checkpoint
    export: float
    memory: int | None
    date: str


Cost = StepCost | FinishCost
_KINDS: dict[str, tuple[type[Any], type[Any]]] = {
    "step": (StepCost, StepKey),
    "finish": (FinishCost, FinishKey),
}


def today() -> str:
    """The date as measurements tell it."""
    return time.strftime("%Y-%m-%d")


class Records:
    """The calibrations of one machine in one results folder."""

    def __init__(self, store: Store, machine: Machine) -> None:
        self.folder = store.cache / "calibration"
        self.machine = machine

    @property
    def own(self) -> Path:
        """Where this machine's are."""
        return self.folder / self.machine.digest

    def write(self, cost: Cost) -> Path:
        """Keep a measurement; raises StoreError."""
        kind = "step" if isinstance(cost, StepCost) else "finish"
        content = {
            "format": FORMAT,
            "kind": kind,
            "machine": asdict(self.machine),
            "cost": asdict(cost),
        }
        content["sha256"] = _checksum(content)
        path = self.own / f"{cost.key.digest}.json"
        atomic_write(path, json.dumps(content, indent=2, allow_nan=False) + "\n")
        return path

    def read(self, say: Callable[[str], None]) -> list[Cost]:
        """All that can be used; `say` is told of each file that cannot, and of other machines."""
        found: list[Cost] = []
        for path in sorted(self.own.glob("*.json")):
            try:
                found.append(self._read(path))
            except _Unusable as reason:
                say(f"{path} is ignored: {reason}")
        return found

    def _read(self, path: Path) -> Cost:
        try:
            content = json.loads(path.read_bytes())
            version = content["format"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _Unusable(f"it is damaged ({type(error).__name__}: {error})") from error
        if version != FORMAT:
            raise _Unusable(f"it has format {version!r}, this lora_sweep reads {FORMAT}")
        try:
            if content.pop("sha256") != _checksum(content):
                raise _Unusable("it is damaged (its SHA-256 differs)")
            if content["machine"] != _plain(asdict(self.machine)):
                raise _Unusable(f"it is of another machine ({content['machine']['cpu']})")
            cost = _cost(content)
        except (ValueError, KeyError, TypeError) as error:
            raise _Unusable(f"it is damaged ({type(error).__name__}: {error})") from error
        if path.stem != cost.key.digest:
            raise _Unusable("it holds another key")
        return cost


class _Unusable(Exception):
    """A file that is there but tells nothing."""


def _cost(content: dict[str, Any]) -> Cost:
    cls, key = _KINDS[content["kind"]]
    values = dict(content["cost"])
    values["key"] = key(**values["key"])
    numbers = [f.name for f in fields(cls) if f.type == "float"]
    if not all(isinstance(values[name], (int, float)) and values[name] >= 0 for name in numbers):
        raise ValueError("a time is not a number")
    return cls(**values)


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
