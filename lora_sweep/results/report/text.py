"""The answer and the table of trials for a terminal."""

from __future__ import annotations

from collections.abc import Mapping

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


def print_text(found: Found, console: Console | None = None) -> None:
    """Which settings are best and how sure that is, then all settings, best first."""
    out = console or Console(highlight=False)
    if not out.is_terminal:
        out.width = WIDTH_OF_A_LOG  # rich takes 80 columns, and would cut names short
    verdicts = verdicts_of(found)
    measure = chosen_measure(verdicts)
    out.print(Text(found.title, style="bold"))
    for line in answer_lines(found, verdicts.get(measure) if measure else None):
        out.print(Text(line), soft_wrap=True)
    out.print()
    out.print(_table(found, verdicts, measure))
    for trial in found.trials:
        if trial.problem or trial.record.error:
            reason = trial.problem or trial.record.error
            out.print(Text(f"{trial.id} {trial.state}: {reason}"), soft_wrap=True)


def answer_lines(found: Found, verdict: Verdict | None) -> list[str]:
    """The answer in a few sentences."""
    if verdict is None:
        done = sum(trial.state == "done" for trial in found.trials)
        return [f"{done} of {len(found.trials)} trials are done, and none has a measure yet."]
    best = verdict.standings[0]
    lines = [
        f"Best by {verdict.measure} ({verdict.better} is better): {_label(found, best)}: "
        f"{_number(best)}"
    ]
    if verdict.pooled is None:
        lines.append("Nothing was repeated with another seed, so how much is noise is not known.")
        return lines
    inside = [standing for standing in verdict.standings if standing.inside]
    lines.append(
        f"Best of all with a chance of {best.chance or 0:.0%}; a repeat varies by "
        f"{verdict.pooled:.2g} (standard deviation, {verdict.degrees} degrees of freedom)."
    )
    if inside:
        lines.append("Not to be told from it:")
        lines += [f"  {_label(found, one)}: {_number(one)}" for one in inside]
    elif len(verdict.standings) > 1:
        lines.append("Every other setting is worse by more than noise.")
    return lines


def _number(standing: Standing) -> str:
    spread = "" if standing.spread is None else f" ± {standing.spread:.2g}"
    count = len(standing.values)
    return f"{standing.mean:.4g}{spread} ({count} seed{'' if count == 1 else 's'})"


def _label(found: Found, standing: Standing) -> str:
    values = found.values[found.groups[standing.group][0]]
    parts = [f"{a.name}={_cell(values.get(a.name))}" for a in found.axes if not a.is_seed]
    return " ".join(parts) or "the one setting there is"


def _table(found: Found, verdicts: Mapping[str, Verdict], measure: str | None) -> Table:
    measures = [name for name in MEASURES if any(name in trial.scores for trial in found.trials)]
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
        states = dict.fromkeys(trial.state for trial in trials)
        cells.append(f"{len(trials)} {'/'.join(states)}")
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
    spread = "" if standing.spread is None else f" ± {standing.spread:.1g}"
    mark = " *" if place == 0 else " ~" if standing.inside else ""
    return f"{standing.mean:.4g}{spread}{mark}"


def _cell(value: Value) -> str:
    return "-" if value is None else str(value)
