"""What trials that were trained in this results folder tell of the cost of steps. No torch."""

from __future__ import annotations

import json
import socket
import statistics
import time
from collections.abc import Collection, Sequence
from typing import Any

import yaml

from lora_sweep.config import settings_from_plain
from lora_sweep.config.settings import Settings
from lora_sweep.errors import LoraSweepError
from lora_sweep.results.store import Store, TrialFolder
from lora_sweep.results.trial_record import TrialRecord, TrialState
from lora_sweep.sweep.cost.keys import StepKey, mean_rows_per_step, phases, step_key
from lora_sweep.sweep.cost.machine import Machine
from lora_sweep.sweep.cost.records import TRIALS, StepCost
from lora_sweep.sweep.request import TrialRequest
from lora_sweep.sweep.stages import pivot_of, spec_of

LOOKED_AT = 100  # trials of other sweeps, the newest first: reading one takes milliseconds
ENOUGH_TRIALS = 3  # of one key
FEWEST_STEPS = 20  # of a trial with a key: fewer tell more of the start than of the steps

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def learned_costs(
    store: Store, requests: Sequence[TrialRequest], wanted: Collection[StepKey], machine: Machine
) -> tuple[list[StepCost], int]:
    """Costs by trials that are done, of the wanted keys alone; and how many trials were passed over
    because they were trained on another machine, or with another torch.

    `requests` are those of the sweep: done ones count, and those of other sweeps count where they
    train the same pictures on the same base.
    """
    found: dict[StepKey, list[StepCost]] = {}
    foreign = 0
    for folder, request in _trained(store, requests):
        keys = [step_key(request, text_trains) for text_trains in phases(request)]
        if all(key not in wanted or len(found.get(key, ())) >= ENOUGH_TRIALS for key in keys):
            continue
        record = _record(folder)
        if record is None or record.state is not TrialState.done:
            continue
        if not _is_of(machine, folder, record):
            foreign += 1
            continue
        for cost in _costs(folder, request, keys):
            if cost.key in wanted:
                found.setdefault(cost.key, []).append(cost)
    return [_median(costs) for costs in found.values()], foreign


def _trained(
    store: Store, requests: Sequence[TrialRequest]
) -> list[tuple[TrialFolder, TrialRequest]]:
    """Trials that have rows of steps: those asked for, then others that are like one of them."""
    found: list[tuple[TrialFolder, TrialRequest]] = []
    asked = {request.id: request for request in requests}
    others: list[tuple[float, TrialFolder]] = []
    for folder in store.trials():
        try:
            changed = folder.metrics.stat().st_mtime
        except OSError:
            continue
        if folder.id in asked:
            found.append((folder, asked[folder.id]))
        else:
            others.append((changed, folder))
    like = {(r.settings.model, r.settings.dataset): r for r in requests}
    others.sort(key=lambda pair: -pair[0])
    for _, folder in others[:LOOKED_AT]:
        settings = _settings(folder)
        request = settings and like.get((settings.model, settings.dataset))
        if (
            settings is not None
            and request is not None
            and settings.prior == request.settings.prior
        ):
            steps = settings.train.max_train_steps or 0
            found.append((folder, _with(request, settings, folder.id, steps)))
    return found


def _with(request: TrialRequest, settings: Settings, trial: str, steps: int) -> TrialRequest:
    return TrialRequest(
        trial, settings, request.examples, request.class_examples, request.base_hash, steps
    )


def _settings(folder: TrialFolder) -> Settings | None:
    try:
        values = yaml.load(folder.config.read_text(encoding="utf-8"), _LOADER)
        return settings_from_plain(values)
    except (OSError, ValueError, TypeError, yaml.YAMLError, LoraSweepError):
        return None  # of an older version, or damaged: it tells nothing


def _record(folder: TrialFolder) -> TrialRecord | None:
    try:
        return folder.read_record()
    except LoraSweepError:
        return None


def _is_of(machine: Machine, folder: TrialFolder, record: TrialRecord) -> bool:
    """Whether a trial was trained here: the lock file keeps the name of the host."""
    if record.versions.get("torch") != machine.torch:
        return False
    try:
        return json.loads(folder.lock_file.read_text())["host"] == socket.gethostname()
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _costs(folder: TrialFolder, request: TrialRequest, keys: Sequence[StepKey]) -> list[StepCost]:
    """Medians over the groups of steps that were written together."""
    rows = _rows_with_pace(folder)
    if not rows:
        return []
    pivot = pivot_of(spec_of(request))
    date = time.strftime("%Y-%m-%d", time.localtime(folder.metrics.stat().st_mtime))
    memory = max(float(row.get("memory_gib") or 0) for row in rows)
    costs: list[StepCost] = []
    for key in keys:
        seconds: list[float] = []
        steps, before = 0, 0
        for row in rows:
            first, last = before, int(row["step"])  # the group is the steps after `first`
            before = last
            inside = last <= pivot if key.texts else first >= pivot
            if first and inside:  # the first group of a trial waits for much that comes once
                seconds.append(1 / float(row["steps_per_second"]))
                steps += last - first
        if steps >= FEWEST_STEPS:
            costs.append(
                StepCost(
                    key,
                    mean_rows_per_step(request),
                    statistics.median(seconds),
                    round(memory * 2**30) if memory else None,
                    date,
                    TRIALS,
                )
            )
    return costs


def _rows_with_pace(folder: TrialFolder) -> list[dict[str, Any]]:
    """The rows that tell how fast steps went: one for each group that was written together."""
    try:
        lines = folder.metrics.read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines if '"steps_per_second"' in line]
        return [row for row in rows if row["steps_per_second"] and row["step"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _median(costs: list[StepCost]) -> StepCost:
    return sorted(costs, key=lambda cost: cost.seconds)[len(costs) // 2]
