"""The grid of a sweep: its axes from the section `sweep` and the command line, and its trials.
No torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import product

from lora_sweep.config.sweep import Axis, Sweep, Values
from lora_sweep.errors import SettingsError
from lora_sweep.sweep.grid_axes import (
    Parse,
    asked_axes,
    column,
    comparable,
    lines_of_trials,
    merged,
    setting_of,
    written_axes,
)

MAX_TRIALS = 1_000_000


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
    asked = asked_axes(parse(lines_of_trials(arguments, parse)), problems)
    written = written_axes(sweep, hydras_params, parse, problems)
    axes = merged(written, asked, problems) if not problems else []
    grid = Grid(tuple(axes), sweep.name)
    if grid.num_points > MAX_TRIALS:
        sizes = " x ".join(str(len(axis.points)) for axis in axes if len(axis.points) > 1)
        problems.append(f"the sweep has {sizes} trials; at most {MAX_TRIALS:,} are planned at once")
    if problems:
        raise SettingsError(problems)
    # A file's exclusions were written for its own axes; one of the command line is meant for these.
    excludes = any(line.lstrip("+").startswith("sweep.exclude=") for line in arguments)
    given = set[str]() if excludes else {setting_of(axis.keys[0]) for axis in asked}
    exclusions = [
        _exclusion(mapping, f"sweep.exclude[{number}]", given, parse, problems)
        for number, mapping in enumerate(sweep.exclude)
    ]
    known = {setting_of(key): key for axis in axes for key in axis.keys}
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
    keys = [setting_of(key) for axis in grid.axes for key in axis.keys]
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
        key: comparable(line.partition("=")[2]) for key, line in zip(keys, overrides, strict=True)
    }
    return [
        index
        for index, exclusion in enumerate(exclusions)
        if all(values[key] in allowed for key, allowed in exclusion.values.items())
    ]


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
        axis = column(key, text, f"{path}.{key}", parse, problems)
        points = () if axis is None else axis.points
        values[setting_of(key)] = frozenset(comparable(value) for (value,) in points)
        shown.append(f"{key}={','.join(value for (value,) in points)}")
    return Exclusion(f"{path} ({' '.join(shown)})", values, bool(given & set(values)))
