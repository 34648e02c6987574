"""The space of the section `study` and the command line together, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from lora_sweep.config.plain import show
from lora_sweep.config.study import (
    Choice,
    Condition,
    Dimension,
    Number,
    Scalar,
    Study,
    parse_condition,
    typed,
)
from lora_sweep.config.sweep import Values
from lora_sweep.errors import SettingsError
from lora_sweep.sweep.grid_axes import NO_SETTING_OF_A_TRIAL, SAME_SETTING
from lora_sweep.sweep.search.space import Part, Point, Space, text_of, values_of

Parse = Callable[[Mapping[str, Values], str, list[str]], dict[str, Dimension]]
"""Gives the dimension of each key; its other arguments are the place and the list of problems."""

TOLERANCE = 1e-9


def build_space(
    study: Study,
    asked: Sequence[tuple[str, Dimension | str]],
    parse: Parse,
    default_of: Callable[[str], str | None],
) -> Space:
    """Return the space of the section and the command line together.

    asked: keys of the command line with their dimension, or the line itself where it has one
    value; they take the place of the same key of the section, in its condition. default_of: what
    a key has where nothing sets it. Raises SettingsError with all that is wrong.
    """
    problems: list[str] = []
    parts = [Part(parse(study.space, "study.space.", problems))]
    for text, keys in study.when.items():
        parts.append(Part(parse(keys, f"study.when.{text}.", problems), parse_condition(text)))
    fixed: list[str] = []
    for key, value in asked:
        parts = _take(key, value, parts, fixed)
    problems += [
        f"study: {key} must name a setting or a group of a trial"
        for part in parts
        for key in part.dimensions
        if NO_SETTING_OF_A_TRIAL.search(key)
    ]
    problems += _given_twice(parts)
    narrowed = frozenset(setting_of(key.lstrip("+~")) for key, _ in asked)
    given = _given(parts, fixed, default_of, narrowed, problems)
    space = Space(tuple(parts), tuple(fixed), given, narrowed)
    if not problems and not space.varied:
        problems.append(
            "study.space is empty: there is nothing to search; must have at least one key with "
            "several values, such as rank: 4,16,32 or optimizer.lr: tag(log,interval(1e-5,1e-3))"
        )
    if problems:
        raise SettingsError(problems)
    return space


def enqueued(study: Study, space: Space) -> list[Point]:
    """The points to begin with, as values of the space; raises SettingsError.

    Those that lie outside because the command line has narrowed the space are left out.
    """
    problems: list[str] = []
    found: list[Point] = []
    for number, point in enumerate(study.enqueue):
        values: Point = {}
        is_left_out = False
        for key, value in point.items():
            path = f"study.enqueue[{number}].{key}={show(value)}"
            same = [name for name in space.dimensions if setting_of(name) == setting_of(key)]
            if not same:
                keys = ", ".join(space.dimensions)
                problems.append(f"{path}: is no key of the space; its keys are {keys}")
                continue
            known = _contained(space.dimensions[same[0]], value)
            if known is None and setting_of(key) in space.asked:
                is_left_out = True
            elif known is None:
                problems.append(f"{path}: must be in the space: {space.dimensions[same[0]]}")
            else:
                values[same[0]] = known[0]
        found += [] if is_left_out else [values]
    if problems:
        raise SettingsError(problems)
    return found


def _take(key: str, value: Dimension | str, parts: list[Part], fixed: list[str]) -> list[Part]:
    """Put what the command line gives into the parts that have the key, or else beside them."""
    bare = key.lstrip("+~")
    owners = [
        part for part in parts if any(setting_of(k) == setting_of(bare) for k in part.dimensions)
    ]
    if isinstance(value, str) and not owners:
        fixed.append(value)
        return parts
    if isinstance(value, str):
        text = value.partition("=")[2]
        value = Choice((typed(text),), (text,))
    if not owners:
        return [replace(parts[0], dimensions={**parts[0].dimensions, bare: value}), *parts[1:]]
    return [
        replace(
            part,
            dimensions={
                k: value if setting_of(k) == setting_of(bare) else each
                for k, each in part.dimensions.items()
            },
        )
        for part in parts
    ]


def _given(
    parts: Sequence[Part],
    fixed: Sequence[str],
    default_of: Callable[[str], str | None],
    narrowed: frozenset[str],
    problems: list[str],
) -> dict[str, str]:
    """Values of keys in conditions that no part varies; objects to conditions that never hold,
    unless the command line has seen to that.
    """
    pairs = (line.lstrip("+").partition("=") for line in fixed)
    lines = {key: text for key, _, text in pairs}
    given: dict[str, str] = {}
    for part in parts:
        for key, allowed in (part.condition.values if part.condition else {}).items():
            texts = [
                text
                for other in parts
                if other is not part and key in other.dimensions
                for text in _texts(other.dimensions[key])
            ]
            where = f"study.when.{part.condition.text if part.condition else ''}"
            if not texts:
                default = lines.get(key) or default_of(key)
                if default is None:
                    problems.append(f"{where}: {key} is neither in the space nor a setting")
                else:
                    given[key] = default
            elif not set(texts) & set(allowed) and setting_of(key) not in narrowed:
                problems.append(f"{where}: never holds; the values of {key} are {', '.join(texts)}")
    return given


def _given_twice(parts: Sequence[Part]) -> list[str]:
    """A key in two parts that one trial may both have, or on two scales."""
    problems = [
        f"study: {one} and {other} are one setting; give it once"
        for part in parts
        for one, other in combinations(part.dimensions, 2)
        if setting_of(one) == setting_of(other)
    ]
    for one, other in combinations(parts, 2):
        for key, dimension in other.dimensions.items():
            first = next((k for k in one.dimensions if setting_of(k) == setting_of(key)), None)
            if first is None:
                continue
            places = [f"[{p.condition.text}]" if p.condition else "always" for p in (one, other)]
            if not _exclude(one.condition, other.condition):
                problems.append(
                    f"study: {key} is given twice, {places[0]} and {places[1]}, and a trial may "
                    "have both; give it once, or under conditions that exclude each other"
                )
            elif _scale(one.dimensions[first]) != _scale(dimension):
                problems.append(
                    f"study: {key} is on two scales: {one.dimensions[first]} {places[0]}, "
                    f"{dimension} {places[1]}; one name needs one scale (both log, both linear, or "
                    "the same choices), or a study for each"
                )
    return problems


def _scale(dimension: Dimension) -> tuple[object, ...]:
    if isinstance(dimension, Number):
        return ("number", dimension.log, dimension.whole, dimension.step is None)
    return ("fixed",) if len(dimension.values) == 1 else ("choice", dimension.texts)


def _exclude(one: Condition | None, other: Condition | None) -> bool:
    if one is None or other is None:
        return False
    shared = one.values.keys() & other.values.keys()
    return any(not set(one.values[key]) & set(other.values[key]) for key in shared)


def _contained(dimension: Dimension, value: Scalar) -> tuple[Scalar] | None:
    """The value as the dimension has it, or None."""
    if isinstance(dimension, Choice):
        wanted = typed(value) if isinstance(value, str) else value
        return next(
            ((known,) for known in dimension.values
             if known == wanted and isinstance(known, bool) is isinstance(wanted, bool)), None
        )  # fmt: skip
    if isinstance(value, str):
        value = typed(value)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    slack = TOLERANCE * max(abs(dimension.low), abs(dimension.high))
    if not dimension.low - slack <= value <= dimension.high + slack:
        return None
    if dimension.step is None:
        return (float(value),)
    steps = round((value - dimension.low) / dimension.step)
    if abs(dimension.low + steps * dimension.step - value) > slack:
        return None
    return (values_of(dimension)[steps],)


def _texts(dimension: Dimension) -> list[str]:
    if isinstance(dimension, Choice):
        return list(dimension.texts)
    if dimension.step is None:
        return []
    return [text_of(dimension, value) for value in values_of(dimension)]


def setting_of(key: str) -> str:
    """The setting that a key names, however it is written."""
    return SAME_SETTING.get(key, key)
