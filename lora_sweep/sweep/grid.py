"""The grid of a sweep: its axes from the section `sweep` and the command line, and its trials.
No torch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import product

from lora_sweep.config.sweep import Axis, Sweep, Values
from lora_sweep.errors import SettingsError

Parse = Callable[[Sequence[str]], list[Axis]]
"""Gives the key and the values of each line of a command line."""

MAX_TRIALS = 1_000_000
SAME_SETTING = {"lora.rank": "rank"}
"""Two names of one setting."""

NO_SETTING_OF_A_TRIAL = re.compile(r"^~|^\+*(sweep(\.|$)|hydra[./])|[=\s]")
HYDRAS_PARAMS = "hydra.sweeper.params"


@dataclass(frozen=True)
class Exclusion:
    """Trials that have one of these values for every key are left out."""

    shown: str
    values: Mapping[str, frozenset[float | str]]
    may_miss: bool  # the command line narrows one of its keys


@dataclass(frozen=True)
class Grid:
    """What a sweep was asked for; an axis with one point is what all trials have in common."""

    axes: tuple[Axis, ...]
    name: str | None = None
    exclusions: tuple[Exclusion, ...] = ()
    excluded: int = 0  # trials that the exclusions left out

    @property
    def num_points(self) -> int:
        """Trials before any is left out."""
        return math.prod(len(axis.points) for axis in self.axes)

    def about(self) -> dict[str, object]:
        """For sweep.json: what all trials have, what varies with its values in order, what is tied.

        Keys of `axes` and values are as on the command line.
        """
        fixed = [axis for axis in self.axes if len(axis.points) == 1]
        varied = [axis for axis in self.axes if len(axis.points) > 1]
        return {
            "name": self.name,
            "fixed": [line for axis in fixed for line in axis.overrides()[0]],
            "axes": {
                key: list(dict.fromkeys(values))
                for axis in varied
                for key, values in zip(axis.keys, zip(*axis.points, strict=True), strict=True)
            },
            "tied": [list(axis.keys) for axis in varied if len(axis.keys) > 1],
            "excluded": self.excluded,
        }


def build_grid(
    sweep: Sweep, arguments: Sequence[str], hydras_params: Mapping[str, str], parse: Parse
) -> Grid:
    """Return the axes that the section, hydra.sweeper.params and the command line give together.

    The section's axes come first, the command line's last; a key of the command line takes the
    place of the same key elsewhere. Raises SettingsError with all that is wrong.
    """
    problems: list[str] = []
    asked = _asked(parse(_of_trials(arguments, parse)), problems)
    written = _params(sweep.params, "sweep.params", parse, problems)
    for number, mapping in enumerate(sweep.tied):
        written += _tied(mapping, f"sweep.tied[{number}]", parse, problems)
    written += _params(hydras_params, HYDRAS_PARAMS, parse, problems)
    _no_key_twice(written, problems)
    axes = _merged(written, asked, problems) if not problems else []
    grid = Grid(tuple(axes), sweep.name)
    if grid.num_points > MAX_TRIALS:
        sizes = " x ".join(str(len(axis.points)) for axis in axes if len(axis.points) > 1)
        problems.append(f"the sweep has {sizes} trials; at most {MAX_TRIALS:,} are planned at once")
    if problems:
        raise SettingsError(problems)
    # A file's exclusions were written for its own axes; one of the command line is meant for these.
    excludes = any(line.lstrip("+").startswith("sweep.exclude=") for line in arguments)
    given = set[str]() if excludes else {_setting(axis.keys[0]) for axis in asked}
    exclusions = [
        _exclusion(mapping, f"sweep.exclude[{number}]", given, parse, problems)
        for number, mapping in enumerate(sweep.exclude)
    ]
    known = {_setting(key): key for axis in axes for key in axis.keys}
    for exclusion in exclusions:
        problems += [
            f"{exclusion.shown}: {key} is not set in this sweep, so nothing would be excluded; "
            f"its keys are {', '.join(known.values())}"
            for key in exclusion.values
            if key not in known
        ]
    if problems:
        raise SettingsError(problems)
    return replace(grid, exclusions=tuple(exclusions))


def expand(grid: Grid) -> tuple[Grid, list[list[str]]]:
    """Return the overrides of every trial, the last axis varying fastest, without those excluded.

    The grid that is returned knows how many were. Raises SettingsError where an exclusion has
    nothing to exclude, unless the command line narrows one of its keys, and where nothing is left.
    """
    matches = [0] * len(grid.exclusions)
    keys = [_setting(key) for axis in grid.axes for key in axis.keys]
    trials: list[list[str]] = []
    excluded = 0
    for points in product(*(axis.overrides() for axis in grid.axes)):
        overrides = [line for point in points for line in point]
        hits = _hits(grid.exclusions, keys, overrides) if grid.exclusions else []
        for index in hits:
            matches[index] += 1
        if hits:
            excluded += 1
        else:
            trials.append(overrides)
    problems = [
        f"{exclusion.shown}: no trial of the sweep has these values, so nothing is excluded"
        for exclusion, count in zip(grid.exclusions, matches, strict=True)
        if not count and not exclusion.may_miss
    ]
    if not trials and not problems:
        problems.append(f"sweep.exclude leaves none of the {excluded} trials of the sweep")
    if problems:
        raise SettingsError(problems)
    return replace(grid, excluded=excluded), trials


def _hits(
    exclusions: Sequence[Exclusion], keys: Sequence[str], overrides: Sequence[str]
) -> list[int]:
    values = {
        key: _comparable(line.partition("=")[2]) for key, line in zip(keys, overrides, strict=True)
    }
    return [
        index
        for index, exclusion in enumerate(exclusions)
        if all(values[key] in allowed for key, allowed in exclusion.values.items())
    ]


def _of_trials(arguments: Sequence[str], parse: Parse) -> list[str]:
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


def _asked(lines: Sequence[Axis], problems: list[str]) -> list[Axis]:
    """The command line's axes: as in Hydra the last value of a key holds, if it has no others."""
    axes: dict[str, Axis] = {}
    for axis in lines:
        key = _setting(axis.keys[0])
        before = axes.get(key)
        if before is not None and max(len(before.points), len(axis.points)) > 1:
            problems.append(f"{axis.keys[0]} is given twice on the command line; once is enough")
        if not axis.points:
            problems.append(_empty(axis.keys[0]))
        axes[key] = axis
    return list(axes.values())


def _params(
    params: Mapping[str, Values], path: str, parse: Parse, problems: list[str]
) -> list[Axis]:
    axes: list[Axis] = []
    for key, values in params.items():
        axis = _column(key, values, f"{path}.{key}", parse, problems)
        if axis is not None:
            axes.append(axis)
    return axes


def _tied(
    mapping: Mapping[str, Values], path: str, parse: Parse, problems: list[str]
) -> list[Axis]:
    columns = [
        _column(key, values, f"{path}.{key}", parse, problems) for key, values in mapping.items()
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


def _column(key: str, values: Values, path: str, parse: Parse, problems: list[str]) -> Axis | None:
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
        if _setting(key) in seen:
            problems.append(
                f"{key} is given twice; it may be once in sweep.params, sweep.tied or "
                f"{HYDRAS_PARAMS}"
            )
        seen.add(_setting(key))


def _merged(written: Sequence[Axis], asked: Sequence[Axis], problems: list[str]) -> list[Axis]:
    """Put the command line's values in the place of those written for the same keys."""
    left = {_setting(axis.keys[0]): axis for axis in asked}
    merged: list[Axis] = []
    for axis in written:
        given = [left.pop(_setting(key)) for key in axis.keys if _setting(key) in left]
        if len(given) == len(axis.keys):  # all of it, tied or not
            merged += given
        elif given:
            merged.append(_rows(axis, given, problems))
        else:
            merged.append(axis)
    return [*merged, *left.values()]


def _rows(axis: Axis, given: Sequence[Axis], problems: list[str]) -> Axis:
    """The rows of tied keys that have the values which the command line gives for some of them."""
    rows = axis.points
    for asked in given:
        key = asked.keys[0]
        column = [_setting(each) for each in axis.keys].index(_setting(key))
        wanted = [_comparable(value) for (value,) in asked.points]
        there = {_comparable(row[column]) for row in axis.points}
        others = [each for each in axis.keys if _setting(each) != _setting(key)]
        for (value,) in asked.points:
            if _comparable(value) not in there:
                problems.append(
                    f"{key}={value}: {key} is tied to {', '.join(others)} in the sweep, with the "
                    f"values {', '.join(dict.fromkeys(row[column] for row in axis.points))}; "
                    f"choose among these, or give {', '.join(others)} as well"
                )
        rows = tuple(row for row in rows if _comparable(row[column]) in wanted)
    if not rows and not problems:
        lines = ", ".join(line for each in given for (line,) in each.overrides())
        problems.append(f"{lines}: no row of the tied keys {', '.join(axis.keys)} has all of these")
    return replace(axis, points=rows)


def _exclusion(
    mapping: Mapping[str, Values],
    path: str,
    given: Set[str],
    parse: Parse,
    problems: list[str],
) -> Exclusion:
    values: dict[str, frozenset[float | str]] = {}
    shown: list[str] = []
    for key, text in mapping.items():
        axis = _column(key, text, f"{path}.{key}", parse, problems)
        points = () if axis is None else axis.points
        values[_setting(key)] = frozenset(_comparable(value) for (value,) in points)
        shown.append(f"{key}={','.join(value for (value,) in points)}")
    return Exclusion(f"{path} ({' '.join(shown)})", values, bool(given & set(values)))


def _setting(key: str) -> str:
    """The setting that a key names, however it is written."""
    bare = key.lstrip("+~")
    return SAME_SETTING.get(bare, bare)


def _comparable(value: str) -> float | str:
    """Equal for values that are one, such as 1e-4 and 0.0001, or 'a b' in either quotes."""
    try:
        return float(value)
    except ValueError:
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
        return value[1:-1] if quoted else value


def _empty(path: str) -> str:
    return f"{path}: names no values; must have at least one, such as 4,16,32"
