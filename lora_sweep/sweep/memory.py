"""Memory that a trial is expected to need. No torch."""

from __future__ import annotations

from pathlib import Path

from lora_sweep.results.store import Store
from lora_sweep.sweep.cost.keys import phases, step_key
from lora_sweep.sweep.cost.known import stored_costs
from lora_sweep.sweep.cost.machine import device_of
from lora_sweep.sweep.cost.peak import computed_peak
from lora_sweep.sweep.request import TrialRequest


def predicted_memory(request: TrialRequest) -> int | None:
    """Bytes that the process of a trial was expected to need at its peak, as its plan would say.

    By trials and calibrations of this machine in the trial's results folder; computed where they do
    not tell. None where nothing is known of the base.
    """
    store = Store(Path(request.settings.results.dir))
    wanted = {step_key(request, text_trains) for text_trains in phases(request)}
    measured = stored_costs(store, [request], wanted, say=lambda line: None).memory(request)
    if measured is not None:
        return round(measured)
    peak = computed_peak(request.settings, device_of(request.settings))
    return peak.total if peak is not None else None


def gib(size: int | None) -> str:
    """A size for people."""
    if size is None:
        return "unknown"
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"
