"""What a study has found so far, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import optuna
from optuna.trial import TrialState

from lora_sweep.results.names import short_names


def headline(study: optuna.Study, objectives: Sequence[str]) -> str:
    """The best value so far; of several objectives, how many trials are on the front."""
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not done:
        return ""
    if len(objectives) > 1:
        front = study.best_trials
        numbers = ", ".join(str(trial.number) for trial in front[:8])
        return f"on the front: {len(front)} of {len(done)} trials ({numbers})"
    best = study.best_trial
    return f"best so far: {objectives[0]} {value_text(best.value)} of trial {best.number}"


def best_lines(study: optuna.Study, objectives: Sequence[str]) -> list[str]:
    """The trials that nothing beats, with their points."""
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        return []
    lines = [
        f"  {told_text(objectives, trial.values)}  trial {trial.number}: {point_text(trial.params)}"
        for trial in sorted(study.best_trials, key=lambda trial: trial.values)
    ]
    return [f"{'best' if len(objectives) == 1 else 'on the front'}:", *lines]


def told_text(objectives: Sequence[str], values: Sequence[float]) -> str:
    """The objectives with their values."""
    pairs = zip(objectives, values, strict=True)
    return "  ".join(f"{name} {value_text(value)}" for name, value in pairs)


def point_text(point: Mapping[str, object]) -> str:
    """A point in a few words: rank=16 lr=0.0003."""
    short = short_names(point)
    return " ".join(f"{short[key]}={value_text(value)}" for key, value in point.items())


def value_text(value: object) -> str:
    """A value in at most four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
