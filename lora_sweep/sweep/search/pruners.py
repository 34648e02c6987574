"""Optuna's pruners by name, the steps at which they judge, and judgements that a kill cannot
change.
"""

from __future__ import annotations

import math
from typing import Any, cast

from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    SuccessiveHalvingPruner,
)
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial

from lora_sweep.config.plain import show
from lora_sweep.config.study import Study as StudySettings
from lora_sweep.sweep.search.samplers import argument_problems, one_line

NONE, MEDIAN, HALVING, HYPERBAND = "none", "median", "successive_halving", "hyperband"
PRUNERS: dict[str, type[BasePruner]] = {
    NONE: NopPruner,
    MEDIAN: MedianPruner,
    HALVING: SuccessiveHalvingPruner,
    HYPERBAND: HyperbandPruner,
}
REDUCTION_FACTOR = 3
"""Of trials from one rung to the next, unless asked otherwise: Hyperband's own."""

QUARTERS = 4
"""Into so many parts the median pruner's rungs cut the longest trial."""

JUDGED = "judged:"
"""Begins the user attribute that keeps a judgement; its step follows."""


def pruner_problems(study: StudySettings, longest: int) -> list[str]:
    """Why no pruner can be built; `longest` is the number of steps of the longest trial."""
    method, shown = study.pruner, f"study.pruner={study.pruner.name}"
    if method.name not in PRUNERS:
        return [f"{shown}: there is no such pruner; known are {', '.join(PRUNERS)}"]
    if problems := argument_problems("pruner", method, PRUNERS[method.name]):
        return problems
    if method.name != NONE and len(study.objectives) > 1:
        return [
            f"{shown}: must be none in a study with {len(study.objectives)} objectives; Optuna "
            "prunes by one alone"
        ]
    if study.rungs is not None and len(study.objectives) > 1:
        return [f"study.rungs={show(study.rungs)}: must be null in a study with several objectives"]
    if late := [step for step in study.rungs or () if step >= longest]:
        return [
            f"study.rungs={show(late)}: must be below {longest}, the steps of the longest trial"
        ]
    if method.name != NONE and not rungs_of(study, longest):
        least = "study.rungs" if study.rungs is not None else "its min_resource"
        return [
            f"{shown}: judges at no step, since the longest trial has {longest}; {least} must be "
            "smaller"
        ]
    try:
        build_pruner(study, longest)
    except (TypeError, ValueError) as error:
        return [f"{shown}: {one_line(error)}"]
    return []


def rungs_of(study: StudySettings, longest: int) -> tuple[int, ...]:
    """The steps at which trials are judged, if they have so many."""
    if study.rungs is not None:
        return study.rungs
    match study.pruner.name:
        case "median":
            return tuple(
                sorted({math.ceil(longest * part / QUARTERS) for part in range(1, QUARTERS)})
            )
        case "successive_halving" | "hyperband":
            arguments = _halving_arguments(study, longest)
            step, factor = int(arguments["min_resource"]), int(arguments["reduction_factor"])
            steps: list[int] = []
            while step < longest and factor > 1:
                steps.append(step)
                step *= factor
            return tuple(steps)
        case _:
            return ()


def build_pruner(study: StudySettings, longest: int) -> BasePruner:
    """The pruner of a study; raises ValueError or TypeError for arguments that it refuses."""
    arguments = dict(study.pruner.arguments)
    if study.pruner.name in (HALVING, HYPERBAND):
        arguments = _halving_arguments(study, longest)
    if study.pruner.name == HYPERBAND:
        arguments.setdefault("max_resource", longest)
    return PRUNERS[study.pruner.name](**arguments)


def _halving_arguments(study: StudySettings, longest: int) -> dict[str, Any]:
    """One rung before the end of the longest trial, unless asked otherwise: judged much earlier,
    Prodigy's trials look poor whatever becomes of them, since its step size has yet to grow.
    """
    arguments = {"reduction_factor": REDUCTION_FACTOR, **study.pruner.arguments}
    factor = arguments["reduction_factor"]
    first = study.rungs[0] if study.rungs else math.ceil(longest / max(1, factor))
    return {"min_resource": first, **arguments}


def judge(study: Study, trial: FrozenTrial, step: int) -> bool:
    """Whether to prune a trial that has reported its value at a step.

    Optuna's successive halving notes in the storage that a rung is passed, and answers otherwise
    when it is asked again. A process may be killed in between: so what it would note is kept in one
    piece with its answer, and noted afterwards.
    """
    storage = study._storage  # pyright: ignore[reportPrivateUsage]
    key, trial_id = f"{JUDGED}{step}", trial._trial_id  # pyright: ignore[reportPrivateUsage]
    judgement: dict[str, Any] | None = trial.user_attrs.get(key)
    if judgement is None:
        aside = _NotesAside(storage)
        rehearsal = Study(study.study_name, cast(BaseStorage, aside), study.sampler, study.pruner)
        prune = bool(study.pruner.prune(rehearsal, trial))
        judgement = {"prune": prune, "notes": aside.notes}
        storage.set_trial_user_attr(trial_id, key, judgement)
    for name, value in judgement["notes"].items():
        if name not in trial.system_attrs:
            storage.set_trial_system_attr(trial_id, name, value)
    return judgement["prune"]


class _NotesAside:
    """A storage, save that what would be noted in a trial is laid aside."""

    def __init__(self, storage: BaseStorage) -> None:
        self._storage = storage
        self.notes: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Lay it aside."""
        self.notes[key] = value
