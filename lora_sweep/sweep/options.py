"""How a sweep is run, beside its trials; nothing here changes a result. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from lora_sweep.sweep.cluster.options import ClusterOptions


@dataclass(frozen=True)
class SweepOptions:
    """What the user asked for on the command line of a sweep."""

    workers: int | None = None  # processes; null: one per visible GPU, one without
    skip_invalid: bool = False  # leave impossible trials out in place of refusing the sweep
    max_failures: int | None = None  # stop when so many trials have failed; null: never
    cluster: ClusterOptions | None = None  # whose machines train; null: this one
