"""What the segments of families are expected to take. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lora_sweep.results.store import Store
from lora_sweep.sweep.cost.choose import candidates_of
from lora_sweep.sweep.cost.estimate import Estimator
from lora_sweep.sweep.cost.keys import mean_rows_per_step
from lora_sweep.sweep.cost.known import stored_costs
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
    wanted = {key for each in candidates_of(families, requests) for key in each.keys}
    known = stored_costs(store, list(requests.values()), wanted, say=lambda line: None)
    estimator = Estimator(known, requests)
    found = [_seconds(family, requests, estimator) for family in families]
    seconds = [each for each in found if each is not None]
    if len(seconds) == len(found):
        return Work(tuple(seconds), in_seconds=True)
    return Work(tuple(rows_of(family, requests) for family in families), in_seconds=False)


def rows_of(family: Family, requests: Mapping[str, TrialRequest]) -> tuple[float, ...]:
    """Rows of each segment."""
    rows = mean_rows_per_step(requests[family.trials[0]])
    return tuple(len(segment.steps) * rows for segment in family.segments)


def _seconds(
    family: Family, requests: Mapping[str, TrialRequest], estimator: Estimator
) -> tuple[float, ...] | None:
    """Steps, and what comes at the end of each trial; None where nothing is known of the steps."""
    unit = estimator.unit(requests[family.trials[0]])
    found: list[float] = []
    for segment in family.segments:
        pace = unit.steps[segment.text_trains]
        if pace is None:
            return None
        ends = (estimator.unit(requests[family.trials[position]]) for position in segment.ends)
        files = (e.evaluation + e.finish.save + e.finish.export for e in ends if e.finish)
        found.append(len(segment.steps) * pace.seconds + sum(files))
    return tuple(found)
