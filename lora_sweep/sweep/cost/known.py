"""What is known of the costs of trials on this machine, and measuring what is not. No torch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from lora_sweep.config.sweep import Calibrate
from lora_sweep.results.store import Store
from lora_sweep.sweep.cost.calibrator import Calibrator
from lora_sweep.sweep.cost.choose import Candidate, telling
from lora_sweep.sweep.cost.infer import Expected, StepCosts
from lora_sweep.sweep.cost.keys import (
    FinishKey,
    StepKey,
    finish_key,
    mean_rows_per_step,
    phases,
    step_key,
)
from lora_sweep.sweep.cost.learned import learned_costs
from lora_sweep.sweep.cost.machine import Machine, this_machine
from lora_sweep.sweep.cost.records import FinishCost, Records, StepCost, today
from lora_sweep.sweep.cost.shapes import base_shapes
from lora_sweep.sweep.request import TrialRequest

MEASURING_SECONDS = 4.0  # of all but the first trial
ASKED_FOR_SECONDS = 60.0  # with calibrate=always
LOADING_SECONDS = 60.0  # imports included, before the process is given up
LARGE_BASE_LOADING_SECONDS = 900.0
LARGE_BASE = 2**30  # bytes on disk: loading more is not done for a plan without being asked

Say = Callable[[str], None]


@dataclass
class Known:
    """Costs of one machine."""

    machine: Machine
    steps: StepCosts = field(default_factory=StepCosts)
    finishes: dict[FinishKey, FinishCost] = field(default_factory=dict)

    def step(self, request: TrialRequest, text_trains: bool) -> Expected | None:
        """What one of a request's steps takes."""
        return self.steps.expect(step_key(request, text_trains), mean_rows_per_step(request))

    def finish(self, request: TrialRequest) -> FinishCost | None:
        """What a request takes beside its steps, by the measurement most like it; None where its
        base was not measured.
        """
        key = finish_key(request)
        same = [c for k, c in self.finishes.items() if (k.base, k.device) == (key.base, key.device)]
        return min(same, key=lambda cost: _unlike(cost.key, key), default=None)

    def memory(self, request: TrialRequest) -> float | None:
        """Bytes at the peak of the process that trains a request and measures it, as measured; None
        where measurements do not tell.
        """
        steps = [self.step(request, text_trains) for text_trains in phases(request)]
        found = [step.memory for step in steps if step is not None and step.memory is not None]
        if len(found) < len(steps):
            return None
        finish = self.finish(request)
        measures = finish.memory if finish is not None and finish.memory is not None else 0.0
        return max(*found, measures)

    def add(self, costs: Sequence[StepCost | FinishCost]) -> None:
        """Take measurements; of one key, the first that came is kept."""
        self.steps.add(cost for cost in costs if isinstance(cost, StepCost))
        for cost in costs:
            if isinstance(cost, FinishCost):
                self.finishes.setdefault(cost.key, cost)


def stored_costs(
    store: Store, requests: Sequence[TrialRequest], wanted: Collection[StepKey], say: Say
) -> Known:
    """What trials tell that were trained here, and after them what calibrations told."""
    known = Known(this_machine())
    learned, foreign = learned_costs(store, requests, wanted, known.machine)
    if foreign:
        trials = "1 trial was" if foreign == 1 else f"{foreign} trials were"
        say(f"{trials} trained elsewhere or with another torch, which tells nothing of time here")
    known.add(learned)
    known.add(Records(store, known.machine).read(say))
    return known


def measured_costs(
    store: Store,
    requests: Sequence[TrialRequest],
    candidates: Sequence[Candidate],
    calibrate: Calibrate,
    calibrator: Calibrator,
    say: Say,
    scratch: Path | None = None,
) -> Known:
    """Stored costs and, where they do not tell enough of the candidates, new calibrations.

    New ones are kept in the results folder, unless `scratch` names another place to write to, where
    nothing stays. `say` is told what happens. Raises StoreError where nothing can be written.
    """
    wanted = {key for each in candidates for key in each.keys}
    if calibrate is Calibrate.always:
        known = Known(this_machine())
    else:
        known = stored_costs(store, requests, wanted, say)
    if calibrate is Calibrate.never:
        return known
    todo = _todo(known, candidates, calibrate)
    records = None if scratch else Records(store, known.machine)
    if todo:
        kinds = len({key for each in todo for key in each.keys})
        say(f"calibrating: a few steps each of {kinds} kinds …")
        seconds = MEASURING_SECONDS if calibrate is Calibrate.auto else ASKED_FOR_SECONDS
        _measure(known, records, scratch or store.cache, todo, seconds, calibrator, say)
    if calibrate is Calibrate.always:  # what there was no time for
        known.add(Records(store, known.machine).read(say))
    return known


def needs_calibration(store: Store, calibrate: Calibrate) -> bool:
    """Whether a plan will measure for certain: then starting a Calibrator ahead saves time."""
    if calibrate is Calibrate.auto:
        return not any(Records(store, this_machine()).own.glob("*.json"))
    return calibrate is Calibrate.always


def _todo(known: Known, candidates: Sequence[Candidate], calibrate: Calibrate) -> list[Candidate]:
    """Whom to measure, the most telling first."""
    possible = [each for each in candidates if _can_be_measured(each.request, calibrate)]
    todo = telling(possible, known.steps.known())
    if calibrate is Calibrate.always:
        todo += sorted((c for c in possible if c not in todo), key=lambda c: -c.steps)
    lacking = [c for c in (*todo, *possible) if finish_key(c.request) not in known.finishes]
    if lacking:  # of the first trial, all but its steps is measured, too
        todo = [lacking[0], *(each for each in todo if each is not lacking[0])]
    return todo


def _can_be_measured(request: TrialRequest, calibrate: Calibrate) -> bool:
    base = base_shapes(request.settings.model)
    if base is None or base.bytes_on_disk is None:
        return False  # what is not here is not downloaded for a plan
    return base.bytes_on_disk <= LARGE_BASE or calibrate is Calibrate.always


def _measure(
    known: Known,
    records: Records | None,
    folder: Path,
    todo: Sequence[Candidate],
    seconds: float,
    calibrator: Calibrator,
    say: Say,
) -> None:
    bases = [base_shapes(each.request.settings.model) for each in todo]
    large = any(base is not None and (base.bytes_on_disk or 0) > LARGE_BASE for base in bases)
    lines = calibrator.measure(
        folder,
        [each.request for each in todo],
        finish=finish_key(todo[0].request) not in known.finishes,
        seconds=seconds,
        patience=LARGE_BASE_LOADING_SECONDS if large else LOADING_SECONDS,
    )
    for line in lines:
        candidate = todo[line["trial"]]
        if line["kind"] == "failed":
            say(f"could not be calibrated: {candidate.request.name}: {line['reason']}")
            continue
        cost = _cost(candidate, line)
        known.add([cost])
        if records is not None:
            records.write(cost)
    if calibrator.failure:
        say(f"calibration ended early: {calibrator.failure}")


def _cost(candidate: Candidate, line: dict[str, Any]) -> StepCost | FinishCost:
    if line["kind"] == "step":
        key = step_key(candidate.request, line["text"])
        rows = float(key.rows_per_step)  # batches that are measured are full
        return StepCost(key, rows, line["seconds"], line["memory"], today())
    told = [f.name for f in fields(FinishCost) if f.name not in ("key", "date")]
    values = {name: line[name] for name in told}
    return FinishCost(finish_key(candidate.request), **values, date=today())


def _unlike(one: FinishKey, other: FinishKey) -> tuple[Any, ...]:
    """Small where what one takes tells what the other takes."""
    names = [f.name for f in fields(FinishKey)]
    differing = sum(getattr(one, name) != getattr(other, name) for name in names)
    far = abs(one.resolution - other.resolution)
    return (one.embedder != other.embedder, far, differing, one.digest)
