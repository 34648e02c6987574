"""Pruners by name, their rungs, and judgements that do not change when they are asked for again."""

from __future__ import annotations

import contextlib
import random
from typing import Any

import optuna
import pytest
from made_studies import settings_of
from optuna.trial import Trial, TrialState

from lora_sweep.config.study import Method
from lora_sweep.sweep.search.pruners import build_pruner, judge, pruner_problems, rungs_of


@pytest.mark.parametrize(
    ("method", "rungs", "longest", "expected"),
    [
        (Method("none"), None, 900, ()),
        (Method("none"), (100, 300), 900, (100, 300)),
        (Method("median"), None, 1000, (250, 500, 750)),
        (Method("median", {"n_startup_trials": 2}), (5,), 1000, (5,)),
        (Method("hyperband"), None, 900, (300,)),
        (Method("hyperband"), None, 1000, (334,)),
        (Method("successive_halving", {"reduction_factor": 2}), None, 160, (80,)),
        (Method("successive_halving", {"min_resource": 20}), None, 160, (20, 60)),
        (Method("hyperband"), (50, 200), 900, (50, 200)),
    ],
)  # fmt: skip
def test_rungs_are_as_asked_or_as_the_pruner_needs_them(
    method: Method, rungs: Any, longest: int, expected: tuple[int, ...]
) -> None:
    study = settings_of(pruner=method, rungs=rungs)
    assert pruner_problems(study, longest) == []
    assert rungs_of(study, longest) == expected


def study_of(method: Method) -> tuple[optuna.Study, Any]:
    settings = settings_of(pruner=method)
    pruner = build_pruner(settings, 90)
    if isinstance(pruner, optuna.pruners.HyperbandPruner):
        pruner._try_initialization(optuna.create_study())
    return optuna.create_study(study_name="s", pruner=pruner), rungs_of(settings, 90)


METHODS = [
    Method("median", {"n_startup_trials": 2}),
    Method("successive_halving", {"min_resource": 10}),
    Method("hyperband", {"min_resource": 10}),
]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_judgement_is_optunas_own(method: Method) -> None:
    chance = random.Random(0)
    (ours, rungs), (theirs, _) = study_of(method), study_of(method)
    seen: set[bool] = set()
    for _ in range(30):
        values = {step: chance.random() for step in rungs}
        one, other = ours.ask(), theirs.ask()
        pruned = False
        for step, value in values.items():
            one.report(value, step)
            other.report(value, step)
            frozen = ours._storage.get_trial(one._trial_id)
            pruned = judge(ours, frozen, step)
            assert pruned == other.should_prune()
            seen.add(pruned)
            if pruned:
                break
        state = TrialState.PRUNED if pruned else TrialState.COMPLETE
        for study, trial in ((ours, one), (theirs, other)):
            study.tell(trial, None if pruned else 0.5, state=state)
    assert seen == {True, False}


class Killed(Exception):
    """In place of a signal."""


@pytest.mark.parametrize("method", METHODS[1:], ids=lambda method: method.name)
def test_a_process_killed_while_it_judges_changes_no_judgement(
    method: Method, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(1)
    (whole, rungs), (killed, _) = study_of(method), study_of(method)

    def finish(study: optuna.Study, trial: Trial, values: dict[int, float], dies: bool) -> None:
        for step, value in values.items():
            trial.report(value, step)
            if dies:
                _judge_and_die(study, trial, step, monkeypatch)
            if judge(study, study._storage.get_trial(trial._trial_id), step):
                study.tell(trial, state=TrialState.PRUNED)
                return
        study.tell(trial, 0.5)

    for _ in range(20):
        values = {step: chance.random() for step in rungs}
        finish(whole, whole.ask(), values, dies=False)
        finish(killed, killed.ask(), values, dies=True)
    facts = [[(t.state, t.system_attrs) for t in study.trials] for study in (whole, killed)]
    assert facts[0] == facts[1]


def _judge_and_die(
    study: optuna.Study, trial: Trial, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Judge, and die before the first write to the storage; then before the second."""
    for writes in (0, 1):
        left = iter(range(writes))

        def dying(real: Any, left: Any = left) -> Any:
            def write(*args: Any) -> None:
                if next(left, None) is None:
                    raise Killed
                real(*args)

            return write

        with monkeypatch.context() as patch:
            for name in ("set_trial_user_attr", "set_trial_system_attr"):
                patch.setattr(study._storage, name, dying(getattr(study._storage, name)))
            with contextlib.suppress(Killed):
                judge(study, study._storage.get_trial(trial._trial_id), step)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"pruner": Method("medan")}, "known are none, median, successive_halving, hyperband"),
        ({"pruner": Method("median", {"x": 1})}, "study.pruner.x=1: median has no such argument"),
        ({"pruner": Method("hyperband", {"reduction_factor": 1})}, "study.pruner=hyperband:"),
        ({"pruner": Method("median"), "objectives": ("subject", "prompt")}, "must be none in a"),
        ({"rungs": (5,), "objectives": ("subject", "prompt")}, "study.rungs=[5]: must be null"),
        ({"rungs": (50, 90, 100)}, "study.rungs=[90,100]: must be below 90"),
        ({"pruner": Method("hyperband", {"min_resource": 200})}, "judges at no step"),
    ],
)  # fmt: skip
def test_pruners_that_cannot_be_built_are_refused(changes: Any, told: str) -> None:
    (problem,) = pruner_problems(settings_of(**changes), 90)
    assert told in problem
