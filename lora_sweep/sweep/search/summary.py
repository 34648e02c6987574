"""What a study leaves beside its storage: sweep.json and summary.csv, as sweeps do."""

from __future__ import annotations

from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from lora_sweep.errors import LoraSweepError, SettingsError
from lora_sweep.results.store import Store, SweepFolder
from lora_sweep.results.summary import SweepRow, write_summary
from lora_sweep.results.trial_record import TrialRecord
from lora_sweep.sweep.search.hand import Compose
from lora_sweep.sweep.search.search import REASON, TRIAL
from lora_sweep.sweep.search.storage import without_password
from lora_sweep.sweep.search.study import StudyPlan


def summarize(
    plan: StudyPlan, study: optuna.Study, store: Store, compose: Compose, folder: SweepFolder
) -> list[SweepRow]:
    """Write both files by what the trials' own records say; returns a row for each trial that was
    begun, in order.
    """
    rows: list[SweepRow] = []
    left_out: list[dict[str, Any]] = []
    for trial in study.get_trials(deepcopy=False):
        if trial.state is TrialState.WAITING:
            continue
        row = _row(plan, store, compose, trial)
        if row is None:
            overrides = [f"{key}={value}" for key, value in trial.params.items()]
            reason = str(trial.user_attrs.get(REASON, "it was not begun"))
            left_out.append({"number": trial.number, "overrides": overrides, "problems": [reason]})
        else:
            rows.append(row)
    write_summary(folder, rows, _about(plan, left_out))
    return rows


def _row(plan: StudyPlan, store: Store, compose: Compose, trial: FrozenTrial) -> SweepRow | None:
    """None for a trial that was impossible, or is not known yet."""
    id_ = trial.user_attrs.get(TRIAL)
    if id_ is None:
        return None
    overrides = plan.space.overrides(dict(trial.params))
    settings = compose(overrides, trial.number)
    if isinstance(settings, SettingsError):
        return None
    try:
        record = store.trial(id_).read_record() or TrialRecord(id_)
    except LoraSweepError as error:
        record = TrialRecord(id_, error=str(error))
    return SweepRow(overrides, settings, record)


def _about(plan: StudyPlan, left_out: list[dict[str, Any]]) -> dict[str, Any]:
    settings = plan.settings
    return {
        "name": plan.name,
        "fixed": list(plan.space.fixed),
        "left_out": left_out,
        "study": {
            "objectives": list(settings.objectives),
            "sampler": settings.sampler.name,
            "pruner": settings.pruner.name,
            "rungs": list(plan.rungs),
            "trials": plan.total,
            "seed": settings.seed,
            "storage": without_password(settings.storage) if settings.storage else None,
        },
    }
