"""A finished sweep as Markdown, for docs/experiments.md: what scripts/draw_sweep.py draws, in
numbers.

python scripts/tabulate_sweep.py results/multirun/DATE/TIME
python scripts/tabulate_sweep.py results/multirun/DATE/TIME --steps val_loss subject

The first has a row for each setting, as the report's table does, and one for the noise floors; ★
is the best, ≈ cannot be told from it. The second has a column for each step that was measured.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lora_sweep.errors import LoraSweepError
from lora_sweep.results.measures import MEASURES
from lora_sweep.results.metrics import read_metrics
from lora_sweep.results.report.axes import Value
from lora_sweep.results.report.content import chosen_measure, verdicts_of
from lora_sweep.results.report.read import Found, ReportTrial
from lora_sweep.results.report.sources import find
from lora_sweep.results.report.text import ARROWS, decimals
from lora_sweep.results.report.verdict import Verdict

GROUPS = ("experiment", "optimizer", "te_mode", "prior", "snr", "rank")
"""Axes whose values are files in conf: written as names."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sweep", type=Path, help="the folder with sweep.json")
    parser.add_argument(
        "--steps", nargs="+", default=[], metavar="MEASURE", choices=MEASURES, help="over steps"
    )
    arguments = parser.parse_args()
    try:
        found = find([arguments.sweep])
        print(
            "\n".join(table_of_steps(found, arguments.steps) if arguments.steps else table(found))
        )
    except LoraSweepError as error:
        sys.exit(str(error))


def table(found: Found) -> list[str]:
    """A row for each setting, best first, then the noise floors."""
    verdicts = verdicts_of(found)
    chosen = chosen_measure(verdicts, found.objectives)
    if chosen is None:
        return ["No trial has a measure yet."]
    heads = [name_of(axis.name) for axis in found.axes if not axis.is_seed]
    heads += [f"{name} {ARROWS[MEASURES[name].better]}" for name in verdicts]
    rows = [heads, ["---"] * len(heads)]
    for standing in verdicts[chosen].standings:
        cells = [score_of(verdict, standing.group) for verdict in verdicts.values()]
        rows.append([*settings_of(found, standing.group), *cells])
    floors = [
        "?" if verdict.floor is None else f"{verdict.floor:.{decimals(verdict)}f}"
        for verdict in verdicts.values()
    ]
    blank = [""] * (len(heads) - len(floors) - 1)
    return [f"| {' | '.join(row)} |" for row in [*rows, ["noise floor", *blank, *floors]]]


def table_of_steps(found: Found, measures: Sequence[str]) -> list[str]:
    """A row for each setting and measure: its mean over seeds at every step measured in all."""
    by_group = [measured(found, group) for group in found.groups]
    steps = sorted({step for rows in by_group for step in rows})
    heads = [name_of(axis.name) for axis in found.axes if not axis.is_seed]
    heads += ["measure"] if len(measures) > 1 else []
    table = [[*heads, *(f"{step} steps" for step in steps)], ["---"] * (len(heads) + len(steps))]
    for group, rows in enumerate(by_group):
        for name in measures:
            means = [f"{rows[step][name]:.4f}" if step in rows else "" for step in steps]
            label = [name] if len(measures) > 1 else []
            table.append([*settings_of(found, group), *label, *means])
    return [f"| {' | '.join(row)} |" for row in table]


def measured(found: Found, group: Sequence[int]) -> dict[int, Mapping[str, float]]:
    """Means over the trials of a group, at the steps at which every one of them was measured."""
    histories = [history(found.trials[index]) for index in group]
    steps = set.intersection(*(set(each) for each in histories))
    return {
        step: {
            name: statistics.mean(each[step][name] for each in histories)
            for name in MEASURES
            if all(name in each[step] for each in histories)
        }
        for step in sorted(steps)
    }


def history(trial: ReportTrial) -> dict[int, dict[str, float]]:
    """Every row of metrics.jsonl that has measures, by its step."""
    rows = read_metrics(trial.folder.metrics)
    return {
        int(row["step"]): {name: float(row[name]) for name in MEASURES if name in row}
        for row in rows
        if "val_loss" in row
    }


def name_of(axis: str) -> str:
    """A setting's name without its group: files in conf have no other."""
    return axis if axis in GROUPS else f"`{axis}`"


def settings_of(found: Found, group: int) -> list[str]:
    """What sets a group apart."""
    values: Mapping[str, Value] = found.values[found.groups[group][0]]
    shown = (values.get(axis.name) for axis in found.axes if not axis.is_seed)
    return ["null" if value is None else str(value) for value in shown]


def score_of(verdict: Verdict, group: int) -> str:
    """Mean and spread over seeds, marked."""
    place = next((k for k, each in enumerate(verdict.standings) if each.group == group), None)
    if place is None:
        return ""
    standing, digits = verdict.standings[place], decimals(verdict)
    spread = "" if standing.spread is None else f" ± {standing.spread:.{digits}f}"
    mark = " ★" if place == 0 else " ≈" if standing.inside else ""
    return f"{standing.mean:.{digits}f}{spread}{mark}"


if __name__ == "__main__":
    main()
