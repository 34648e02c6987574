"""A study before its first trial: everything checked that can be, and what its trials share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lora_sweep.config.identity import identity_values
from lora_sweep.config.plain import show
from lora_sweep.config.settings import Embedder, Settings
from lora_sweep.config.study import Choice, Dimension, Scalar
from lora_sweep.config.study import Study as StudySettings
from lora_sweep.errors import SettingsError
from lora_sweep.results.card import flatten
from lora_sweep.results.measures import MEASURES
from lora_sweep.sweep.asked import resolve_all
from lora_sweep.sweep.options import SweepOptions
from lora_sweep.sweep.request import TrialRequest
from lora_sweep.sweep.search.build_space import enqueued
from lora_sweep.sweep.search.hand import Check, Compose
from lora_sweep.sweep.search.pruners import pruner_problems
from lora_sweep.sweep.search.samplers import sampler_problems
from lora_sweep.sweep.search.space import Point, Space
from lora_sweep.sweep.search.storage import storage_problems
from lora_sweep.sweep.search.study import StudyPlan

NEED_PICTURES = ("subject", "prompt", "diversity", "copying")
NEED_LOSSES = ("val_loss", "gap", "drift")
NEED_HELD_OUT = ("val_loss", "gap")
MOST_PROBES = 200
"""Trials that are composed to check the space; more values than that are checked when they come."""


def plan_study(
    study: StudySettings,
    space: Space,
    compose: Compose,
    checks: Sequence[Check] = (),
    options: SweepOptions | None = None,
) -> tuple[StudyPlan, TrialRequest]:
    """Check everything that can be known before the first trial, and all at once.

    Returns the plan, and one trial of the space as an example. Raises SettingsError.
    """
    problems = [
        *_objective_problems(study.objectives),
        *sampler_problems(study.sampler, space, len(study.objectives)),
        *storage_problems(study.storage),
    ]
    if study.name is None:
        problems.append("study.name=null: must be given; files and the storage go by it")
    points: list[Point] = []
    try:
        points = enqueued(study, space)
    except SettingsError as error:
        problems += error.problems
    if problems:
        problems += pruner_problems(study, 2**62)
        raise SettingsError(problems)
    overrides = [space.overrides(point) for point in probes(space, points)]
    trials = [compose(lines, number) for number, lines in enumerate(overrides)]
    objectives = study.objectives

    def measurable(settings: Settings) -> list[str]:
        return [line for name in objectives for line in _why_unmeasured(name, settings)]

    resolved = resolve_all(trials, overrides, options, [*checks, measurable])
    longest = max(request.max_train_steps for request in resolved.requests)
    if problems := pruner_problems(study, longest):
        raise SettingsError(problems)
    example = resolved.requests[0]
    plan = StudyPlan(study.name or "", study, space, tuple(points), longest, _compared(example))
    return plan, example


def probes(space: Space, points: Sequence[Point]) -> list[Point]:
    """Points that have every value of every dimension at least once, and those to begin with."""
    found: list[Point] = []
    for part in space.parts:
        # Where a part's condition holds; other keys have their first values.
        condition = part.condition.values if part.condition else {}
        for key, dimension in part.dimensions.items():
            for value in _ends(dimension):
                found.append(_probe(space, {key: value}, condition))
    found += [_probe(space, point, {}) for point in points]
    unique = {tuple(space.overrides(point)): point for point in found}
    return list(unique.values())[:MOST_PROBES]


def _probe(space: Space, known: Point, wanted: Mapping[str, Sequence[str]]) -> Point:
    def ask(key: str, dimension: Dimension) -> Scalar:
        if key in known:
            return known[key]
        if isinstance(dimension, Choice) and key in wanted:
            pairs = zip(dimension.texts, dimension.values, strict=True)
            fitting = [value for text, value in pairs if text in wanted[key]]
            return [*fitting, *dimension.values][0]
        return _ends(dimension)[0]

    return space.point(ask)


def _ends(dimension: Dimension) -> Sequence[Scalar]:
    if isinstance(dimension, Choice):
        return dimension.values
    if dimension.whole:
        return (int(dimension.low), int(dimension.high))
    return (dimension.low, dimension.high)


def _compared(example: TrialRequest) -> dict[str, str]:
    """What decides a trial and its measures, of the first point: of equal spaces all that differs
    is what all trials have in common.
    """
    settings = example.settings
    values = flatten(identity_values(settings))
    measured = {f"evaluate.{name}": value for name, value in _evaluation(settings).items()}
    content = {"pictures": example.examples.content_hash[:12], "base": example.base_hash[:12]}
    return {name: show(value) for name, value in {**values, **measured, **content}.items()}


def _evaluation(settings: Settings) -> dict[str, object]:
    asked = settings.evaluate
    if not asked.prompts:
        return {"loss_timesteps": asked.loss_timesteps, "prompts": []}
    names = ("loss_timesteps", "prompts", "images_per_prompt", "seed", "sample_steps")
    more = ("guidance_scale", "clip", "dinov2")
    values: dict[str, object] = {name: getattr(asked, name) for name in (*names, *more)}
    return {**values, "prompts": list(asked.prompts), "embedder": asked.embedder.name}


def _objective_problems(objectives: Sequence[str]) -> list[str]:
    known = [name for name, measure in MEASURES.items() if measure.better is not None]
    shown = f"study.objectives={show(list(objectives))}"
    if not objectives:
        return [f"{shown}: must be one or more of {', '.join(known)}"]
    problems = [
        f"{shown}: {name} is neither better when lower nor when higher; objectives are "
        f"{', '.join(known)}"
        if name in MEASURES
        else f"{shown}: there is no measure {name}; objectives are {', '.join(known)}"
        for name in objectives
        if name not in known
    ]
    if len(set(objectives)) < len(objectives):
        problems.append(f"{shown}: names a measure twice")
    return problems


def _why_unmeasured(objective: str, settings: Settings) -> list[str]:
    asked, found = settings.evaluate, list[str]()
    by = f"study.objectives: {objective} needs"
    if objective in NEED_PICTURES and not asked.prompts:
        found.append(f"evaluate.prompts=[]: {by} pictures; use evaluate=default")
    if objective in NEED_PICTURES and asked.embedder is Embedder.none:
        found.append(f"evaluate.embedder=none: {by} one; use evaluate.embedder=auto")
    if objective in NEED_LOSSES and not asked.loss_timesteps:
        found.append(f"evaluate.loss_timesteps=0: {by} at least 1")
    if objective in NEED_HELD_OUT and settings.dataset.holdout == "0":
        found.append(f"dataset.holdout=0: {by} pictures that are kept back; use auto")
    return found
