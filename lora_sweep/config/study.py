"""The section `study`: what a search looks for, where and how. Not part of any trial."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, cast

from lora_sweep.config.plain import show
from lora_sweep.config.sweep import Values, values_from_plain
from lora_sweep.errors import SettingsError

Scalar = str | int | float | bool | None
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
LEAST_HEARTBEAT, MOST_HEARTBEAT = 1, 3600  # seconds


@dataclass(frozen=True)
class Method:
    """A sampler or a pruner: its name, and what differs from its defaults."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=lambda: {})


@dataclass(frozen=True)
class Study:
    """A search; the files of conf/study are examples. Texts of values are as on a command line."""

    name: str | None = None  # null: there is no study
    objectives: tuple[str, ...] = ()  # measures; which way is better follows from each
    trials: int = 30  # all together, enqueued, pruned and failed ones too
    seed: int = 0  # of the search; that of training is a setting of the trials
    sampler: Method = Method("tpe")
    pruner: Method = Method("none")
    rungs: tuple[int, ...] | None = None  # steps at which to judge; null: as the pruner needs them
    space: Mapping[str, Values] = field(default_factory=lambda: {})
    when: Mapping[str, Mapping[str, Values]] = field(default_factory=lambda: {})  # by condition
    enqueue: tuple[Mapping[str, Scalar], ...] = ()  # points to begin with
    storage: str | None = None  # URL; null: a journal in the results folder
    join: bool = False  # work beside other processes that are at the same study
    heartbeat: int = 15  # seconds between signs of life
    pictures: bool = True  # last samples of each trial as artifacts, for optuna-dashboard


@dataclass(frozen=True)
class Choice:
    """One of several values; `texts` are how they are written on a command line."""

    values: tuple[Scalar, ...]
    texts: tuple[str, ...]

    def __str__(self) -> str:
        return ",".join(self.texts)


@dataclass(frozen=True)
class Number:
    """A number between low and high, both included; `step` apart where there is one."""

    low: float
    high: float
    step: float | None = None
    log: bool = False
    whole: bool = False

    def __str__(self) -> str:
        if self.step is None:
            text = f"interval({self.low:g},{self.high:g})"
        else:
            text = f"range({self.low:g}..{self.high:g},{self.step:g})"
        tags = [name for name, has in (("int", self.whole), ("log", self.log)) if has]
        return f"tag({','.join(tags)},{text})" if tags else text


Dimension = Choice | Number


@dataclass(frozen=True)
class Condition:
    """Holds where every key has one of its values."""

    text: str
    values: Mapping[str, tuple[str, ...]]


def study_from_plain(values: Mapping[str, Any]) -> Study:
    """Return the section as frozen values; raises SettingsError with everything that is wrong."""
    problems: list[str] = []
    given = {f.name: values[f.name] for f in fields(Study) if f.name in values}
    for part in ("sampler", "pruner"):
        given[part] = _method(given.get(part), part, problems)
    given["objectives"] = tuple(given.get("objectives") or ())
    given["rungs"] = _rungs(given.get("rungs"), problems)
    given["space"] = values_from_plain(given.get("space"), "study.space", problems)
    given["when"] = _when(given.get("when"), problems)
    given["enqueue"] = _points(given.get("enqueue"), problems)
    study = Study(**given)
    problems += _out_of_range(study)
    if problems:
        raise SettingsError(problems)
    return study


def parse_condition(text: str) -> Condition:
    """Return "optimizer=adamw,adamw8bit te_mode=lora" as a condition; raises SettingsError."""
    values: dict[str, tuple[str, ...]] = {}
    for part in text.split():
        key, equals, allowed = part.partition("=")
        if not equals or not key or not all(allowed.split(",")):
            raise SettingsError(
                [f"study.when.{text}: must be conditions such as optimizer=adamw, each a key and "
                 "its values, with spaces between several"]
            )  # fmt: skip
        values[key] = tuple(allowed.split(","))
    return Condition(text, values)


def typed(text: str) -> Scalar:
    """Return a value of a command line as the number or word that it stands for."""
    words: dict[str, Scalar] = {"null": None, "true": True, "false": False}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        return value if math.isfinite(value) else text
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text


def _method(value: Any, part: str, problems: list[str]) -> Method:
    if value is None:
        return Method("none")
    if isinstance(value, str):
        return Method(value)
    if isinstance(value, Mapping):
        arguments = dict(cast("Mapping[str, Any]", value))
        name = arguments.pop("name", None)
        if isinstance(name, str):
            return Method(name, arguments)
    problems.append(
        f"study.{part}={show(value)}: must be a name, or name and arguments, such as "
        "{name: tpe, n_startup_trials: 5}"
    )
    return Method("none")


def _rungs(value: Any, problems: list[str]) -> tuple[int, ...] | None:
    if value is None:
        return None
    steps = cast("list[Any]", value) if isinstance(value, list) else [value]
    if all(isinstance(step, int) and not isinstance(step, bool) and step > 0 for step in steps):
        return tuple(sorted(set(steps)))
    problems.append(f"study.rungs={show(value)}: must be steps of at least 1, such as [100,300]")
    return None


def _when(value: Any, problems: list[str]) -> Mapping[str, Mapping[str, Values]]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        problems.append(
            f"study.when={show(value)}: must be a mapping from conditions such as optimizer=adamw "
            "to keys and their values"
        )
        return {}
    found: dict[str, Mapping[str, Values]] = {}
    for text, keys in cast("Mapping[str, Any]", value).items():
        try:
            parse_condition(text)
        except SettingsError as error:
            problems += error.problems
        found[text] = values_from_plain(keys, f"study.when.{text}", problems)
    return found


def _points(value: Any, problems: list[str]) -> tuple[Mapping[str, Scalar], ...]:
    points = cast("list[Any]", value or [])
    if isinstance(points, list) and all(isinstance(point, Mapping) and point for point in points):  # pyright: ignore[reportUnnecessaryIsInstance]
        return tuple(dict(point) for point in points)
    problems.append(
        f"study.enqueue={show(value)}: must be a list of points, each a mapping from keys of the "
        "space to one value"
    )
    return ()


def _out_of_range(study: Study) -> Sequence[str]:
    found: list[str] = []
    if study.name is not None and not NAME.fullmatch(study.name):
        found.append(
            f"study.name={study.name}: must be letters, digits, '.', '_' and '-', beginning with a "
            "letter or a digit, since files are named after it"
        )
    if study.trials < 1:
        found.append(f"study.trials={study.trials}: must be at least 1")
    if not 0 <= study.seed < 2**63:
        found.append(f"study.seed={study.seed}: must be between 0 and 2**63 - 1")
    if not LEAST_HEARTBEAT <= study.heartbeat <= MOST_HEARTBEAT:
        found.append(
            f"study.heartbeat={study.heartbeat}: must be between {LEAST_HEARTBEAT} and "
            f"{MOST_HEARTBEAT} seconds"
        )
    return found
