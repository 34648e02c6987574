"""What varies among the trials of a sweep, in the words they were asked for with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SEEDS = frozenset({"seed", "dataset.subset_seed"})
"""Settings whose values are repeats of one experiment: what they change is noise."""

NOT_TOLD = frozenset({"results.dir", "results.name", "sweep"})
"""Overrides that say where results go or which grid a trial is of; they make no trial differ."""

Value = str | int | float | bool | None
"""What an axis can have as a value; None where a trial does not set it."""


@dataclass(frozen=True)
class Axis:
    """One thing that varies; values in the order in which they are shown."""

    name: str
    values: tuple[Value, ...]

    @property
    def is_seed(self) -> bool:
        """Whether its values are repeats."""
        return self.name in SEEDS


def parse_override(override: str) -> tuple[str, Value]:
    """`key=value` as a pair; numbers as numbers, everything else as written."""
    key, _, text = override.lstrip("+~").partition("=")
    return key, _typed(text)


def is_told(override: str) -> bool:
    """Whether it can make a trial another, and not only say where or how trials run."""
    return _is_told(parse_override(override)[0])


def _is_told(name: str) -> bool:
    return name not in NOT_TOLD and not name.startswith(("hydra", "tracker"))


def _typed(text: str) -> Value:
    words: dict[str, Value] = {"null": None, "true": True, "false": False}
    if text in words:
        return words[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def values_by_override(overrides: Sequence[Sequence[str]]) -> list[dict[str, Value]] | None:
    """Of each trial, the overrides that are not the same in all.

    None where they do not tell the trials apart, so that the settings themselves have to.
    """
    pairs = [dict(parse_override(override) for override in asked) for asked in overrides]
    values: list[dict[str, Value]] = _differing(pairs)
    distinct = {tuple(sorted((key, repr(value)) for key, value in row.items())) for row in values}
    return values if len(distinct) == len(values) else None


def values_by_setting(varied: Sequence[Mapping[str, Any]]) -> list[dict[str, Value]]:
    """Of each trial, the settings that are not the same in all; lists become text."""
    return _differing([{key: _plain(value) for key, value in row.items()} for row in varied])


def _differing(rows: Sequence[Mapping[str, Value]]) -> list[dict[str, Value]]:
    names = dict.fromkeys(name for row in rows for name in row)
    kept = [
        name
        for name in names
        if _is_told(name) and len({repr(row.get(name, ...)) for row in rows}) > 1
    ]
    return [{name: row[name] for name in kept if name in row} for row in rows]


def _plain(value: Any) -> Value:
    if value is None or isinstance(value, str | int | float):
        return value
    return "[" + ", ".join(map(str, value)) + "]" if isinstance(value, list) else str(value)


def axes_of(
    values: Sequence[Mapping[str, Value]], asked: Mapping[str, Sequence[Any]] | None = None
) -> list[Axis]:
    """The axes, repeats last; `asked` is the order in which a sweep names keys and values.

    Numbers come in order of size, everything else in order of appearance.
    """
    names = [*(asked or {}), *(name for row in values for name in row)]
    order: list[str] = list(dict.fromkeys(names))
    axes: list[Axis] = []
    for name in order:
        # By how they are written: True is no 1.
        seen = list({repr(row.get(name)): row.get(name) for row in values}.values())
        if len(seen) > 1:
            axes.append(Axis(name, tuple(_ordered(seen, (asked or {}).get(name)))))
    return sorted(axes, key=lambda axis: axis.is_seed)


def _ordered(seen: Sequence[Value], asked: Sequence[Any] | None) -> list[Value]:
    if all(isinstance(value, int | float) or value is None for value in seen):
        return sorted(seen, key=lambda value: (value is not None, value))
    wanted = [_typed(value) if isinstance(value, str) else value for value in asked or ()]
    return sorted(seen, key=lambda v: wanted.index(v) if v in wanted else len(wanted))


def group_trials(
    values: Sequence[Mapping[str, Value]], axes: Sequence[Axis]
) -> list[tuple[int, ...]]:
    """Positions of trials that differ in seeds alone, in order of the first of each group."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for index, row in enumerate(values):
        key = tuple(repr(row.get(axis.name)) for axis in axes if not axis.is_seed)
        groups.setdefault(key, []).append(index)
    return [tuple(group) for group in groups.values()]
