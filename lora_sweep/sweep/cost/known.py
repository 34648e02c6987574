"""What is known of the costs of a sweep on this machine, and measuring what is not. No torch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from enum import Enum

from lora_sweep.results.store import Store
from lora_sweep.sweep.cost.calibrator import (
    LARGE_BASE_LOADING_SECONDS,
    LOADING_SECONDS,
    Calibrator,
)
from lora_sweep.sweep.cost.choose import Candidate, telling
from lora_sweep.sweep.cost.infer import StepCosts
from lora_sweep.sweep.cost.keys import FinishKey, StepKey, finish_key
from lora_sweep.sweep.cost.learned import learned_costs
from lora_sweep.sweep.cost.machine import Machine, this_machine
from lora_sweep.sweep.cost.records import (
    FinishCost,
    Records,
    StepCost,
    today,
)
from lora_sweep.sweep.cost.shapes import base_shapes
from lora_sweep.sweep.request import TrialRequest

MEASURING_SECONDS = 5.0
ASKED_FOR_SECONDS = 60.0  # with calibrate=always
LARGE_BASE = 2**30  # bytes on disk: loading more is not done for a plan without being asked

Say = Callable[[str], None]


class Calibrate(str, Enum):
    """When a plan may take steps to see what they cost."""

    auto = "auto"  # where neither trials nor earlier calibrations tell, and the base is small
    never = "never"
    always = "always"  # everything anew, also on a large base, as long as it needs no download


@dataclass
class Known:
    """Costs of one machine."""

    machine: Machine
    steps: StepCosts = field(default_factory=StepCosts)
    finishes: dict[FinishKey, FinishCost] = field(default_factory=dict)

    def finish(self, request: TrialRequest) -> FinishCost | None:
        """What a request takes beside its steps, by the measurement most like it; None where its
        base was not measured.
        """
        key = finish_key(request)
        if key in self.finishes:
            return self.finishes[key]
        same = [c for k, c in self.finishes.items() if (k.base, k.device) == (key.base, key.device)]
        return min(
            same, key=lambda c: (abs(c.key.resolution - key.resolution), c.key.digest), default=None
        )

    def add(self, costs: Sequence[StepCost | FinishCost]) -> None:
        """Take measurements; of one key, the first that came is kept."""
        self.steps.add(cost for cost in costs if isinstance(cost, StepCost))
        for cost in costs:
            if isinstance(cost, FinishCost):
                self.finishes.setdefault(cost.key, cost)


def known_costs(
    store: Store,
    requests: Sequence[TrialRequest],
    candidates: Sequence[Candidate],
    calibrate: Calibrate,
    calibrator: Calibrator,
    say: Say,
) -> Known:
    """Trained trials first, then stored calibrations, then new ones; `say` is told what happens.

    candidates: the trials of the sweep by what their steps cost. New calibrations are kept.
    """
    known = Known(this_machine())
    records = Records(store, known.machine)
    wanted = {key for each in candidates for key in each.keys}
    if calibrate is not Calibrate.always:
        learned, foreign = learned_costs(store, requests, wanted, known.machine)
        if foreign:
            say(f"{foreign} trained elsewhere or with another torch: not counted for time")
        known.add(learned)
        known.add(records.read(say))
    if calibrate is Calibrate.never:
        return known
    possible = [each for each in candidates if _can_be_measured(each.request, calibrate)]
    todo = telling(possible, known.steps.known())
    if calibrate is Calibrate.always:
        todo += sorted((c for c in possible if c not in todo), key=lambda c: -c.steps)
    lacking = [each for each in possible if known.finish(each.request) is None]
    if lacking and not todo:
        todo = lacking[:1]
    if todo:
        seconds = MEASURING_SECONDS if calibrate is Calibrate.auto else ASKED_FOR_SECONDS
        _measure(known, records, store, todo, bool(lacking), seconds, calibrator, say)
    if calibrate is Calibrate.always:
        known.add(records.read(say))
    return known


def _can_be_measured(request: TrialRequest, calibrate: Calibrate) -> bool:
    model = request.settings.model
    base = base_shapes(model)
    if base is None or base.bytes_on_disk is None:
        return False  # what is not here is not downloaded for a plan
    return base.bytes_on_disk <= LARGE_BASE or calibrate is Calibrate.always


def _measure(
    known: Known,
    records: Records,
    store: Store,
    todo: Sequence[Candidate],
    finish: bool,
    seconds: float,
    calibrator: Calibrator,
    say: Say,
) -> None:
    bases = [base_shapes(each.request.settings.model) for each in todo]
    large = any(base is not None and (base.bytes_on_disk or 0) > LARGE_BASE for base in bases)
    patience = LARGE_BASE_LOADING_SECONDS if large else LOADING_SECONDS
    say(f"calibrating: a few steps of {len(todo)} kinds …")
    told = calibrator.measure(
        store, [each.request for each in todo], finish=finish, seconds=seconds, patience=patience
    )
    date = today()
    for line in told:
        candidate = todo[line["trial"]]
        cost: StepCost | FinishCost
        if line["kind"] == "step":
            key = _key(candidate.keys, line["text"])
            if key is None:
                continue
            rows = float(key.rows_per_step)
            cost = StepCost(key, rows, line["seconds"], line["memory"], date)
        elif line["kind"] == "finish":
            values = {name: line[name] for name in _FINISH}
            cost = FinishCost(finish_key(candidate.request), **values, date=date)
        else:
            say(f"could not be calibrated: {candidate.request.name}: {line['reason']}")
            continue
        records.write(cost)
        known.add([cost])
    if calibrator.failure:
        say(f"calibration ended early: {calibrator.failure}")


_FINISH = tuple(name for name in FinishCost.__dataclass_fields__ if name not in ("key", "date"))


def _key(keys: Collection[StepKey], text_trains: bool) -> StepKey | None:
    return next((key for key in keys if (key.texts > 0) == text_trains), None)
