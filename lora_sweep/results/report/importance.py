"""How much of what a measure does is due to each setting (Optuna's fANOVA)."""

from __future__ import annotations

import contextlib
import random
import statistics
from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lora_sweep.results.report.axes import Axis, Value

FEWEST_TRIALS = 12
"""Below it a forest of trees finds patterns in noise."""

MOST_TRIALS = 300
"""Of more a part is looked at: the forest's time grows faster than they do."""

MOST_LEVELS = 8
"""Numbers with more values than that are taken as points of a range, not as choices."""


@dataclass(frozen=True)
class Importance:
    """Shares of the variance by axis name, largest first, summing to 1; or why there are none."""

    shares: dict[str, float]
    trials: int  # looked at
    why_not: str | None = None


def importance_of(
    axes: Sequence[Axis], values: Sequence[Mapping[str, Value]], scores: Sequence[float | None]
) -> Importance:
    """Which axes decide one measure, over the trials that have it."""
    rows = [(row, score) for row, score in zip(values, scores, strict=True) if score is not None]
    if len(rows) > MOST_TRIALS:
        rows = random.Random(0).sample(rows, MOST_TRIALS)
    count = len(rows)
    if len(axes) < 2:
        return Importance({}, count, "only one setting varies: there is nothing to compare")
    if count < FEWEST_TRIALS:
        return Importance({}, count, f"{count} finished trials; at least {FEWEST_TRIALS} needed")
    if len({score for _, score in rows}) == 1:
        return Importance({}, count, "every trial has the same value")
    shares = _fanova(axes, [row for row, _ in rows], [score for _, score in rows])
    return Importance(shares, count)


def _fanova(
    axes: Sequence[Axis], values: Sequence[Mapping[str, Value]], scores: Sequence[float]
) -> dict[str, float]:
    # Imported here: they take seconds, and most reports of a running sweep do without.
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    evaluator = FanovaImportanceEvaluator(n_trees=32, max_depth=32, seed=0)
    known = [axis for axis in axes if len({repr(row.get(axis.name)) for row in values}) > 1]
    distributions = {axis.name: _distribution(axis) for axis in known}
    with _silent_optuna():
        study = optuna.create_study()
        study.add_trials(
            optuna.create_trial(
                params={axis.name: _parameter(row.get(axis.name), axis) for axis in known},
                distributions=distributions,
                value=score,
            )
            for row, score in zip(values, scores, strict=True)
        )
        found = get_param_importances(study, evaluator=evaluator)
    return {name: float(share) for name, share in found.items()}


@contextlib.contextmanager
def _silent_optuna() -> Any:
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _is_range(axis: Axis) -> bool:
    numbers = [v for v in axis.values if isinstance(v, int | float) and not isinstance(v, bool)]
    return len(numbers) == len(axis.values) > MOST_LEVELS


def _quartiles(axis: Axis) -> list[float]:
    """Where numbers that not all trials have are cut into four levels; else none.

    As choices they would be told apart one by one, and a trial without one has no place in a range.
    """
    numbers = [float(v) for v in axis.values if isinstance(v, int | float)]
    if None not in axis.values or not MOST_LEVELS < len(numbers) == len(axis.values) - 1:
        return []
    return statistics.quantiles(numbers, n=4)


def _distribution(axis: Axis) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if not _is_range(axis):
        levels = dict.fromkeys(_parameter(value, axis) for value in axis.values)
        return CategoricalDistribution(list(levels))
    numbers = [float(value) for value in axis.values if isinstance(value, int | float)]
    low, high = min(numbers), max(numbers)
    return FloatDistribution(low, high, log=low > 0 and high / low >= 10)


def _parameter(value: Value, axis: Axis) -> Any:
    cuts = _quartiles(axis)
    if cuts and isinstance(value, int | float):
        return f"level {bisect(cuts, value)}"
    # As text: Optuna takes 1, 1.0 and True for one choice.
    return float(value) if _is_range(axis) and value is not None else repr(value)
