"""Trials whose worker does not come through, recorded as failed. No torch."""

from __future__ import annotations

from lora_sweep.errors import LoraSweepError, StoreError
from lora_sweep.results.lock import LockHeld
from lora_sweep.results.progress import say
from lora_sweep.results.store import Store
from lora_sweep.results.trial_record import TrialRecord, TrialState
from lora_sweep.sweep.lookup import settled
from lora_sweep.sweep.unit import Unit


class WorkerStopped(LoraSweepError):
    """A worker died over a family again and again, or does not start."""


def give_up(unit: Unit, reason: str) -> dict[str, Exception]:
    """Record what is not settled of a unit as failed; returns that by trial.

    Trials that another process is working on are left to it.
    """
    store, faults = Store(unit.root), dict[str, Exception]()
    for request in unit.requests:
        folder = store.trial(request.id)
        try:
            with folder.create().lock(blocking=False):
                if settled(store, request.id, request.settings):
                    continue
                record = folder.read_record() or TrialRecord(request.id)
                folder.write_record(
                    record.with_(state=TrialState.failed, error=reason, name=request.name)
                )
        except LockHeld:
            continue  # and that process will say what becomes of it
        except StoreError as error:
            say(str(error))
        faults[request.id] = WorkerStopped(reason)
        say(f"{request.name}: failed: {reason}")
    return faults
