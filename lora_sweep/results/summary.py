"""How a sweep stands: its trials and what varies among them, as CSV and JSON. No torch."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lora_sweep.config import to_plain
from lora_sweep.config.settings import Settings
from lora_sweep.files import atomic_write, to_json
from lora_sweep.results.card import flatten
from lora_sweep.results.store import SweepFolder
from lora_sweep.results.trial_record import TrialRecord

FORMAT = 1


@dataclass(frozen=True)
class SweepRow:
    """One trial as it was asked for, and what became of it."""

    overrides: Sequence[str]
    settings: Settings
    record: TrialRecord


def varied_settings(rows: Sequence[SweepRow]) -> list[dict[str, Any]]:
    """Of each trial, the settings that are not the same in all; what it has not got is absent."""
    return varied_values([flatten(to_plain(row.settings)) for row in rows])


def varied_values(flat: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same for settings that are flat already, by dotted name."""
    names = dict.fromkeys(name for values in flat for name in values)
    varied = [
        name
        for name in names
        if len({repr(values.get(name, ...)) for values in flat}) > 1
        # A choice's name tells as much as the details that come with it.
        and not _comes_with_a_choice(name, flat)
    ]
    return [{name: values[name] for name in varied if name in values} for values in flat]


def _comes_with_a_choice(name: str, flat: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the value of a setting follows from the `name` chosen for its section."""
    section = name.rpartition(".")[0]
    choice = f"{section}.name"
    if not section or name == choice or any(choice not in values for values in flat):
        return False
    seen: dict[Any, set[str]] = {}
    for values in flat:
        seen.setdefault(values[choice], set()).add(repr(values.get(name, ...)))
    return len(seen) > 1 and all(len(found) == 1 for found in seen.values())


def write_summary(
    folder: SweepFolder, rows: Sequence[SweepRow], about: Mapping[str, Any] | None = None
) -> None:
    """Write sweep.json (trials in the order asked for, duplicates too) and summary.csv (each trial
    once); raises StoreError.

    about: what else sweep.json tells of the sweep, such as its name and axes.
    """
    varied = varied_settings(rows)
    trials = [
        {"id": row.record.id, "overrides": list(row.overrides), "varied": values}
        for row, values in zip(rows, varied, strict=True)
    ]
    content = {"format": FORMAT, **(about or {}), "trials": trials}
    atomic_write(folder.sweep, to_json(content, indent=2) + "\n")
    atomic_write(folder.summary, _csv(distinct(rows)))


def distinct(rows: Sequence[SweepRow]) -> list[SweepRow]:
    """Each trial once, where it was asked for first."""
    first: dict[str, SweepRow] = {}
    for row in rows:
        first.setdefault(row.record.id, row)
    return list(first.values())


def _csv(rows: Sequence[SweepRow]) -> str:
    varied = varied_settings(rows)
    names = list(dict.fromkeys(name for values in varied for name in values))
    scores = score_names(rows)
    buffer = io.StringIO()
    fixed = ["id", "name", "state", "steps", "seconds", "seconds_shared"]
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*fixed, *names, *scores, "error"])
    for row, values in zip(rows, varied, strict=True):
        record = row.record
        writer.writerow(
            [
                record.id,
                record.name,
                record.state.value,
                record.steps,
                f"{record.seconds:.1f}",
                f"{record.seconds_shared:.1f}",
                *(cell(values.get(name)) for name in names),
                *(cell(record.scores.get(score)) for score in scores),
                record.error or "",
            ]
        )
    return buffer.getvalue()


def score_names(rows: Sequence[SweepRow]) -> list[str]:
    """The measures that any of the trials has, in their order."""
    return list(dict.fromkeys(name for row in rows for name in row.record.scores))


def cell(value: Any) -> str:
    """A setting's value in a table; null is empty."""
    return "" if value is None else str(value)
