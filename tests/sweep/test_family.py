"""Trials that share their first steps are trained together, and come out as if each was alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from runs import rows_of, small, weights_of

from lora_sweep.config.settings import (
    Evaluate,
    Pivotal,
    Prodigy,
    Settings,
    TeLora,
    TeMode,
)
from lora_sweep.results.store import Store
from lora_sweep.sweep.request import resolve_request
from lora_sweep.sweep.run import TrialResult, run_requests, run_trial
from lora_sweep.training import step

Roots = Callable[[str], Path]


def at(root: Path, settings: Settings) -> Settings:
    return replace(settings, results=replace(settings.results, dir=str(root)))


def lengths(settings: Settings, *steps: int) -> list[Settings]:
    return [replace(settings, train=replace(settings.train, max_train_steps=n)) for n in steps]


def together(root: Path, trials: list[Settings]) -> list[TrialResult]:
    requests = [resolve_request(at(root, trial)) for trial in trials]
    return run_requests(requests, Store(root))


MODES = {"pivotal": Pivotal(frac=0.5), "lora": TeLora(frac=0.75), "frozen": TeMode()}


@pytest.mark.parametrize("mode", MODES)
def test_a_trial_of_a_tree_leaves_the_bytes_of_the_trial_alone(mode: str, new_root: Roots) -> None:
    settings = small(new_root("unused"), te_mode="frozen")
    settings = replace(
        settings, te_mode=MODES[mode], optimizer=Prodigy(),
        evaluate=Evaluate(loss_timesteps=1, every=2),
    )  # fmt: skip
    trials = lengths(settings, 3, 4, 6)
    tree, alone = new_root("tree"), new_root("alone")
    for shared, trial in zip(together(tree, trials), trials, strict=True):
        own = run_trial(at(alone, trial))
        assert shared.record.id == own.record.id
        assert weights_of(shared.folder) == weights_of(own.folder)
        assert rows_of(shared.folder) == rows_of(own.folder)
        assert shared.record.scores == own.record.scores


def test_shared_steps_are_taken_once(new_root: Roots, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    train_step = step.train_step

    def count(trial, predict):  # type: ignore[no-untyped-def]
        taken.append(trial.step)
        return train_step(trial, predict)

    monkeypatch.setattr("lora_sweep.training.loop.train_step", count)
    root = new_root("tree")
    trials = lengths(small(root, "frozen"), 2, 3, 5)
    results = together(root, trials)
    assert taken == [0, 1, 2, 3, 4]
    assert [result.record.seconds_shared > 0 for result in results] == [True, True, True]
    assert results[0].record.seconds == pytest.approx(results[0].record.seconds_shared)
    taken.clear()
    together(root, [*trials, *lengths(trials[0], 7)])
    assert taken == [5, 6], "a longer trial goes on from what is there"
    taken.clear()
    together(root, trials)
    assert taken == []


def test_a_longer_trial_asked_for_later_is_that_trial_alone(new_root: Roots) -> None:
    tree, alone = new_root("tree"), new_root("alone")
    settings = small(tree, "frozen", evaluate=Evaluate(loss_timesteps=1))
    run_trial(lengths(settings, 3)[0])
    later = run_trial(lengths(settings, 5)[0])
    own = run_trial(at(alone, lengths(settings, 5)[0]))
    assert weights_of(later.folder) == weights_of(own.folder)
    assert rows_of(later.folder) == rows_of(own.folder)


def test_a_killed_tree_goes_on_and_ends_the_same(
    new_root: Roots, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = small(new_root("unused"), "pivotal", train={"checkpoint_every": 1})
    trials = lengths(settings, 4, 6, 8)
    whole = together(new_root("whole"), trials)
    train_step = step.train_step
    for fatal in (0, 3, 5, 9, 12):
        root = new_root(f"killed-{fatal}")
        left = [fatal]

        def die(trial, predict, left=left):  # type: ignore[no-untyped-def]
            if left[0] == 0:
                raise SystemExit  # not an Exception: nothing is tidied up for it
            left[0] -= 1
            return train_step(trial, predict)

        with monkeypatch.context() as patch:
            patch.setattr("lora_sweep.training.loop.train_step", die)
            with pytest.raises(SystemExit):
                together(root, trials)
        for ended, wanted in zip(together(root, trials), whole, strict=True):
            assert weights_of(ended.folder) == weights_of(wanted.folder)
            assert rows_of(ended.folder) == rows_of(wanted.folder)


def test_a_trial_that_diverges_takes_only_those_with_it_that_share_the_step(
    new_root: Roots, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_step = step.train_step

    def blow_up(trial, predict):  # type: ignore[no-untyped-def]
        result = train_step(trial, predict)
        return replace(result, loss=result.loss * float("nan")) if result.step == 4 else result

    monkeypatch.setattr("lora_sweep.training.loop.train_step", blow_up)
    root = new_root("tree")
    short, long = lengths(small(root, "frozen"), 3, 6)
    other = replace(short, seed=1)
    states = [result.record.state.value for result in together(root, [short, long, other])]
    assert states == ["done", "diverged", "done"]
