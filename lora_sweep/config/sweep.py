"""The section `sweep` of the settings: which trials a sweep has. Not part of any trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any, cast

from lora_sweep.config.plain import show
from lora_sweep.errors import SettingsError

Values = str | tuple[str, ...]
"""What a key takes: text as on a command line (`4,16`, `range(1,4)`), or its values one by one."""


@dataclass(frozen=True)
class Sweep:
    """A set of trials; the files of conf/sweep are examples."""

    name: str | None = None
    params: Mapping[str, Values] = field(default_factory=lambda: {})  # every combination of these
    tied: tuple[Mapping[str, Values], ...] = ()  # keys of one mapping vary together
    exclude: tuple[Mapping[str, Values], ...] = ()  # trials that have all values of a mapping
    skip_invalid: bool = False  # leave impossible trials out in place of refusing the sweep
    max_failures: int | None = None  # stop when so many trials have failed; null: never

    @property
    def names_trials(self) -> bool:
        """Whether it says anything about which trials there are."""
        return bool(self.params or self.tied or self.exclude)


@dataclass(frozen=True)
class Axis:
    """Keys that vary together, and their values at each point, as written on a command line."""

    keys: tuple[str, ...]
    points: tuple[tuple[str, ...], ...]

    def overrides(self) -> list[list[str]]:
        """The overrides of each point."""
        return [
            [f"{key}={value}" for key, value in zip(self.keys, point, strict=True)]
            for point in self.points
        ]


class Calibrate(Enum):
    """When a plan takes a few real steps, in a process of its own, to see what they cost."""

    auto = "auto"  # where no trial and no earlier calibration tells, and the base is small
    never = "never"
    always = "always"  # everything anew, and on a large base too, if it is on this machine


def sweep_from_plain(values: Mapping[str, Any]) -> Sweep:
    """Return the section as frozen values; raises SettingsError with everything that is wrong."""
    problems: list[str] = []
    given = {f.name: values[f.name] for f in fields(Sweep) if f.name in values}
    given["params"] = values_from_plain(given.get("params"), "sweep.params", problems)
    for name in ("tied", "exclude"):
        given[name] = _mappings(given.get(name), f"sweep.{name}", problems)
    limit = given.get("max_failures")
    if limit is not None and limit < 1:
        problems.append(f"sweep.max_failures={limit}: must be at least 1, or null for no limit")
    if problems:
        raise SettingsError(problems)
    return Sweep(**given)


def _mappings(value: Any, path: str, problems: list[str]) -> tuple[Mapping[str, Values], ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        problems.append(
            f"{path}={show(value)}: must be a list of mappings, each from keys to values"
        )
        return ()
    found = [
        values_from_plain(item, f"{path}[{number}]", problems)
        for number, item in enumerate(cast("list[Any]", value))
    ]
    for number, mapping in enumerate(found):
        if not mapping and not problems:
            problems.append(f"{path}[{number}] is empty; must be a mapping from keys to values")
    return tuple(found)


def values_from_plain(value: Any, path: str, problems: list[str]) -> Mapping[str, Values]:
    """Return a mapping from keys to values; what is wrong with it is added to the problems."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        problems.append(f"{path}={show(value)}: must be a mapping from keys to values")
        return {}
    pairs = cast("Mapping[Any, Any]", value)
    return {str(key): _values(item, f"{path}.{key}", problems) for key, item in pairs.items()}


def _values(value: Any, path: str, problems: list[str]) -> Values:
    text = [_text(item) for item in cast("list[Any]", value)] if isinstance(value, list) else None
    if text == []:
        problems.append(f"{path}=[]: has no values; must have at least one, such as 4,16,32")
    if text is not None:
        return tuple(text)
    if isinstance(value, Mapping):
        problems.append(f"{path}: must be values, such as 4,16,32, and not a mapping")
        return ""
    if isinstance(value, str) and not value.strip():
        problems.append(f"{path} is empty; must have at least one value, such as 4,16,32")
    return _text(value)


def _text(value: Any) -> str:
    """Return a value of YAML as it is written on a command line."""
    if isinstance(value, Mapping):
        pairs = cast("Mapping[Any, Any]", value).items()
        return "{" + ",".join(f"{key}:{_text(item)}" for key, item in pairs) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ",".join(_text(item) for item in cast("Sequence[Any]", value)) + "]"
    return value if isinstance(value, str) else show(value)
