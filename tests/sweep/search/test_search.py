"""A study under way: what is pruned, told, looked up, left to others."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from made_studies import (
    SPACE,
    STEPS,
    Pretend,
    choice,
    run,
    settings_of,
    told,
    trials_of,
    value_of,
)
from optuna.trial import TrialState

from lora_sweep.config.settings import Settings
from lora_sweep.config.study import Method
from lora_sweep.results.store import Store
from lora_sweep.sweep.search.space import Part, Space

HALVING = Method("successive_halving", {"min_resource": 10, "reduction_factor": 3})
RANKS = Space((Part({"rank": choice(2, 4, 8, 16)}),))


def test_a_study_without_a_pruner_trains_every_trial_to_its_end(tmp_path: Path) -> None:
    study = settings_of(trials=6)
    rows = run(tmp_path, study)
    trials = trials_of(tmp_path, study)
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 6
    for row, trial in zip(rows, trials, strict=True):
        assert trial.value == value_of(row.settings, STEPS)
        assert row.record.state.value == "done"


def test_trials_are_judged_at_rungs_and_those_pruned_keep_what_they_have(tmp_path: Path) -> None:
    study = settings_of(trials=12, pruner=HALVING)
    executor = Pretend()
    rows = run(tmp_path, study, executor)
    trials = trials_of(tmp_path, study)
    states = {trial.state for trial in trials}
    assert states == {TrialState.COMPLETE, TrialState.PRUNED}
    for row, trial in zip(rows, trials, strict=True):
        steps = max(trial.intermediate_values, default=0)
        assert set(trial.intermediate_values) <= {10, 30}
        assert all(v == value_of(row.settings, s) for s, v in trial.intermediate_values.items())
        if trial.state is TrialState.PRUNED:
            folder = Store(tmp_path).trial(row.record.id)
            assert row.record.state.value == "pruned" and row.record.steps == steps
            assert row.record.scores["val_loss"] == value_of(row.settings, steps)
            assert folder.metrics.is_file() and folder.config.is_file()
    left = {row.record.id: row.record.steps for row in rows}
    assert sum(stop - start for _, start, stop in executor.trained) == sum(left.values())


def test_no_step_of_a_trial_is_trained_twice(tmp_path: Path) -> None:
    executor = Pretend()
    run(tmp_path, settings_of(trials=12, pruner=HALVING), executor)
    reached: dict[str, int] = {}
    for trial, start, stop in executor.trained:
        assert start == reached.get(trial, 0)
        reached[trial] = stop


def test_a_pruned_trial_that_is_asked_for_goes_on_from_where_it_was_left(tmp_path: Path) -> None:
    study, executor = settings_of(trials=12, pruner=HALVING), Pretend()
    rows = run(tmp_path, study, executor)
    pruned = next(row for row in rows if row.record.state.value == "pruned")
    again = Pretend()
    fixed = (f"rank={pruned.settings.lora.rank}",)
    rate = pruned.settings.optimizer.lr
    point = {"optimizer": pruned.settings.optimizer.name, "optimizer.lr": rate}
    enqueue = ({k: v for k, v in point.items() if k == "optimizer" or rate != 1.0},)
    space = Space(
        (Part({"optimizer": SPACE.parts[0].dimensions["optimizer"]}), SPACE.parts[1]), fixed
    )
    run(tmp_path, settings_of(name="other", trials=1, enqueue=enqueue), again, space)
    assert again.trained == [(pruned.record.id, pruned.record.steps, STEPS)]
    record = Store(tmp_path).trial(pruned.record.id).read_record()
    assert record is not None and record.state.value == "done"


def test_equal_suggestions_are_one_trial_that_is_looked_up(tmp_path: Path) -> None:
    study, executor = settings_of(trials=9, sampler=Method("random")), Pretend()
    run(tmp_path, study, executor, RANKS)
    trials = trials_of(tmp_path, study)
    assert len(trials) == 9 and all(trial.state is TrialState.COMPLETE for trial in trials)
    assert len(executor.trained) == len({trial.params["rank"] for trial in trials}) <= 4


def test_a_grid_tries_every_point_once_and_ends(tmp_path: Path) -> None:
    study, executor = settings_of(trials=50, sampler=Method("grid")), Pretend()
    space = Space((Part({"rank": choice(2, 4, 8), "optimizer": choice("prodigy", "adamw")}),))
    enqueue = ({"rank": 8, "optimizer": "adamw"},)
    run(tmp_path, settings_of(trials=50, sampler=Method("grid"), enqueue=enqueue), executor, space)
    points = [tuple(trial.params.values()) for trial in trials_of(tmp_path, study)]
    assert points[0] == (8, "adamw")
    assert sorted(points) == sorted((r, o) for r in (2, 4, 8) for o in ("prodigy", "adamw"))


def test_a_trial_that_fails_fails_alone(tmp_path: Path) -> None:
    study = settings_of(trials=8, sampler=Method("random"))
    run(tmp_path, study, Pretend(fails=frozenset({4})), RANKS)
    for trial in trials_of(tmp_path, study):
        failed = trial.params["rank"] == 4
        assert trial.state is (TrialState.FAIL if failed else TrialState.COMPLETE)
        assert trial.user_attrs.get("reason") == ("no luck" if failed else None)


@pytest.mark.parametrize("rung", [True, False])
def test_a_trial_without_a_number_fails_alone(tmp_path: Path, rung: bool) -> None:
    def value(settings: Settings, step: int) -> float:
        nan = settings.lora.rank == 4 and (rung or step == STEPS)
        return math.nan if nan else value_of(settings, step)

    study = settings_of(trials=8, sampler=Method("random"), rungs=(30,), pruner=Method("median"))
    run(tmp_path, study, Pretend(value=value), RANKS)
    for trial in trials_of(tmp_path, study):
        assert (trial.state is TrialState.FAIL) is (trial.params["rank"] == 4)


def test_an_impossible_suggestion_fails_alone_and_stands_among_those_left_out(
    tmp_path: Path,
) -> None:
    import json

    # An interval is checked at its ends; what is wrong in between comes up when it is suggested.
    space = Space((Part({"rank": choice(4), "train.max_train_steps": choice(20, 30)}),))
    study = settings_of(trials=6, sampler=Method("random"))
    run(tmp_path, study, Pretend(), space)
    assert all(trial.state is TrialState.COMPLETE for trial in trials_of(tmp_path, study))
    left_out = json.loads((tmp_path / "multirun/now/sweep.json").read_text())["left_out"]
    assert left_out == []


def test_more_trials_later_go_on_where_the_study_ended(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run(whole, settings_of(trials=10, pruner=HALVING))
    for trials in (4, 7, 10):
        run(parts, settings_of(trials=trials, pruner=HALVING))
    assert told(parts, settings_of()) == told(whole, settings_of())


def test_nothing_is_trained_when_a_finished_study_is_asked_for_again(tmp_path: Path) -> None:
    run(tmp_path, settings_of(trials=5))
    before = told(tmp_path, settings_of())
    again = Pretend()
    run(tmp_path, settings_of(trials=5), again)
    assert again.trained == [] and told(tmp_path, settings_of()) == before


@pytest.mark.parametrize("luck", range(3))
def test_with_four_workers_nothing_is_lost_or_doubled(tmp_path: Path, luck: int) -> None:
    study, executor = settings_of(trials=30, pruner=HALVING), Pretend(4, luck)
    run(tmp_path, study, executor, workers=4)
    trials = trials_of(tmp_path, study)
    assert [trial.number for trial in trials] == list(range(30))
    assert all(trial.state.is_finished() for trial in trials)
    assert max(map(len, executor.together)) == 4
    reached: dict[str, int] = {}
    for trial, start, stop in executor.trained:
        assert start == reached.get(trial, 0) < stop
        reached[trial] = stop


def test_trials_that_begin_alike_are_not_trained_at_the_same_time(tmp_path: Path) -> None:
    space = Space((Part({"rank": choice(2, 4), "train.max_train_steps": choice(30, 60, 90)}),))
    study, executor = settings_of(trials=14, sampler=Method("random")), Pretend(3)
    run(tmp_path, study, executor, space, workers=3)
    assert all(trial.state is TrialState.COMPLETE for trial in trials_of(tmp_path, study))
    ranks = {
        trial.user_attrs["trial"]: trial.params["rank"] for trial in trials_of(tmp_path, study)
    }
    for together in executor.together[:3]:
        assert len({ranks[trial] for trial in together}) == len(together)


def test_points_to_begin_with_come_first_and_may_be_added_later(tmp_path: Path) -> None:
    first = {"rank": 8, "optimizer": "adamw", "optimizer.lr": 1e-3}
    study = settings_of(trials=3, enqueue=(first,))
    run(tmp_path, study)
    assert trials_of(tmp_path, study)[0].params == first
    second = {"rank": 2, "optimizer": "prodigy"}
    run(tmp_path, settings_of(trials=5, enqueue=(first, second)))
    assert [trial.params == second for trial in trials_of(tmp_path, study)][3]


@pytest.mark.parametrize("sampler", ["tpe", "nsgaii", "gp", "random"])
def test_several_objectives_have_a_front(
    sampler: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = {"population_size": 4} if sampler == "nsgaii" else {"n_startup_trials": 4}
    method = Method(sampler, {} if sampler == "random" else arguments)
    study = settings_of(trials=10, sampler=method, objectives=("val_loss", "drift"))
    run(tmp_path, study)
    trials = trials_of(tmp_path, study)
    assert all(trial.values[1] == trial.params["rank"] / 100 for trial in trials)
    front = {
        trial.number
        for trial in trials
        if not any(
            all(o <= t for o, t in zip(other.values, trial.values, strict=True))
            and other.values != trial.values
            for other in trials
        )
    }
    said = capsys.readouterr().err.partition("on the front:")[2]
    assert {int(number) for number in re.findall(r"trial (\d+):", said)} == front
