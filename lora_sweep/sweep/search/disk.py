"""What the results folder says of a trial of a study: the truth that is told to Optuna."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping, Sequence

from lora_sweep.errors import LoraSweepError
from lora_sweep.results.lock import LockHeld
from lora_sweep.results.metrics import read_metrics
from lora_sweep.results.store import Store, TrialFolder
from lora_sweep.results.trial_record import TrialRecord, TrialState
from lora_sweep.sweep.checkpoints import CheckpointIndex
from lora_sweep.sweep.lookup import asks_for_other_measures
from lora_sweep.sweep.request import TrialRequest
from lora_sweep.sweep.stages import spec_of, stages
from lora_sweep.sweep.tree import build_tree
from lora_sweep.sweep.trial_log import is_measured

Scores = Mapping[str, float | None]


def measured_at(
    folder: TrialFolder, request: TrialRequest, steps: Sequence[int]
) -> dict[int, Scores]:
    """The measures that metrics.jsonl has at some steps, taken as the trial's settings ask."""
    if not steps or asks_for_other_measures(folder, request.settings.evaluate):
        return {}
    rows = [row for row in read_metrics(folder.metrics) if is_measured(row)]
    return {row["step"]: row for row in rows if row["step"] in steps}


def values_of(scores: Scores, objectives: Sequence[str]) -> list[float] | str:
    """The objectives' values, or why there are none."""
    values: list[float] = []
    for name in objectives:
        value = scores.get(name)
        if value is None or not math.isfinite(value):
            return f"{name} is {'not a number' if name in scores else 'missing'}"
        values.append(float(value))
    return values


def note_pruned(folder: TrialFolder, request: TrialRequest, scores: Scores) -> bool:
    """Write that a trial was pruned, with its last measures; False where another process has it.

    Its checkpoint and all files stay: whoever asks for the trial goes on from there.
    """
    with contextlib.suppress(LockHeld), folder.create().lock(blocking=False):
        record = folder.read_record() or TrialRecord(request.id, name=request.name)
        if record.state is TrialState.done:
            return False
        kept = {name: value for name, value in scores.items() if name != "step"}
        folder.write_record(
            record.with_(state=TrialState.pruned, error=None, scores=kept, name=request.name)
        )
        return True
    return False


def steps_behind(request: TrialRequest, folders: Iterable[TrialFolder]) -> int:
    """How far the trial is trained already, by itself or by another that shares its stages."""
    (family,) = build_tree([spec_of(request)]).families
    index = CheckpointIndex(folders)
    found = (index.latest(segment) for segment in family.segments)
    return max((checkpoint.step for checkpoint in found if checkpoint is not None), default=0)


def first_stage(request: TrialRequest) -> str:
    """The key of the stage that a trial begins with; trials that share it share a prefix."""
    return stages(spec_of(request))[0].key


def read_record(store: Store, trial: str) -> TrialRecord | None:
    """The trial's record, None where it has none or none that can be read."""
    with contextlib.suppress(LoraSweepError):
        return store.trial(trial).read_record()
    return None
