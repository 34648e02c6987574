"""The answer and the table of trials for a terminal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lora_sweep.results.measures import MEASURES
from lora_sweep.results.progress import duration
from lora_sweep.results.report.axes import Value
from lora_sweep.results.report.content import chosen_measure, verdicts_of
from lora_sweep.results.report.read import Found
from lora_sweep.results.report.verdict import Standing, Verdict

ARROWS = {"lower": "↓", "higher": "↑", None: ""}
WIDTH_OF_A_LOG = 240
MOST_TIED = 8
LONGEST_NUMBER = 8
"""Characters of a setting's value, as a search draws them, before it is rounded."""

LIKELY = 0.8
"""A chance of being best from which on a tie is called otherwise."""


def print_text(found: Found, console: Console | None = None) -> None:
    """Which settings are best and how sure that is, then all settings, best first."""
    out = console or Console(highlight=False)
    if not out.is_terminal:
        out.width = WIDTH_OF_A_LOG  # rich takes 80 columns, and would cut names short
    verdicts = verdicts_of(found)
    measure = chosen_measure(verdicts, found.objectives)
    out.print(Text(found.title, style="bold"))
    for line in answer_lines(found, verdicts.get(measure) if measure else None):
        out.print(Text(line), soft_wrap=True)
    out.print()
    table, hidden = _fitting_table(found, verdicts, measure, out)
    out.print(table)
    if hidden:
        out.print(Text(f"No room here for {', '.join(hidden)}; report.html and files have them."))
    for trial in found.trials:
        if trial.problem or trial.record.error:
            reason = trial.problem or trial.record.error
            out.print(Text(_printable(f"{trial.id} {trial.state}: {reason}")), soft_wrap=True)


def answer_lines(found: Found, verdict: Verdict | None) -> list[str]:
    """The answer in a few sentences."""
    states = Counter(trial.state for trial in found.trials)
    if verdict is None:
        return [f"{states['done']} of {len(found.trials)} trials are done; none has a measure yet."]
    waiting = [f"{states[name]} {name}" for name in ("waiting", "running") if states[name]]
    best = verdict.standings[0]
    lines = [f"The answer so far: {' and '.join(waiting)}."] if waiting else []
    lines.append(
        f"Best by {verdict.measure} ({verdict.better} is better): {_label(found, best)}: "
        f"{_number(verdict, best)}"
    )
    if len(verdict.standings) == 1:
        return [*lines, "Nothing to compare: only these settings have a result."]
    if verdict.floor is None:
        return [*lines, "How sure that is is not known: nothing ran with a second seed."]
    inside = [standing for standing in verdict.standings if standing.inside]
    lines.append(
        f"Best of all with a chance of {_percent(best.chance or 0.0)}; nearer to it than "
        f"{verdict.floor:.2g} is a tie."
    )
    if not inside:
        return [*lines, "Every other setting is worse by more than noise."]
    likely = (best.chance or 0.0) >= LIKELY
    lines.append("Cannot be ruled out yet:" if likely else "Cannot be told from it:")
    lines += [f"  {_label(found, one)}: {_number(verdict, one)}" for one in inside[:MOST_TIED]]
    rest = len(inside) - MOST_TIED
    return [*lines, f"  and {rest} more"] if rest > 0 else lines


def _percent(share: float) -> str:
    return "over 99%" if share > 0.99 else f"{share:.0%}"


def _number(verdict: Verdict, standing: Standing) -> str:
    count = len(standing.levelled)
    return f"{_value(verdict, standing)} ({count} seed{'' if count == 1 else 's'})"


def _value(verdict: Verdict, standing: Standing) -> str:
    digits = decimals(verdict)
    mean = _fixed(standing.mean, digits)
    return mean if standing.spread is None else f"{mean} ± {_fixed(standing.spread, digits)}"


def _fixed(value: float, digits: int) -> str:
    return f"{value:.1e}" if value and abs(value) < 0.5 * 10**-digits else f"{value:.{digits}f}"


def decimals(verdict: Verdict) -> int:
    """Down to the second digit of the noise floor, what is below it says nothing; at most four
    digits in all.
    """
    largest = max((abs(each.mean) for each in verdict.standings), default=0.0)
    places = 3 - _power(largest)
    if verdict.floor:
        places = min(places, 1 - _power(verdict.floor))
    return max(0, min(8, places))


def _power(value: float) -> int:
    return math.floor(math.log10(value)) if value else 0


def _label(found: Found, standing: Standing) -> str:
    values = found.values[found.groups[standing.group][0]]
    parts = [f"{a.name}={_cell(values.get(a.name))}" for a in found.axes if not a.is_seed]
    return " ".join(parts) or "the one setting there is"


def _fitting_table(
    found: Found, verdicts: Mapping[str, Verdict], measure: str | None, out: Console
) -> tuple[Table, list[str]]:
    """As many measures as there is room for, the one to judge by before all; and the others."""
    shown = [name for name in MEASURES if any(name in trial.scores for trial in found.trials)]
    hidden: list[str] = []
    table = _table(found, verdicts, measure, shown)
    room = out.options.update_width(10_000)  # no table is wider than the room it is given
    while len(shown) > 1 and out.measure(table, options=room).maximum > out.width:
        hidden.insert(0, [name for name in shown if name != measure][-1])
        shown.remove(hidden[0])
        table = _table(found, verdicts, measure, shown)
    return table, hidden


def _table(
    found: Found, verdicts: Mapping[str, Verdict], measure: str | None, measures: Sequence[str]
) -> Table:
    axes = [axis for axis in found.axes if not axis.is_seed]
    table = Table(box=None, pad_edge=False, header_style="bold")
    heads = [f"{name} {ARROWS[MEASURES[name].better]}".strip() for name in measures]
    for head in (*(axis.name for axis in axes), *heads, "trials", "time"):
        table.add_column(Text(head), no_wrap=True)
    order = [s.group for s in verdicts[measure].standings] if measure else []
    order += [k for k in range(len(found.groups)) if k not in set(order)]
    for k in order:
        trials = [found.trials[index] for index in found.groups[k]]
        values = found.values[found.groups[k][0]]
        cells = [_cell(values.get(axis.name)) for axis in axes]
        for name in measures:
            cells.append(_score(found, verdicts.get(name), name, k))
        states = Counter(trial.state for trial in trials)
        cells.append(", ".join(f"{count} {state}" for state, count in states.items()))
        cells.append(duration(sum(trial.record.seconds for trial in trials)))
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _score(found: Found, verdict: Verdict | None, measure: str, group: int) -> str:
    if verdict is None:
        scores = [found.trials[k].scores.get(measure) for k in found.groups[group]]
        known = [score for score in scores if score is not None]
        return f"{sum(known) / len(known):.4g}" if known else "-"
    place = next((n for n, s in enumerate(verdict.standings) if s.group == group), None)
    if place is None:
        return "-"
    standing = verdict.standings[place]
    alone = len(verdict.standings) == 1
    mark = " ★" if place == 0 and not alone else " ≈" if standing.inside else "  "
    return _value(verdict, standing) + mark


def _cell(value: Value) -> str:
    if isinstance(value, float) and len(str(value)) > LONGEST_NUMBER:
        return f"{value:.4g}"
    return "-" if value is None else _printable(str(value))


def _printable(text: str) -> str:
    """Without what a terminal would obey."""
    return "".join(character if character.isprintable() else " " for character in text)
