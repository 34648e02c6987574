"""Dimensions of a search space from lines of the command line, by Hydra's own parser."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException

from lora_sweep.config.study import Choice, Dimension, Number, typed
from lora_sweep.config.sweep import Values

MAX_CHOICES = 1000
TAGS = frozenset({"log", "int"})


def parse_dimensions(
    loader: ConfigLoader, space: Mapping[str, Values], path: str, problems: list[str]
) -> dict[str, Dimension]:
    """Return the dimension of each key; what is wrong is added to the problems.

    Lists (`4,16`) and `choice` are choices, and so is one single value; `range` and `interval` are
    numbers: whole ones where both ends are, and with the tag `int`; with the tag `log` they are
    spread over orders of magnitude.
    """
    parser = OverridesParser.create(config_loader=loader)
    found: dict[str, Dimension] = {}
    for key, values in space.items():
        lines = [f"{key}={values}"] if isinstance(values, str) else [f"{key}={v}" for v in values]
        try:
            overrides = parser.parse_overrides(lines)
        except HydraException as error:
            problems.append(f"{path}{key}: {_one_line(error)}")
            continue
        dimension = _dimension(key, overrides, path, problems)
        if dimension is not None:
            found[key] = dimension
    return found


def parse_line(loader: ConfigLoader, line: str, problems: list[str]) -> tuple[str, Dimension | str]:
    """Return the key of one argument with its dimension, or the line itself if it has one value.

    Raises Hydra's own errors for what is no override.
    """
    (override,) = OverridesParser.create(config_loader=loader).parse_overrides([line])
    key = override.get_key_element()
    if not override.is_sweep_override():
        return key, line
    return key, _dimension(key, [override], "", problems) or line


def _dimension(
    key: str, overrides: list[Override], path: str, problems: list[str]
) -> Dimension | None:
    (first, *others) = overrides
    value = first.value()
    tags: set[str] = set(getattr(value, "tags", ()))
    if unknown := sorted(tags - TAGS):
        problems.append(f"{path}{key}: there is no tag {unknown[0]}; tags are log and int")
        return None
    if isinstance(value, RangeSweep | IntervalSweep) and not others:
        number = _interval(value) if isinstance(value, IntervalSweep) else _range(first, value)
        problem = "has no values" if number is None else _problem(number)
        if problem:
            written = (first.input_line or "").partition("=")[2]
            problems.append(f"{path}{key}={written}: {problem}")
            return None
        return number
    texts = [text for override in overrides for text in _texts(override)]
    if not texts or len(texts) > MAX_CHOICES:
        count = f"more than {MAX_CHOICES}" if texts else "no"
        problems.append(f"{path}{key}: has {count} values; must have at least one, such as 4,16")
        return None
    texts = list(dict.fromkeys(texts))
    return Choice(tuple(typed(text) for text in texts), tuple(texts))


def _texts(override: Override) -> list[str]:
    if not override.is_sweep_override():
        return [override.get_value_element_as_str()]
    return list(islice(override.sweep_string_iterator(), MAX_CHOICES + 1))


def _interval(value: IntervalSweep) -> Number:
    low, high = value.start or 0, value.end or 0
    whole = "int" in value.tags or (isinstance(low, int) and isinstance(high, int))
    return Number(float(low), float(high), 1 if whole else None, "log" in value.tags, whole)


def _range(override: Override, value: RangeSweep) -> Number | None:
    points = [float(text) for text in islice(override.sweep_string_iterator(), 1_000_001)]
    if not points:
        return None
    whole = "int" in value.tags or all(isinstance(x, int) for x in (value.start, value.step))
    low, high = min(points), max(points)
    return Number(low, high, abs(float(value.step)), "log" in value.tags, whole)


def _problem(number: Number) -> str:
    if number.low >= number.high:
        return "must have a low end below its high end"
    if number.log and number.low <= 0:
        return "must be above 0 everywhere, since it has the tag log"
    if number.log and number.step is not None and (not number.whole or number.step != 1):
        return "has steps and the tag log; must be an interval, or a range of whole numbers by 1"
    return ""


def _one_line(error: Exception) -> str:
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
