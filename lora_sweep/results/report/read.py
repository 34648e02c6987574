"""What is on disk of a sweep, or of trials named one by one, whatever state they are in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lora_sweep.errors import StoreError
from lora_sweep.results.card import flatten
from lora_sweep.results.metrics import read_metrics
from lora_sweep.results.names import is_free
from lora_sweep.results.report.axes import (
    Axis,
    Value,
    axes_of,
    group_trials,
    values_by_override,
    values_by_setting,
)
from lora_sweep.results.report.curves import Curves, curves_of
from lora_sweep.results.samples import Sample, read_samples
from lora_sweep.results.store import Store, TrialFolder
from lora_sweep.results.summary import FORMAT, varied_values
from lora_sweep.results.trial_record import TrialRecord, TrialState

UNREADABLE = "unreadable"
YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Hundreds of config.yaml are read; the one in C, where PyYAML has it, is ten times as fast."""


@dataclass(frozen=True)
class ReportTrial:
    """One trial as found; `settings` is flat and empty where config.yaml is missing."""

    folder: TrialFolder
    record: TrialRecord
    overrides: tuple[str, ...] | None  # None: not asked for by a sweep that is known
    settings: Mapping[str, Any]
    curves: Curves
    samples: tuple[Sample, ...]
    problem: str | None = None  # why a file of it could not be read

    @property
    def id(self) -> str:
        return self.folder.id

    @property
    def state(self) -> str:
        """Where it stands, or that its record is damaged."""
        return UNREADABLE if self.problem else self.record.state.value

    @property
    def scores(self) -> dict[str, float]:
        """Measures of a finished trial; none of any other."""
        if self.record.state is not TrialState.done:
            return {}
        return {name: score for name, score in self.record.scores.items() if score is not None}


@dataclass(frozen=True)
class SweepFile:
    """What sweep.json says; files of older versions have trials alone."""

    trials: tuple[tuple[str, tuple[str, ...]], ...]  # id and overrides, in the order asked for
    name: str | None = None
    fixed: tuple[str, ...] = ()  # overrides of every trial
    axes: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    tree: Mapping[str, Any] | None = None
    left_out: tuple[Mapping[str, Any], ...] = ()  # impossible: overrides and problems
    objectives: tuple[str, ...] = ()  # measures that a study searched by


@dataclass(frozen=True)
class Found:
    """All that a report is made from."""

    title: str
    place: Path  # the folder the report is about
    store: Store
    trials: tuple[ReportTrial, ...]
    values: tuple[dict[str, Value], ...]  # of each trial on the axes
    axes: tuple[Axis, ...]
    groups: tuple[tuple[int, ...], ...]  # positions of trials that differ in seeds alone
    fixed: tuple[str, ...] = ()
    tree: Mapping[str, Any] | None = None
    left_out: tuple[Mapping[str, Any], ...] = ()
    objectives: tuple[str, ...] = ()


def read_sweep_file(path: Path) -> SweepFile:
    """Read sweep.json; raises StoreError when it is missing, damaged or too new."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StoreError(f"{path.parent} holds no sweep: there is no {path.name} in it") from error
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read: {error}") from error
    version = content.get("format") if isinstance(content, dict) else None
    if not isinstance(version, int):
        raise StoreError(f"{path} is no list of a sweep's trials: its format is {version!r}")
    if version > FORMAT:
        raise StoreError(
            f"{path} has format {version}, written by a newer lora_sweep; this one reads up to "
            f"{FORMAT}: update lora_sweep"
        )
    try:
        trials = {str(row["id"]): tuple(map(str, row["overrides"])) for row in content["trials"]}
    except (KeyError, TypeError) as error:
        raise StoreError(f"{path} is damaged: a trial without {error}") from error
    return SweepFile(
        tuple(trials.items()),
        content.get("name"),
        tuple(map(str, content.get("fixed") or ())),
        content.get("axes") or {},
        content.get("tree"),
        tuple(content.get("left_out") or ()),
        tuple((content.get("study") or {}).get("objectives") or ()),
    )


def read_trials(
    store: Store, asked: Sequence[tuple[str, tuple[str, ...] | None]]
) -> tuple[ReportTrial, ...]:
    """Every trial, those not yet begun as waiting; what cannot be read is said in the trial."""
    return tuple(_read_trial(store.trial(id), overrides, len(asked)) for id, overrides in asked)


def _read_trial(
    folder: TrialFolder, overrides: tuple[str, ...] | None, num_trials: int
) -> ReportTrial:
    record, problem = TrialRecord(folder.id), None
    try:
        record = folder.read_record() or record
    except StoreError as error:
        problem = str(error)
    settings: Mapping[str, Any] = {}
    curves, samples = Curves({}, [[], []]), list[Sample]()
    try:
        settings = _read_settings(folder.config)
        curves = curves_of(read_metrics(folder.metrics), num_trials)
        samples = read_samples(folder)
    except StoreError as error:
        problem = problem or str(error)
    return ReportTrial(folder, record, overrides, settings, curves, tuple(samples), problem)


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=YAML_LOADER)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise StoreError(f"{path} cannot be read: {error}") from error
    return flatten(content) if isinstance(content, dict) else {}


def arrange(
    title: str | None,
    place: Path,
    store: Store,
    trials: tuple[ReportTrial, ...],
    sweep: SweepFile | None = None,
) -> Found:
    """Find what varies and which trials are repeats of each other.

    title: None names the page by what varies.
    """
    values = None
    if all(trial.overrides is not None for trial in trials):
        values = values_by_override([trial.overrides or () for trial in trials])
    if values is None:
        values = _values_by_setting(trials)
    axes = axes_of(values, sweep.axes if sweep else None)
    varied = ", ".join(axis.name.removesuffix(".name") for axis in axes if not axis.is_seed)
    return Found(
        title or varied or (trials[0].record.name if trials else None) or place.name,
        place,
        store,
        trials,
        tuple(values),
        tuple(axes),
        tuple(group_trials(values, axes)),
        sweep.fixed if sweep else (),
        sweep.tree if sweep else None,
        sweep.left_out if sweep else (),
        sweep.objectives if sweep else (),
    )


def _values_by_setting(trials: Sequence[ReportTrial]) -> list[dict[str, Value]]:
    known = [trial for trial in trials if trial.settings]
    varied = values_by_setting(varied_values([_deciding(trial.settings) for trial in known]))
    found = dict(zip((trial.id for trial in known), varied, strict=True))
    return [found.get(trial.id, {}) for trial in trials]


def _deciding(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Without what cannot change an adapter: where things run and lie, how they are measured."""
    return {name: value for name, value in settings.items() if not is_free(name)}
