"""Samplers by name: every draw a function of (seed, trial number, finished trials)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import optuna
import pytest
from made_studies import RATES, SPACE, choice
from optuna.trial import TrialState

from lora_sweep.config.study import Method, Number, parse_condition
from lora_sweep.config.study import Study as StudySettings
from lora_sweep.sweep.search.samplers import build_sampler, grid_points, sampler_problems
from lora_sweep.sweep.search.space import Part, Point, Space
from lora_sweep.sweep.search.study import suggest, take_place

NUMBERS = Space(
    (Part({"a": RATES, "b": Number(1, 64, 1, log=True, whole=True), "c": Number(0, 1, 0.25)}),)
)
METHODS = {
    "tpe": Method("tpe", {"n_startup_trials": 3}),
    "gp": Method("gp", {"n_startup_trials": 3}),
    "cmaes": Method("cmaes", {"n_startup_trials": 2}),
    "nsgaii": Method("nsgaii", {"population_size": 3}),
    "qmc": Method("qmc"),
    "random": Method("random"),
}
GRID = Space((Part({"rank": choice(2, 4, 8), "c": Number(0, 1, 0.25)}),))
HUGE = Space((Part({name: Number(1, 100, 1, whole=True) for name in "abcdefgh"}),))


def value_of(point: Point) -> float:
    return sum(float(value) for value in point.values() if isinstance(value, int | float))


def drawn(
    method: Method, space: Space, trials: int, *, seed: int = 0, restarts: bool = False
) -> list[Point]:
    """The points of a study; with restarts, each trial is asked for by a new process, after one
    that was killed when it had drawn the first parameter.
    """
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(study_name="s", storage=storage)
    for _ in range(trials):
        study.enqueue_trial({})
    points: list[Point] = []
    sampler = build_sampler(method, space, seed, 1, ())
    for _ in range(trials):
        if restarts:
            sampler = build_sampler(method, space, seed, 1, ())
        study = optuna.load_study(study_name="s", storage=storage, sampler=sampler)
        trial = take_place(study, trials)
        assert trial is not None
        if restarts:
            _die_after_one(trial, space)
            sampler = build_sampler(method, space, seed, 1, ())
            study = optuna.load_study(study_name="s", storage=storage, sampler=sampler)
            trial = optuna.trial.Trial(study, trial._trial_id)
        point = suggest(trial, space)
        points.append(point)
        study.tell(trial, value_of(point))
    return points


def _die_after_one(trial: optuna.trial.Trial, space: Space) -> None:
    class Killed(Exception):
        pass

    class Dying:
        def __init__(self) -> None:
            self.left = 1

        def __getattr__(self, name: str) -> Any:
            def suggest_one(*args: Any, **kwargs: Any) -> Any:
                if not self.left:
                    raise Killed
                self.left -= 1
                return getattr(trial, name)(*args, **kwargs)

            return suggest_one

    with pytest.raises(Killed):
        suggest(Dying(), space)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", METHODS)
def test_a_process_killed_between_draws_changes_none(name: str) -> None:
    space = NUMBERS if name == "cmaes" else SPACE
    if name != "cmaes":
        space = Space((*SPACE.parts, Part({"seed": choice(0, 1, 2, 3)})))
    whole = drawn(METHODS[name], space, 10)
    assert drawn(METHODS[name], space, 10, restarts=True) == whole
    assert drawn(METHODS[name], space, 10) == whole
    if name != "qmc":
        assert drawn(METHODS[name], space, 10, seed=1) != whole


def test_the_sequence_of_qmc_covers_a_space_evenly() -> None:
    space = Space((Part({"x": Number(0, 1)}),))
    values = sorted(float(point["x"]) for point in drawn(Method("qmc"), space, 17)[1:])  # type: ignore[arg-type]
    assert max(b - a for a, b in pairwise(values)) < 0.2


def test_tpe_draws_keys_of_a_condition_together() -> None:
    sampler: Any = build_sampler(Method("tpe"), SPACE, 0, 1, ())
    assert sampler._arguments == {"group": True, "multivariate": True}
    flat = Space((Part({"rank": choice(2, 4)}),))
    assert build_sampler(Method("tpe"), flat, 0, 1, ())._arguments == {}  # type: ignore[attr-defined]


def test_the_grid_is_every_point_in_an_order_of_its_seed() -> None:
    points = drawn(Method("grid"), GRID, 15)
    assert sorted(map(str, points)) == sorted(map(str, GRID.points()))
    assert points == grid_points(GRID, 0, ()) != grid_points(GRID, 1, ())
    assert len(grid_points(GRID, 0, [points[3]])) == 14


def test_waiting_trials_count_for_nothing() -> None:
    study = optuna.create_study()
    study.enqueue_trial({})
    assert take_place(study, 0) is None
    assert take_place(study, 1) is not None and take_place(study, 2) is None
    assert [trial.state for trial in study.trials] == [TrialState.RUNNING]


@pytest.mark.parametrize(
    ("method", "space", "objectives", "told"),
    [
        (Method("tpee"), SPACE, 1, "there is no such sampler; known are tpe, gp, cmaes"),
        (Method("tpe", {"startup": 1}), SPACE, 1, "study.sampler.startup=1: tpe has no such"),
        (Method("tpe", {"gamma": 1}), SPACE, 1, "study.sampler.gamma=1: tpe has no such argument"),
        (Method("nsgaii", {"population_size": 1}), SPACE, 1, "study.sampler=nsgaii:"),
        (Method("cmaes"), SPACE, 1, "must have at least two numbers"),
        (Method("cmaes"), NUMBERS, 2, "has one objective, and the study has 2"),
        (Method("grid"), SPACE, 1, "optimizer.lr has no points to try one by one"),
        (Method("grid"), HUGE, 1, "the space has more than 100,000 points"),
        (Method("grid", {"x": 1}), GRID, 1, "has no arguments, got x"),
    ],
)  # fmt: skip
def test_samplers_that_cannot_be_built_are_refused(
    method: Method, space: Space, objectives: int, told: str
) -> None:
    (problem,) = sampler_problems(method, space, objectives)
    assert told in problem


@pytest.mark.parametrize("name", [*METHODS, "grid"])
def test_every_sampler_is_known(name: str) -> None:
    assert sampler_problems(Method(name), GRID if name == "grid" else NUMBERS, 1) == []


def test_the_defaults_of_a_study_are_a_sampler_and_no_pruner() -> None:
    study = StudySettings()
    assert (study.sampler.name, study.pruner.name) == ("tpe", "none")
    assert parse_condition("a=1,2 b=3").values == {"a": ("1", "2"), "b": ("3",)}
