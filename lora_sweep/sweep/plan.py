"""What a sweep comes to before it is trained, in plain words. No torch."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lora_sweep.config.sweep import Calibrate
from lora_sweep.results.progress import say
from lora_sweep.results.store import Store
from lora_sweep.sweep.asked import Asked, resolve_all, store_of
from lora_sweep.sweep.checkpoints import CheckpointIndex
from lora_sweep.sweep.cost.calibrator import Calibrator
from lora_sweep.sweep.cost.choose import candidates_of
from lora_sweep.sweep.cost.disk import DiskUse, disk_use
from lora_sweep.sweep.cost.estimate import Estimator, FamilyCost, preparing_seconds
from lora_sweep.sweep.cost.infer import Expected
from lora_sweep.sweep.cost.known import Known, measured_costs
from lora_sweep.sweep.cost.machine import device_of, visible_gpus, why_unwritable
from lora_sweep.sweep.lookup import settled
from lora_sweep.sweep.plan_table import table
from lora_sweep.sweep.plan_text import counts, disk_lines, memory_lines, time_lines
from lora_sweep.sweep.request import Resolver, TrialRequest
from lora_sweep.sweep.stages import spec_of
from lora_sweep.sweep.tree import StageTree, build_tree


@dataclass(frozen=True)
class Plan:
    """A sweep, what of it is done, and what the rest is expected to cost."""

    requests: Mapping[str, TrialRequest]  # by id
    asked: Mapping[str, Sequence[str]] | None  # their overrides
    tree: StageTree  # of all trials
    left: StageTree  # of those that are not done
    workers: int
    known: Known
    step_costs: Sequence[Expected]  # of what is left, one for each kind of which something is known
    families: Sequence[FamilyCost]  # of what is left
    all_families: Sequence[FamilyCost]  # of all trials, as if none were done, where some are
    preparing: float  # seconds of what is done once, before the first step
    disk: DiskUse  # of what is left
    store: Store
    unwritable: str | None  # why nothing can be written there


def describe(tree: StageTree) -> list[str]:
    """One line each: trials, duplicates, families, steps alone and in the tree, the saving."""
    return counts(tree)


def plan_sweep(
    asked: Asked, calibrate: Calibrate = Calibrate.auto, calibrator: Calibrator | None = None
) -> None:
    """Print what a sweep would come to; raises SettingsError as the sweep itself would."""
    resolver = Resolver(without_hub=True)
    resolved = resolve_all(asked.trials, asked.overrides, asked.options, resolver=resolver)
    for path in sorted(resolver.unreachable):
        say(
            f"model.path={path}: not on this machine, and the hub cannot be reached: trials that "
            "are done with it are not recognised here"
        )
    pairs = zip(resolved.numbers, resolved.requests, strict=True)
    print_plan(
        resolved.requests,
        store_of(resolved),
        asked={request.id: asked.overrides[number] for number, request in pairs},
        left_out=len(resolved.left_out),
        workers=asked.options.workers,
        calibrate=calibrate,
        calibrator=calibrator,
    )


def print_plan(
    requests: Sequence[TrialRequest],
    store: Store,
    *,
    asked: Mapping[str, Sequence[str]] | None = None,
    left_out: int = 0,
    workers: int | None = None,
    calibrate: Calibrate = Calibrate.auto,
    calibrator: Calibrator | None = None,
    out: Callable[[str], None] = print,
) -> None:
    """Print what training the requests would come to; trains nothing but a few steps on a copy.

    asked: overrides by trial id, which name what varies. left_out: impossible trials that are not
    among the requests. workers: number of processes; None is one per visible GPU, one without.
    calibrator: one that was started ahead. Raises StoreError where the record of a trial is of a
    newer version.
    """
    tree = build_tree(spec_of(request) for request in requests)
    by_id = {request.id: request for request in requests}
    begun = [folder.id for folder in store.trials() if folder.id in by_id]
    done = {id_ for id_ in begun if settled(store, id_, by_id[id_].settings)}
    left = build_tree(spec_of(r) for r in by_id.values() if r.id not in done) if done else tree
    for line in counts(tree, left, left_out):
        out(line)
    if not left.families:
        out("\nall trials are done: nothing is left to train")
        return
    plan = _plan(by_id, tree, left, store, asked, workers, calibrate, calibrator)
    for section in (time_lines(plan), memory_lines(plan), disk_lines(plan), table(plan)):
        if section:
            out("")
        for line in section:
            out(line)


def _plan(
    by_id: Mapping[str, TrialRequest],
    tree: StageTree,
    left: StageTree,
    store: Store,
    asked: Mapping[str, Sequence[str]] | None,
    workers: int | None,
    calibrate: Calibrate,
    calibrator: Calibrator | None,
) -> Plan:
    candidates = candidates_of(left.families, by_id)
    unwritable = why_unwritable(store.root)
    scratch = Path(tempfile.gettempdir()) if unwritable else None
    with calibrator or Calibrator() as measuring:
        known = measured_costs(
            store, list(by_id.values()), candidates, calibrate, measuring, say, scratch
        )
    unfinished = [by_id[trial] for family in left.families for trial in family.trials]
    going_on = Estimator(known, by_id, CheckpointIndex(store.trials()))
    anew, whole = Estimator(known, by_id), tree.families if left is not tree else ()
    kinds = {key for each in candidates for key in each.keys}
    expected = [known.steps.expect(key, key.rows_per_step) for key in kinds]
    return Plan(
        requests=by_id,
        asked=asked,
        tree=tree,
        left=left,
        workers=_num_workers(left, unfinished[0], workers),
        known=known,
        step_costs=[cost for cost in expected if cost is not None],
        families=[going_on.family(family) for family in left.families],
        all_families=[anew.family(family) for family in whole],
        preparing=preparing_seconds(unfinished, known, store),
        disk=disk_use(left.families, by_id, store),
        store=store,
        unwritable=unwritable,
    )


def _num_workers(left: StageTree, request: TrialRequest, workers: int | None) -> int:
    """Processes that the sweep would be run by; a family is not shared among several."""
    if workers is None:
        workers = len(visible_gpus()) if device_of(request.settings) == "cuda" else 1
    return min(max(1, workers), len(left.families))
