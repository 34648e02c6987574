"""A study in its storage: begun, or gone on with if it is the same; a place for each trial."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import optuna
from optuna.pruners import HyperbandPruner
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from lora_sweep.config.study import Choice, Dimension, Scalar
from lora_sweep.config.study import Study as StudySettings
from lora_sweep.errors import SettingsError
from lora_sweep.results.measures import MEASURES
from lora_sweep.sweep.search.pruners import build_pruner, rungs_of
from lora_sweep.sweep.search.samplers import GRID, build_sampler, grid_points, quiet
from lora_sweep.sweep.search.space import Point, Space

PURPOSE = "lora_sweep"
"""The user attribute of a study that says what it compares."""

FIXED = "fixed_params"
"""Where Optuna keeps the values that a waiting trial is to have."""

MOST_SHOWN = 6


@dataclass(frozen=True)
class StudyPlan:
    """Everything that is known of a study before its first trial."""

    name: str
    settings: StudySettings
    space: Space
    points: tuple[Point, ...]  # to begin with
    longest: int  # steps of the longest trial
    compared: Mapping[str, str]  # what all trials have in common, by setting

    @property
    def rungs(self) -> tuple[int, ...]:
        """The steps at which trials are judged."""
        return rungs_of(self.settings, self.longest)

    @property
    def total(self) -> int:
        """How many trials there will be: of a grid, no more than it has points."""
        if self.settings.sampler.name != GRID:
            return self.settings.trials
        points = grid_points(self.space, self.settings.seed, self.points)
        return min(self.settings.trials, len(self.points) + len(points))

    @property
    def directions(self) -> list[Literal["minimize", "maximize"]]:
        """Of each objective, in Optuna's words."""
        return [
            "minimize" if MEASURES[name].better == "lower" else "maximize"
            for name in self.settings.objectives
        ]

    def purpose(self) -> dict[str, Any]:
        """What must be the same for trials to be comparable."""
        return {
            "objectives": list(self.settings.objectives),
            "rungs": list(self.rungs),
            "space": self.space.to_plain(),
            "settings": dict(self.compared),
        }


def open_study(plan: StudyPlan, storage: BaseStorage) -> optuna.Study:
    """Begin a study, or go on with it; raises SettingsError where one of its name is another."""
    sampler = build_sampler(
        plan.settings.sampler,
        plan.space,
        plan.settings.seed,
        len(plan.settings.objectives),
        plan.points,
    )
    pruner = build_pruner(plan.settings, plan.longest)
    known = [each.study_name for each in storage.get_all_studies()]
    if plan.name in known:
        study = optuna.load_study(
            study_name=plan.name, storage=storage, sampler=sampler, pruner=pruner
        )
    else:
        study = optuna.create_study(
            study_name=plan.name,
            storage=storage,
            sampler=sampler,
            pruner=pruner,
            directions=plan.directions,
            load_if_exists=True,
        )
    if isinstance(pruner, HyperbandPruner):
        # Else it takes all trials for one bracket until it has been asked for the first time.
        pruner._try_initialization(study)  # pyright: ignore[reportPrivateUsage]
    _check_same(plan, study)
    _make_places(plan, study)
    return study


def take_place(study: optuna.Study, total: int) -> Trial | None:
    """The next trial that nobody has begun, or None; no two processes are given the same."""
    storage = study._storage  # pyright: ignore[reportPrivateUsage]
    for trial in study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        if trial.number >= total:
            break
        try:
            if storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING):  # pyright: ignore[reportPrivateUsage]
                return go_on(study, trial)
        except optuna.exceptions.UpdateFinishedTrialError:
            continue
    return None


def go_on(study: optuna.Study, trial: FrozenTrial) -> Trial:
    """The trial as one that can be reported to and told."""
    # What was read of it is of another trial's draw.
    study._thread_local.cached_all_trials = None  # pyright: ignore[reportPrivateUsage]
    return Trial(study, trial._trial_id)  # pyright: ignore[reportPrivateUsage]


def suggest(trial: Trial, space: Space) -> Point:
    """The trial's point; what the storage knows of it already stays as it is."""

    def ask(key: str, dimension: Dimension) -> Scalar:
        if isinstance(dimension, Choice):
            return trial.suggest_categorical(key, dimension.values)
        if dimension.whole:
            low, high, step = int(dimension.low), int(dimension.high), int(dimension.step or 1)
            return trial.suggest_int(key, low, high, step=step, log=dimension.log)
        return trial.suggest_float(
            key, dimension.low, dimension.high, step=dimension.step, log=dimension.log
        )

    return space.point(ask)


def _make_places(plan: StudyPlan, study: optuna.Study) -> None:
    """A waiting trial for each that is to come, so that numbers and total are fixed for everybody;
    the points to begin with first.
    """
    for number in range(len(study.get_trials(deepcopy=False)), plan.total):
        study.enqueue_trial(plan.points[number] if number < len(plan.points) else {})
    trials = study.get_trials(deepcopy=False)
    known = [trial.system_attrs.get(FIXED) for trial in trials]
    waiting = [trial for trial in trials if trial.state is TrialState.WAITING]
    free = [trial for trial in waiting if not trial.system_attrs.get(FIXED)]
    storage = study._storage  # pyright: ignore[reportPrivateUsage]
    for point in plan.points:
        if point not in known and free:  # asked for since the study was begun
            storage.set_trial_system_attr(free.pop(0)._trial_id, FIXED, point)  # pyright: ignore[reportPrivateUsage]


def _check_same(plan: StudyPlan, study: optuna.Study) -> None:
    purpose = plan.purpose()
    text: str | None = study.user_attrs.get(PURPOSE)
    if text is None and study.get_trials(deepcopy=False):
        raise SettingsError(
            [f"study.name={plan.name}: the storage has a study of this name that lora_sweep did "
             "not make; give it another: study.name=…"]
        )  # fmt: skip
    if text is None:
        study.set_user_attr(PURPOSE, json.dumps(purpose))
        with quiet():
            study.set_metric_names(list(plan.settings.objectives))
        return
    differences = list(_differences(json.loads(text), purpose))
    if not differences:
        return
    more = f"; and {len(differences) - MOST_SHOWN} more" if len(differences) > MOST_SHOWN else ""
    raise SettingsError(
        [
            f"study.name={plan.name}: there is a study of this name that compares something else: "
            f"{'; '.join(differences[:MOST_SHOWN])}{more}. Give this one another name "
            "(study.name=…), or go on with that one by its own settings"
        ]
    )


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Sequence[str]:
    """What a study was begun with and what is asked for, where they differ."""
    found: list[str] = []
    for part in ("objectives", "rungs"):
        if before[part] != now[part]:
            found.append(f"study.{part} is {_shown(now[part])} and was {_shown(before[part])}")
    searched = {*before["space"], *now["space"]}
    for part in ("space", "settings"):
        for key in dict.fromkeys([*before[part], *now[part]]):
            if part == "settings" and key in searched:
                continue  # said already
            was, is_now = before[part].get(key), now[part].get(key)
            if was is None:
                found.append(f"{key} is {is_now} and was not in the {part}")
            elif is_now is None:
                found.append(f"{key} was {was} and is not in the {part} now")
            elif was != is_now:
                found.append(f"{key} is {is_now} and was {was}")
    return found


def _shown(values: Sequence[Any]) -> str:
    return "[" + ",".join(map(str, values)) + "]"
