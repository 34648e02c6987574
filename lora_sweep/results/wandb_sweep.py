"""The run of a sweep as a whole: its table, what varied in it, and its report as an artifact."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lora_sweep.config.settings import Tracker, Wandb
from lora_sweep.files import without_nan
from lora_sweep.results.measures import MEASURES
from lora_sweep.results.names import axis_values, digest, names_of, shortened
from lora_sweep.results.private import public_text, without_secrets
from lora_sweep.results.store import Store, SweepFolder
from lora_sweep.results.summary import SweepRow
from lora_sweep.results.tracker import to_stderr
from lora_sweep.results.trial_record import TrialState
from lora_sweep.results.wandb_files import RunPlan, staged_in
from lora_sweep.results.wandb_run import Say, first_line, say_once, start_run

LONGEST_ARTIFACT = 100  # of 128 characters that wandb allows


def log_sweep(
    settings: Tracker,
    group: str,
    folder: SweepFolder,
    rows: Sequence[SweepRow],
    say: Say = to_stderr,
) -> None:
    """Send a sweep that has ended, where the tracker is W&B; raises nothing.

    settings: the tracker of its trials. group: as they have it, unless the settings name one.
    """
    if not isinstance(settings, Wandb) or not rows:
        return
    try:
        _log(settings, settings.group or group, folder, rows, say)
    except Exception as error:
        # Broad on purpose: the sweep is done, and its table and report are on disk.
        say_once(say, f"W&B did not take the sweep's table and report ({first_line(error)})")


def _log(
    settings: Wandb, group: str, folder: SweepFolder, rows: Sequence[SweepRow], say: Say
) -> None:
    import wandb

    by_id = {row.record.id: row for row in rows}
    trials = {id_: row.settings for id_, row in by_id.items()}
    asked = {id_: row.overrides for id_, row in by_id.items()}
    values = without_secrets(axis_values(trials, asked))
    names = {id_: without_secrets(name.name) for id_, name in names_of(trials, asked).items()}
    axes: dict[str, list[str]] = {}
    for of_trial in values.values():
        for key, value in of_trial.items():
            axes[key] = list(dict.fromkeys([*axes.get(key, []), value]))
    plan = RunPlan(
        id=f"sweep-{digest(group)}",
        name=f"sweep {group}",
        group=group,
        job_type="sweep",
        tags=list(settings.tags),
        config={"sweep": group, "axes": axes, "trials": len(by_id)},
        folder=Store(Path(rows[0].settings.results.dir)).wandb,
    )
    run = start_run(settings, plan, say)
    if run is None:
        return
    columns, data = _table(by_id, values, names, list(axes))
    with staged_in(plan.folder):
        table = wandb.Table(columns=columns, data=data, allow_mixed_types=True)
        run.log({"trials": table})
        report = wandb.Artifact(_artifact_name(group), type="report")
        for path in (folder.report, folder.summary, folder.sweep):
            if path.is_file():
                report.add_file(str(path))
        if folder.assets.is_dir():
            report.add_dir(str(folder.assets), name=folder.assets.name)
        run.log_artifact(report)
    run.summary.update(_summary(by_id, names))
    run.finish()


def _table(
    rows: Mapping[str, SweepRow],
    values: Mapping[str, Mapping[str, str]],
    names: Mapping[str, str],
    axes: Sequence[str],
) -> tuple[list[str | int], list[Any]]:
    scores = _scores(rows)
    columns: list[str | int] = ["trial", "id", *axes, "state", "steps", "seconds", *scores, "error"]
    return columns, [
        [
            names[id_] or row.record.name,
            id_,
            *(values[id_].get(axis) for axis in axes),
            row.record.state.value,
            row.record.steps,
            round(row.record.seconds, 1),
            *(without_nan(row.record.scores.get(score)) for score in scores),
            public_text(row.record.error or ""),
        ]
        for id_, row in rows.items()
    ]


def _summary(rows: Mapping[str, SweepRow], names: Mapping[str, str]) -> dict[str, Any]:
    """How many trials ended how, and the best of each measure that has a direction."""
    states = [row.record.state for row in rows.values()]
    found: dict[str, Any] = {
        f"trials_{s.value}": states.count(s) for s in TrialState if s in states
    }
    for measure in MEASURES.values():
        known = {
            id_: value
            for id_, row in rows.items()
            if row.record.state is TrialState.done
            and (value := without_nan(row.record.scores.get(measure.name))) is not None
        }
        if measure.better is None or not known:
            continue
        best = (min if measure.better == "lower" else max)(known, key=lambda id_: known[id_])
        found[f"best_{measure.name}"] = known[best]
        found[f"best_{measure.name}_trial"] = names[best] or rows[best].record.name
    return found


def _scores(rows: Mapping[str, SweepRow]) -> list[str]:
    present = dict.fromkeys(name for row in rows.values() for name in row.record.scores)
    return [
        *(name for name in MEASURES if name in present),
        *(n for n in present if n not in MEASURES),
    ]


def _artifact_name(group: str) -> str:
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", group).strip("-")
    if slug != group:
        slug = f"{shortened(slug, LONGEST_ARTIFACT - 20).replace('…', '-')}-{digest(group)}"
    return f"report-{slug}"
