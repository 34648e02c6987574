"""What a killed process or a bad disk has left damaged in a trial's folder. No torch."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from lora_sweep.errors import StoreError
from lora_sweep.files import store_error
from lora_sweep.results.metrics import read_metrics
from lora_sweep.results.samples import read_samples
from lora_sweep.results.store import TrialFolder
from lora_sweep.results.trial_record import DamagedRecord


def mend(folder: TrialFolder, say: Callable[[str], None]) -> None:
    """Put files aside that cannot be read, for the holder of the trial's lock, and say so.

    What they held is made again: the record and the pictures from the checkpoints, rows by
    training. Raises StoreError where the record is of a newer version.
    """
    folder.remove_leftovers()
    try:
        folder.read_record()
    except DamagedRecord as damage:
        _put_aside(folder.record, damage, say)
    for path, read in (
        (folder.metrics, lambda: read_metrics(folder.metrics)),
        (folder.samples_index, lambda: read_samples(folder)),
    ):
        try:
            read()
        except StoreError as damage:
            _put_aside(path, damage, say)


def _put_aside(path: Path, damage: StoreError, say: Callable[[str], None]) -> None:
    aside = path.with_name(f"{path.name}.damaged")
    try:
        os.replace(path, aside)
    except OSError as error:
        raise store_error(path, "put aside", error) from error
    say(f"{str(damage).partition(';')[0]}; it is put aside as {aside.name}, and made again")
