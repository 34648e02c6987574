"""The table that a sweep ends with: its trials, best first, as much of each as the terminal holds.
No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lora_sweep.results.measures import MEASURES
from lora_sweep.results.progress import standard_console
from lora_sweep.results.summary import SweepRow, cell, distinct, score_names, varied_settings
from lora_sweep.results.trial_record import TrialRecord, TrialState

WIDTH_OF_A_LOG = 240
GAP = 2  # blanks between columns
LOWER_IS_BETTER = ("val_loss", "fit_loss")
"""Measures that the table may be sorted by; the first that any trial has decides."""


@dataclass(frozen=True)
class _Column:
    head: str
    cells: Sequence[str]
    is_spared: bool = True  # False: left out first where there is no room

    @property
    def width(self) -> int:
        return max(map(len, (self.head, *self.cells))) + GAP


def print_table(
    rows: Sequence[SweepRow], console: Console | None = None, by: str | None = None
) -> None:
    """The trials, best first by a measure; those without a result last.

    by: the measure; None takes the first that there is of LOWER_IS_BETTER.
    """
    out = console or standard_console()
    if not out.is_terminal:
        out.width = WIDTH_OF_A_LOG  # rich takes 80 columns
    rows = distinct(rows)
    scores = score_names(rows)
    key = by or next((score for score in LOWER_IS_BETTER if score in scores), None)
    order = sorted(range(len(rows)), key=lambda index: _rank(rows[index].record, key, index))
    columns = _columns([rows[index] for index in order], scores, key)
    shown, left_out = _fitting(columns, out.width)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in shown:
        table.add_column(Text(column.head), no_wrap=True)
    for cells in zip(*(column.cells for column in shown), strict=True):
        # As Text: values may come from a user, and rich reads markup.
        table.add_row(*map(Text, cells))
    out.print(table)
    if left_out:
        line = f"no room for {', '.join(left_out)}: they are in summary.csv and in the report"
        out.print(Text(line), soft_wrap=True)
    for row in rows:
        if row.record.state is not TrialState.done and row.record.error:
            line = f"{row.record.id}: {row.record.state.value}: {row.record.error}"
            out.print(Text(line), soft_wrap=True)


def _columns(rows: Sequence[SweepRow], scores: Sequence[str], key: str | None) -> list[_Column]:
    varied, records = varied_settings(rows), [row.record for row in rows]
    names = dict.fromkeys(name for values in varied for name in values)
    return [
        _Column("trial", [record.id for record in records]),
        *(_Column(name, [cell(values.get(name)) for values in varied]) for name in names),
        _Column("state", [record.state.value for record in records]),
        _Column("steps", [str(record.steps) for record in records], False),
        _Column("seconds", [f"{record.seconds:.0f}" for record in records], False),
        *(_Column(s, [_score(r.scores.get(s)) for r in records], s == key) for s in scores),
    ]


def _fitting(columns: Sequence[_Column], width: int) -> tuple[list[_Column], list[str]]:
    """Columns that a terminal has room for, and the heads of those that are left out."""
    shown, left_out = list(columns), list[str]()
    while sum(column.width for column in shown) - GAP > width:
        last = next((column for column in reversed(shown) if not column.is_spared), None)
        if last is None:
            return [replace(column, head=_word(column.head)) for column in shown], left_out
        shown.remove(last)
        left_out.insert(0, last.head)
    return shown, left_out


def _word(name: str) -> str:
    """A setting in one word: optimizer.name is the optimizer."""
    return name.removesuffix(".name").rpartition(".")[2]


def _rank(record: TrialRecord, key: str | None, index: int) -> tuple[bool, float, int]:
    value = record.scores.get(key) if key is not None else None
    if record.state is not TrialState.done or value is None:
        return True, 0.0, index
    higher = key in MEASURES and MEASURES[key].better == "higher"
    return False, -value if higher else value, index


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
