"""Attempts at a job: what is left to be trained, and when to give some of it up. No torch.

A job may be killed, preempted or timed out any number of times as long as it gains steps. When it
has begun again and again without gaining one, what it had in hand is given up, and it goes on with
the rest.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lora_sweep.errors import StoreError
from lora_sweep.results.progress import say
from lora_sweep.results.store import Store
from lora_sweep.results.trial_record import TrialRecord, TrialState
from lora_sweep.sweep.cluster.ledger import JobFile, append
from lora_sweep.sweep.giving_up import give_up
from lora_sweep.sweep.lookup import is_settled
from lora_sweep.sweep.unit import Unit

Notes = Sequence[Mapping[str, Any]]


def begin(job: JobFile, notes: Notes, about: Mapping[str, Any]) -> list[Unit]:
    """Note an attempt; returns what is left to train. `about`: where, and as what, it runs."""
    earlier = [note for note in notes if note["event"] == "began"]
    failed_before: dict[str, str] = dict(earlier[0]["failed"]) if earlier else _failed(job.units)
    left = [unit for each in job.units if (unit := _left(each, failed_before, bool(earlier)))]
    state = _state(left)
    if earlier and left:
        same = 0
        for note in reversed(earlier):
            if note["state"] != state:
                break
            same += 1
        if same >= job.max_attempts:
            left = _give_up_one(left, same, notes)
            state = _state(left)
    values = {"time": time.time(), "state": state, "failed": failed_before, **about}
    append(job.batch.notes(job.number), {"event": "began", **values})
    return left


def stopped(job: JobFile, reason: str) -> None:
    """Note that an attempt has ended before the job was over."""
    row = {"event": "stopped", "time": time.time(), "reason": reason}
    append(job.batch.notes(job.number), row)


def over(job: JobFile) -> None:
    """Note that nothing is left to be done."""
    append(job.batch.notes(job.number), {"event": "over", "time": time.time()})


def _give_up_one(left: Sequence[Unit], attempts: int, notes: Notes) -> list[Unit]:
    """Give up what was in hand; the next attempt has as many tries for the rest."""
    in_hand = [unit for unit in left if _is_running(unit)] or left[:1]
    last = notes[-1]
    how = last["reason"] if last["event"] == "stopped" else "the last one was killed"
    for unit in in_hand:
        give_up(unit, f"{attempts} attempts in a row gained no step; {how}")
    return [unit for unit in left if unit not in in_hand]


def _left(unit: Unit, failed_before: Mapping[str, str], is_later: bool) -> Unit | None:
    """The unit without trials that are settled, or have failed in an earlier attempt at the job."""
    store = Store(unit.root)

    def is_open(trial: str, settings: Any) -> bool:
        folder = store.trial(trial)
        record = _record(store, trial)
        if record is None:
            return True
        if is_later and record.state is TrialState.failed:
            return failed_before.get(trial) == _digest(store, trial)
        return not is_settled(folder, record, settings)

    requests = tuple(r for r in unit.requests if is_open(r.id, r.settings))
    return replace(unit, requests=requests) if requests else None


def _failed(units: Sequence[Unit]) -> dict[str, str]:
    """Trials that have failed before the job, by what their records were: those are tried again."""
    found: dict[str, str] = {}
    for unit in units:
        store = Store(unit.root)
        for trial in unit.trials:
            record = _record(store, trial)
            if record is not None and record.state is TrialState.failed:
                found[trial] = _digest(store, trial)
    return found


def _state(units: Sequence[Unit]) -> str:
    """What is saved of units: equal as long as no step is gained and nothing settled."""
    saved: list[str] = []
    for unit in units:
        store = Store(unit.root)
        for trial in unit.trials:
            record = _record(store, trial)
            saved.append(f"{trial} {record.steps if record is not None else 0}")
    return hashlib.sha256("\n".join(saved).encode()).hexdigest()[:16]


def _is_running(unit: Unit) -> bool:
    """Whether a killed process had a unit in hand: nobody has noted that its trials wait."""
    records = [_record(Store(unit.root), trial) for trial in unit.trials]
    return any(record is not None and record.state is TrialState.running for record in records)


def _record(store: Store, trial: str) -> TrialRecord | None:
    try:
        return store.trial(trial).read_record()
    except StoreError as error:
        say(str(error))
        return None


def _digest(store: Store, trial: str) -> str:
    try:
        return hashlib.sha256(store.trial(trial).record.read_bytes()).hexdigest()[:16]
    except OSError:
        return ""
