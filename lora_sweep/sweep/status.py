"""python -m lora_sweep.sweep.status FOLDER: how a sweep stands, from its files alone.

Nothing is asked of a scheduler, and nothing is written: it works on any machine that sees the
results folder, while the sweep runs, here or on a cluster, and after whoever started it has died.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lora_sweep.errors import LoraSweepError
from lora_sweep.results.report.sources import trials_in
from lora_sweep.results.store import Store
from lora_sweep.sweep.cluster.ledger import read_batch
from lora_sweep.sweep.cluster.standing import lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Print it; 0 when that was done, 2 when the folder is none."""
    asked = _parser().parse_args(arguments)
    try:
        store, found = _found(asked.folder)
        for line in lines(store, _names(found)):
            print(line)
    except LoraSweepError as error:
        print(f"lora_sweep: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lora_sweep.sweep.status", description="Show how a sweep stands."
    )
    parser.add_argument(
        "folder",
        type=Path,
        metavar="FOLDER",
        help="a sweep (results/multirun/DATE/TIME), or all trials of a results folder (results)",
    )
    return parser


def _found(folder: Path) -> tuple[Store, Mapping[str, tuple[str, ...] | None]]:
    """The trials that a folder stands for; of a results folder where none has begun, those of its
    jobs.
    """
    store = Store(folder)
    submitted = [read_batch(each) for each in store.cluster.batches()]
    if submitted and not any(store.trials()):
        return store, {
            trial: None for batch in submitted for job in batch.jobs for trial in job.trials
        }
    return trials_in(folder)


def _names(trials: Mapping[str, tuple[str, ...] | None]) -> dict[str, str]:
    """What tells each trial from the others of its sweep, in the words of the command line."""
    asked = [set(overrides) for overrides in trials.values() if overrides]
    same = set[str].intersection(*asked) if len(asked) > 1 else set[str]()
    return {
        trial: " ".join(line for line in overrides or () if line not in same) or "trial"
        for trial, overrides in trials.items()
    }


if __name__ == "__main__":
    sys.exit(main())
