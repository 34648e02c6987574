"""What a sweep comes to before it is trained, in plain words. No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lora_sweep.results.progress import say
from lora_sweep.results.store import Store
from lora_sweep.sweep.checkpoints import CheckpointIndex
from lora_sweep.sweep.cost.calibrator import Calibrator
from lora_sweep.sweep.cost.disk import DiskUse, disk_use
from lora_sweep.sweep.cost.estimate import (
    Estimator,
    FamilyCost,
    candidates_of,
    preparing_seconds,
)
from lora_sweep.sweep.cost.known import Calibrate, Known, known_costs
from lora_sweep.sweep.cost.machine import this_machine, visible_gpus
from lora_sweep.sweep.cost.records import Records
from lora_sweep.sweep.lookup import is_settled
from lora_sweep.sweep.plan_text import counts, disk_lines, memory_lines, table, time_lines
from lora_sweep.sweep.request import TrialRequest
from lora_sweep.sweep.stages import spec_of
from lora_sweep.sweep.tree import StageTree, build_tree


@dataclass(frozen=True)
class Plan:
    """A sweep, what of it is done, and what the rest is expected to cost."""

    requests: Mapping[str, TrialRequest]  # by id
    tree: StageTree  # of all trials
    left: StageTree  # of those that are not done
    workers: int
    known: Known
    estimator: Estimator
    families: Sequence[FamilyCost]  # of what is left
    all_families: Sequence[FamilyCost]  # of all trials, as if none were done
    preparing: float  # seconds of what is done once
    disk: DiskUse  # of what is left
    store: Store


def describe(tree: StageTree) -> list[str]:
    """One line each: trials, duplicates, families, steps alone and in the tree, the saving."""
    return counts(tree, None)


def print_plan(
    requests: Sequence[TrialRequest],
    store: Store,
    *,
    duplicates: int = 0,
    workers: int | None = None,
    calibrate: Calibrate | str = Calibrate.auto,
    calibrator: Calibrator | None = None,
    out: Callable[[str], None] = print,
) -> Plan:
    """Print what training the requests would come to; trains nothing but a few steps on a copy.

    duplicates: trials that were dropped before; equal requests are counted here. workers: number of
    processes; None is one per visible GPU, one without. calibrator: one that was started ahead.
    """
    tree = build_tree(spec_of(request) for request in requests)
    tree = StageTree(tree.families, tree.duplicates + duplicates)
    by_id = {request.id: request for request in requests}
    done = {id_ for id_, request in by_id.items() if _is_done(store, request)}
    left = tree
    if done:
        left = build_tree(spec_of(r) for r in by_id.values() if r.id not in done)
    for line in counts(tree, left if done else None):
        out(line)
    if not left.families:
        out("\nall trials are done: nothing is left to train")
    plan = _make(by_id, tree, left, store, workers, Calibrate(calibrate), calibrator)
    if left.families:
        for section in (time_lines(plan), memory_lines(plan), disk_lines(plan), table(plan)):
            if section:
                out("")
            for line in section:
                out(line)
    return plan


def _make(
    by_id: Mapping[str, TrialRequest],
    tree: StageTree,
    left: StageTree,
    store: Store,
    workers: int | None,
    calibrate: Calibrate,
    calibrator: Calibrator | None,
) -> Plan:
    candidates = candidates_of(left.families, by_id)
    with calibrator or Calibrator() as measuring:
        known = known_costs(store, list(by_id.values()), candidates, calibrate, measuring, say)
    with_checkpoints = Estimator(known, _checkpoints(store))
    alone = Estimator(known)
    unfinished = [by_id[trial] for family in left.families for trial in family.trials]
    return Plan(
        requests=by_id,
        tree=tree,
        left=left,
        workers=workers or max(1, len(visible_gpus())),
        known=known,
        estimator=with_checkpoints,
        families=[with_checkpoints.family(family, by_id) for family in left.families],
        all_families=[alone.family(family, by_id) for family in tree.families],
        preparing=preparing_seconds(unfinished, known, store),
        disk=disk_use(left.families, by_id, store),
        store=store,
    )


def needs_calibration(root: Path) -> bool:
    """Whether a results folder has no calibration of this machine: then starting a Calibrator ahead
    of a plan saves time.
    """
    return not any(Records(Store(root), this_machine()).own.glob("*.json"))


def _checkpoints(store: Store) -> CheckpointIndex | None:
    folders = list(store.trials())
    return CheckpointIndex(folders) if folders else None


def _is_done(store: Store, request: TrialRequest) -> bool:
    folder = store.trial(request.id)
    return is_settled(folder, folder.read_record(), request.settings)
