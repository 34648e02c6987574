"""What the segments of families are expected to take. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lora_sweep.results.store import Store
from lora_sweep.sweep.cost.calibrator import Calibrator
from lora_sweep.sweep.cost.estimate import Estimator, candidates_of, trial_seconds
from lora_sweep.sweep.cost.keys import mean_rows_per_step
from lora_sweep.sweep.cost.known import Calibrate, known_costs
from lora_sweep.sweep.request import TrialRequest
from lora_sweep.sweep.tree import Family


@dataclass(frozen=True)
class Work:
    """Work of each segment of each family."""

    segments: tuple[tuple[float, ...], ...]
    in_seconds: bool  # else in rows: pictures that pass forward and backward


def expected_work(
    families: Sequence[Family], requests: Mapping[str, TrialRequest], store: Store
) -> Work:
    """Seconds by what trials and calibrations of this machine tell, where they tell of all kinds of
    steps; else rows. Nothing is measured for it.
    """
    candidates = candidates_of(families, requests)
    with Calibrator() as unused:
        known = known_costs(
            store, list(requests.values()), candidates, Calibrate.never, unused, lambda line: None
        )
    estimator = Estimator(known)
    found = [_seconds(family, requests, estimator) for family in families]
    seconds = [each for each in found if each is not None]
    if len(seconds) == len(found):
        return Work(tuple(seconds), in_seconds=True)
    return Work(tuple(_rows(family, requests) for family in families), in_seconds=False)


def _seconds(
    family: Family, requests: Mapping[str, TrialRequest], estimator: Estimator
) -> tuple[float, ...] | None:
    request = requests[family.trials[0]]
    found: list[float] = []
    for segment in family.segments:
        pace = estimator.step(request, segment.text_trains)
        if pace is None:
            return None
        found.append(len(segment.steps) * pace.seconds)
    finish = estimator.known.finish(request)
    if finish is not None:
        for index, segment in enumerate(family.segments):
            ending = (requests[family.trials[position]] for position in segment.ends)
            found[index] += sum(trial_seconds(each, finish) for each in ending)
    return tuple(found)


def _rows(family: Family, requests: Mapping[str, TrialRequest]) -> tuple[float, ...]:
    rows = mean_rows_per_step(requests[family.trials[0]])
    return tuple(len(segment.steps) * rows for segment in family.segments)
