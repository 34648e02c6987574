"""The axes of a sweep: from the section `sweep`, hydra.sweeper.params and the command line. No
torch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from lora_sweep.config.sweep import Axis, Sweep, Values
from lora_sweep.errors import SettingsError

Parse = Callable[[Sequence[str]], list[Axis]]
"""Gives the key and the values of each line of a command line."""

SAME_SETTING = {"lora.rank": "rank"}
"""Two names of one setting."""

NO_SETTING_OF_A_TRIAL = re.compile(r"^~|^\+*(sweep(\.|$)|hydra[./])|[=\s]")
HYDRAS_PARAMS = "hydra.sweeper.params"


def lines_of_trials(arguments: Sequence[str], parse: Parse) -> list[str]:
    """The command line without what it says of the sweep itself, which holds for all trials."""
    of_trials: list[str] = []
    for line in arguments:
        key = line.partition("=")[0].lstrip("+~")
        if key != "sweep" and not key.startswith("sweep."):
            of_trials.append(line)
        elif len(parse([line])[0].points) != 1:
            what = "one set of trials at a time" if key == "sweep" else "it holds for all trials"
            raise SettingsError([f"{line}: must be one value; {what}"])
    return of_trials


def asked_axes(lines: Sequence[Axis], problems: list[str]) -> list[Axis]:
    """The command line's axes: as in Hydra the last value of a key holds, if it has no others."""
    axes: dict[str, Axis] = {}
    for axis in lines:
        key = setting_of(axis.keys[0])
        before = axes.get(key)
        if before is not None and max(len(before.points), len(axis.points)) > 1:
            problems.append(f"{axis.keys[0]} is given twice on the command line; once is enough")
        if not axis.points:
            problems.append(_empty(axis.keys[0]))
        axes[key] = axis
    return list(axes.values())


def written_axes(
    sweep: Sweep, hydras_params: Mapping[str, str], parse: Parse, problems: list[str]
) -> list[Axis]:
    """The axes of the section, and of hydra.sweeper.params after them."""
    written = _params(sweep.params, "sweep.params", parse, problems)
    for number, mapping in enumerate(sweep.tied):
        written += _tied(mapping, f"sweep.tied[{number}]", parse, problems)
    written += _params(hydras_params, HYDRAS_PARAMS, parse, problems)
    _no_key_twice(written, problems)
    return written


def merged(written: Sequence[Axis], asked: Sequence[Axis], problems: list[str]) -> list[Axis]:
    """Put the command line's values in the place of those written for the same keys."""
    left = {setting_of(axis.keys[0]): axis for axis in asked}
    axes: list[Axis] = []
    for axis in written:
        given = [left.pop(setting_of(key)) for key in axis.keys if setting_of(key) in left]
        if len(given) == len(axis.keys):  # all of it, tied or not
            axes += given
        elif given:
            axes.append(_rows(axis, given, problems))
        else:
            axes.append(axis)
    return [*axes, *left.values()]


def _rows(axis: Axis, given: Sequence[Axis], problems: list[str]) -> Axis:
    """The rows of tied keys that have the values which the command line gives for some of them."""
    rows = axis.points
    for asked in given:
        key = asked.keys[0]
        column = [setting_of(each) for each in axis.keys].index(setting_of(key))
        wanted = [comparable(value) for (value,) in asked.points]
        there = {comparable(row[column]) for row in axis.points}
        others = [each for each in axis.keys if setting_of(each) != setting_of(key)]
        for (value,) in asked.points:
            if comparable(value) not in there:
                problems.append(
                    f"{key}={value}: {key} is tied to {', '.join(others)} in the sweep, with the "
                    f"values {', '.join(dict.fromkeys(row[column] for row in axis.points))}; "
                    f"choose among these, or give {', '.join(others)} as well"
                )
        rows = tuple(row for row in rows if comparable(row[column]) in wanted)
    if not rows and not problems:
        lines = ", ".join(line for each in given for (line,) in each.overrides())
        problems.append(f"{lines}: no row of the tied keys {', '.join(axis.keys)} has all of these")
    return replace(axis, points=rows)


def _params(
    params: Mapping[str, Values], path: str, parse: Parse, problems: list[str]
) -> list[Axis]:
    axes: list[Axis] = []
    for key, values in params.items():
        axis = column(key, values, f"{path}.{key}", parse, problems)
        if axis is not None:
            axes.append(axis)
    return axes


def _tied(
    mapping: Mapping[str, Values], path: str, parse: Parse, problems: list[str]
) -> list[Axis]:
    columns = [
        column(key, values, f"{path}.{key}", parse, problems) for key, values in mapping.items()
    ]
    found = [column for column in columns if column is not None]
    lengths = {len(column.points) for column in found}
    if len(found) < len(columns):
        return []
    if len(lengths) > 1:
        shown = ", ".join(f"{column.keys[0]} has {len(column.points)}" for column in found)
        problems.append(f"{path}: {shown}; tied keys must have equally many values")
        return []
    keys = tuple(column.keys[0] for column in found)
    rows = zip(*(column.points for column in found), strict=True)
    return [Axis(keys, tuple(tuple(value for (value,) in row) for row in rows))]


def column(key: str, values: Values, path: str, parse: Parse, problems: list[str]) -> Axis | None:
    """One key with its values; what is wrong is added to the problems."""
    if NO_SETTING_OF_A_TRIAL.search(key):
        problems.append(f"{path}: must name a setting or a group of a trial")
        return None
    lines = [f"{key}={values}"] if isinstance(values, str) else [f"{key}={v}" for v in values]
    try:
        axes = parse(lines)
    except SettingsError as error:
        problems += error.problems
        return None
    for line, axis in zip(lines, axes, strict=True):
        if len(axes) > 1 and len(axis.points) != 1:
            problems.append(
                f"{path}: {line} is one of several values and must not be a list itself"
            )
            return None
    points = tuple(point for axis in axes for point in axis.points)
    if not points:
        problems.append(_empty(path))
        return None
    return Axis((axes[0].keys[0],), points)


def _no_key_twice(axes: Sequence[Axis], problems: list[str]) -> None:
    seen: set[str] = set()
    for key in (key for axis in axes for key in axis.keys):
        if setting_of(key) in seen:
            problems.append(
                f"{key} is given twice; it may be once in sweep.params, sweep.tied or "
                f"{HYDRAS_PARAMS}"
            )
        seen.add(setting_of(key))


def setting_of(key: str) -> str:
    """The setting that a key names, however it is written."""
    bare = key.lstrip("+~")
    return SAME_SETTING.get(bare, bare)


def comparable(value: str) -> float | str:
    """Equal for values that are one, such as 1e-4 and 0.0001, or 'a b' in either quotes."""
    try:
        return float(value)
    except ValueError:
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
        return value[1:-1] if quoted else value


def _empty(path: str) -> str:
    return f"{path}: names no values; must have at least one, such as 4,16,32"
