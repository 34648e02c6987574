"""The table of a plan: a row for each trial where they are few, else for each kind. No torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lora_sweep.results.names import axis_values
from lora_sweep.sweep.cost.estimate import FamilyCost
from lora_sweep.sweep.plan_words import UNKNOWN, WIDTH, size_text, time_text
from lora_sweep.sweep.request import TrialRequest

if TYPE_CHECKING:
    from lora_sweep.sweep.plan import Plan

MOST_TRIALS = 24  # that get a row each
MOST_KINDS = 12
GAP = "  "

COST_AXES: tuple[tuple[str, Callable[[TrialRequest], Any]], ...] = (
    ("model", lambda r: r.settings.model.name),
    ("te_mode", lambda r: r.settings.te_mode.name),
    ("optimizer", lambda r: r.settings.optimizer.name),
    ("batch_size", lambda r: r.settings.train.batch_size),
    ("rank", lambda r: r.settings.lora.rank),
    ("prior", lambda r: r.settings.prior.name),
    ("dataset", lambda r: r.settings.dataset.name),
)
"""What kinds of trials differ by, the first ones preferred where there would be too many."""


def table(plan: Plan) -> list[str]:
    """Lines of at most 80 characters; none where there is nothing to compare."""
    if plan.left.num_trials < 2:
        return []
    return _of_trials(plan) if plan.left.num_trials <= MOST_TRIALS else _of_kinds(plan)


def _of_trials(plan: Plan) -> list[str]:
    """Each trial by itself; those of one family share their first steps."""
    settings = {id_: request.settings for id_, request in plan.requests.items()}
    values = axis_values(settings, plan.asked)
    steps = {id_: str(request.max_train_steps) for id_, request in plan.requests.items()}
    axes = dict.fromkeys(name for row in values.values() for name in row)
    axes = [name for name in axes if any(values[id_].get(name) != steps[id_] for id_ in steps)]
    place = {trial: number for number, trial in enumerate(plan.requests)}
    families = [(cost, sorted(cost.family.trials, key=place.__getitem__)) for cost in plan.families]
    families.sort(key=lambda pair: place[pair[1][0]])  # as they were asked for
    rows: list[list[str]] = []
    for number, (cost, trials) in enumerate(families, start=1):
        for trial in trials:
            varied = [values[trial].get(axis, "") for axis in axes]
            alone = cost.alone.get(trial)
            seconds = UNKNOWN if alone is None else time_text(alone)
            rows.append([trial, str(number), *varied, steps[trial], seconds, _memory([cost])])
    return _laid_out(["trial", "family", *axes, "steps", "alone", "memory"], rows, len(axes) + 2)


def _of_kinds(plan: Plan) -> list[str]:
    axes = _axes([cost.request for cost in plan.families])
    groups: dict[tuple[str, ...], list[FamilyCost]] = {}
    for cost in plan.families:
        kind = tuple(str(value(cost.request)) for _, value in axes)
        groups.setdefault(kind, []).append(cost)
    if len(groups) < 2:
        return []
    head = [*(name for name, _ in axes), "trials", "steps alone", "in the tree", "time", "memory"]
    rows = [[*kind, *_cells(costs)] for kind, costs in groups.items()]
    return _laid_out(head, rows, len(axes))


def _axes(requests: Sequence[TrialRequest]) -> list[tuple[str, Callable[[TrialRequest], Any]]]:
    """What varies, as long as there are not too many kinds."""
    chosen: list[tuple[str, Callable[[TrialRequest], Any]]] = []
    kinds: list[tuple[Any, ...]] = [() for _ in requests]
    for axis in COST_AXES:
        values = [axis[1](request) for request in requests]
        more = [(*kind, value) for kind, value in zip(kinds, values, strict=True)]
        if len(set(values)) > 1 and len(set(more)) <= MOST_KINDS:
            chosen, kinds = [*chosen, axis], more
    return chosen


def _cells(costs: Sequence[FamilyCost]) -> list[str]:
    seconds = [cost.seconds for cost in costs]
    known = [each for each in seconds if each is not None]
    return [
        f"{sum(len(cost.family.trials) for cost in costs):,}",
        f"{sum(cost.family.steps_alone for cost in costs):,}",
        f"{sum(cost.family.steps_in_tree for cost in costs):,}",
        time_text(sum(known)) if len(known) == len(seconds) else UNKNOWN,
        _memory(costs),
    ]


def _memory(costs: Sequence[FamilyCost]) -> str:
    known = [cost.memory for cost in costs if cost.memory is not None]
    return size_text(max(known)) if known else UNKNOWN


def _laid_out(head: Sequence[str], rows: Sequence[Sequence[str]], words: int) -> list[str]:
    """Columns; the first `words` are words, the others numbers. Words that do not fit are cut."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    numbers = sum(widths[words:]) + len(GAP) * (len(widths) - words)
    room = WIDTH - numbers

    def laid_out(line: Sequence[str]) -> str:
        left = GAP.join(f"{cell:<{w}}" for cell, w in zip(line[:words], widths, strict=False))
        if len(left) > room:
            left = left[: room - 1] + ("…" if left[room - 1 :].strip() else " ")
        cells = zip(line[words:], widths[words:], strict=True)
        right = "".join(f"{GAP}{cell:>{w}}" for cell, w in cells)
        return f"{left:<{min(room, sum(widths[:words]) + len(GAP) * (words - 1))}}{right}"

    return [laid_out(line) for line in lines]
