"""Which trials the folders on a command line stand for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lora_sweep.errors import StoreError
from lora_sweep.results.report.axes import parse_override
from lora_sweep.results.report.read import Found, arrange, read_sweep_file, read_trials
from lora_sweep.results.report.write import find_sweep
from lora_sweep.results.store import TRIAL_ID, Store, SweepFolder

ALLOWED = (
    "a sweep's folder (results/multirun/DATE/TIME), trials (results/runs/ID) or a results folder"
)

Asked = dict[str, tuple[str, ...] | None]
"""Ids of trials with the overrides they were asked for with."""


def find(folders: Sequence[Path]) -> Found:
    """The trials of one sweep, or of all folders together; raises StoreError."""
    if len(folders) == 1 and (folder := SweepFolder(folders[0])).sweep.is_file():
        return find_sweep(folder, _store_of_sweep(folder))
    asked: Asked = {}
    stores: set[Store] = set()
    for folder in folders:
        store, trials = trials_in(folder)
        stores.add(store)
        asked |= {id: overrides for id, overrides in trials.items() if id not in asked}
    if len({store.root.resolve() for store in stores}) > 1:
        roots = ", ".join(sorted(str(store.root) for store in stores))
        raise StoreError(f"the trials are of different results folders: {roots}; name one")
    (store, *_) = stores
    place = folders[0] if len(folders) == 1 and folders[0].is_dir() else store.root
    title = str(folders[0]) if len(folders) == 1 else f"{len(asked)} trials of {store.root}"
    return arrange(title, place, store, read_trials(store, list(asked.items())))


def trials_in(folder: Path) -> tuple[Store, Asked]:
    """The trials that one folder stands for, and their results folder; raises StoreError."""
    if not folder.is_dir():
        raise StoreError(f"{folder} is no folder; allowed are {ALLOWED}")
    sweep = SweepFolder(folder)
    if sweep.sweep.is_file():
        store = _store_of_sweep(sweep)
        return store, dict(read_sweep_file(sweep.sweep).trials)
    if (folder / "trial.json").is_file() or folder.absolute().parent.name == "runs":
        if not TRIAL_ID.fullmatch(folder.absolute().name):
            raise StoreError(f"{folder} is no trial: its name cannot be a trial's id")
        return Store(folder.absolute().parents[1]), {folder.absolute().name: None}
    store = Store(folder.parent if folder.name == "runs" else folder)
    trials: Asked = {trial.id: None for trial in store.trials()}
    if not trials:
        raise StoreError(f"{folder} holds neither a sweep.json nor trials; allowed are {ALLOWED}")
    return store, trials


def _store_of_sweep(folder: SweepFolder) -> Store:
    """The results folder of a sweep: above its own, else the one that it was asked to use."""
    sweep = read_sweep_file(folder.sweep)
    above = [Store(path) for path in folder.path.absolute().parents]
    asked = [
        Store(Path(str(value)))
        for _, overrides in sweep.trials[:1]
        for key, value in map(parse_override, overrides)
        if key == "results.dir"
    ]
    for store in (*above[:4], *asked):
        if any(store.trial(id).path.is_dir() for id, _ in sweep.trials):
            return store
    # Nothing has begun yet: Hydra's usual place is <results.dir>/multirun/DATE/TIME.
    return (asked or above[2:3] or above)[0]
