"""Rows of a sweep made by hand: trials that differ in rank and optimizer."""

from __future__ import annotations

from typing import Any

from lora_sweep.config.settings import AdamW, Lora, Prodigy, Settings
from lora_sweep.results.summary import SweepRow
from lora_sweep.results.trial_record import TrialRecord, TrialState

NAMES = {
    "val_loss": 0.125,
    "fit_loss": 0.25,
    "gap": -0.125,
    "drift": 1e-4,
    "subject": 0.5,
    "prompt": 0.75,
}


def a_row(trial: str, rank: int, optimizer: str = "adamw", **record: Any) -> SweepRow:
    """One trial; what is not said of its record is that of one that is done."""
    chosen = {"adamw": AdamW(lr=1e-3), "prodigy": Prodigy()}[optimizer]
    kept: dict[str, Any] = {"state": TrialState.done, "steps": 500, "seconds": 61.5}
    kept |= {"scores": NAMES, **record}
    settings = Settings(lora=Lora(rank=rank), optimizer=chosen)
    return SweepRow(
        (f"rank={rank}", f"optimizer={optimizer}"), settings, TrialRecord(trial, **kept)
    )
