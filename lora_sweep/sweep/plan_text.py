"""The sections of a plan, as lines of at most 80 characters. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lora_sweep.sweep.cost.estimate import FamilyCost
from lora_sweep.sweep.cost.machine import available_memory, device_of, free_disk, visible_gpus
from lora_sweep.sweep.cost.records import TRIALS
from lora_sweep.sweep.cost.schedule import makespan, slowdown
from lora_sweep.sweep.cost.shapes import base_shapes
from lora_sweep.sweep.plan_words import NAME, UNKNOWN, WIDTH, row, rows, size_text, span, time_text
from lora_sweep.sweep.tree import StageTree

if TYPE_CHECKING:
    from lora_sweep.sweep.plan import Plan

NUMBER = 12  # width of a count


def counts(tree: StageTree, left: StageTree | None = None, left_out: int = 0) -> list[str]:
    """Trials, duplicates, families, steps alone and in the tree, the saving.

    left: what is left to do of the tree; where that is less, it gets a second column. left_out:
    impossible trials, which the tree is without.
    """
    pairs = [("trials", f"{tree.num_trials:,}"), ("duplicates dropped", f"{tree.duplicates:,}")]
    if left_out:
        pairs.append(("impossible", f"{left_out:,}"))
    if left is None or left is tree:
        return [_count(name, value) for name, value in [*pairs, *_sizes(tree)]]
    pairs.append(("already done", f"{tree.num_trials - left.num_trials:,}"))
    both = zip(_sizes(tree), _sizes(left), strict=True)
    trials = _count("trials", f"{tree.num_trials:,}", f"{left.num_trials:,}")
    return [
        *(_count(name, value) for name, value in pairs),
        "",
        _count("", "all", "left to do"),
        trials,
        *(_count(name, one, other) for (name, one), (_, other) in both),
    ]


def _sizes(tree: StageTree) -> list[tuple[str, str]]:
    return [
        ("families", f"{len(tree.families):,}"),
        ("steps alone", f"{tree.steps_alone:,}"),
        ("steps in the tree", f"{tree.steps_in_tree:,}"),
        ("saving", f"{100 * tree.saving:.2f} %"),
    ]


def _count(name: str, *values: str) -> str:
    return " ".join([f"{name:<{NAME}}", *(f"{value:>{NUMBER}}" for value in values)])


def time_lines(plan: Plan) -> list[str]:
    """Expected time per trial and in all, and what it rests on."""
    known = [cost for cost in plan.families if cost.seconds is not None]
    spared = plan.left.steps_in_tree - sum(cost.steps for cost in plan.families)
    lines = [f"time on {plan.known.machine.describe()}"[:WIDTH]]
    if spared:
        lines.append(row("spared", f"{spared:,} steps that checkpoints hold"))
    if not known:
        return [*lines, *rows("a trial", _why_unknown(plan))]
    alone = [seconds for cost in known for seconds in cost.alone.values()]
    lines.append(row("a trial", span(alone, time_text)))
    whole = [cost for cost in plan.all_families if cost.seconds is not None]
    if whole and len(whole) == len(plan.all_families):
        everything = sum(cost.seconds or 0.0 for cost in whole)
        lines.append(row("all, in the tree", time_text(everything + plan.preparing)))
    if plan.left.num_trials > 1:
        lines.append(row(f"{_left(plan)}, one by one", time_text(sum(alone) + plan.preparing)))
    in_tree = sum(cost.seconds or 0.0 for cost in known) + plan.preparing
    lines.append(row(f"{_left(plan)}, in the tree", time_text(in_tree)))
    lines += rows("", _parts(plan, known))
    if plan.workers > 1:
        lines += _with_workers(plan, known)
    if len(known) < len(plan.families):
        missing = len(plan.families) - len(known)
        lines += rows("not counted", f"{missing} families: {_why_unknown(plan)}")
    return [*lines, *_sources(plan)]


def _left(plan: Plan) -> str:
    return "all" if plan.left is plan.tree else "left"


def _parts(plan: Plan, known: Sequence[FamilyCost]) -> str:
    """What the time in the tree is made of."""
    finishing = sum(cost.finishing for cost in known)
    steps = sum(cost.seconds or 0.0 for cost in known) - finishing
    if not plan.known.finishes:
        return "without loading the base, measures, pictures and files, which were not measured"
    return (
        f"steps {time_text(steps)}, measures, pictures and files {time_text(finishing)}, "
        f"before the first step {time_text(plan.preparing)}"
    )


def _with_workers(plan: Plan, known: Sequence[FamilyCost]) -> list[str]:
    settings, cores = known[0].request.settings, plan.known.machine.cores
    on_cpu = device_of(settings) == "cpu"
    slower = slowdown(plan.workers, settings.train.threads, cores) if on_cpu else 1.0
    seconds = slower * makespan([cost.seconds or 0.0 for cost in known], plan.workers)
    lines = [row(f"by {plan.workers} workers", time_text(seconds + plan.preparing))]
    if slower > 1:
        lines.append(row("", f"they share {cores} core{'s' if cores > 1 else ''}"))
    return lines


def _sources(plan: Plan) -> list[str]:
    """Where the costs of steps come from."""
    costs = plan.step_costs
    measured = [each.measured for each in costs if each.measured is not None]
    by_trials = sum(cost.source == TRIALS for cost in measured)
    dates = sorted({cost.date for cost in measured})
    told = f"{len(measured)} of {len(costs)} kinds of steps measured here"
    if dates:
        told += f" on {dates[0]}" if len(dates) == 1 else f" from {dates[0]} to {dates[-1]}"
    parts = {"trials done": by_trials, "calibration": len(measured) - by_trials}
    by = ", ".join(f"{count} by {source}" for source, count in parts.items() if count)
    lines = rows("rests on", f"{told}: {by}" if by else told)
    if inferred := len(costs) - len(measured):
        lines += rows("", f"{inferred} inferred from those that differ least")
    return lines


def _why_unknown(plan: Plan) -> str:
    unknown = next(cost.request for cost in plan.families if cost.seconds is None)
    model = unknown.settings.model
    base = base_shapes(model)
    if base is None or base.bytes_on_disk is None:
        return (
            f"{UNKNOWN}: model.path={model.path} is not on this machine, and a plan downloads "
            "nothing; it is known once a trial has run here"
        )
    return (
        f"{UNKNOWN}: not measured here yet; hydra.launcher.calibrate=always does it (the base is "
        f"{size_text(base.bytes_on_disk)} on disk), and so does running one trial"
    )


def memory_lines(plan: Plan) -> list[str]:
    """Expected peaks against what the machine has."""
    on_gpu = device_of(plan.families[0].request.settings) == "cuda"
    lines = ["memory at the peak" + (" of a GPU" if on_gpu else "")]
    known = [cost.memory for cost in plan.families if cost.memory is not None]
    if not known:
        return [*lines, row("a trial", UNKNOWN)]
    lines.append(row("a trial", f"{span(known, size_text)}, its process in all"))
    lines += _computed_memory(plan)
    if len(known) < len(plan.families):
        lines.append(row("not counted", f"{len(plan.families) - len(known)} families"))
    if on_gpu:
        needed, having = max(known), min((gpu.memory for gpu in visible_gpus()), default=None)
    else:
        needed, having = sum(sorted(known, reverse=True)[: plan.workers]), available_memory()
    if plan.workers > 1 and not on_gpu:
        lines.append(row(f"{plan.workers} workers at once", size_text(needed)))
    if having is not None:
        lines.append(row("there is", f"{size_text(having)}{'' if on_gpu else ' available now'}"))
        if needed > having:
            lines += rows("", "WARNING: that is too little; smaller batches or fewer workers")
    return lines


def _computed_memory(plan: Plan) -> list[str]:
    """What memory consists of that was computed, of the trial with the most of it."""
    found = [cost.computed for cost in plan.families if cost.computed is not None]
    most = max(found, key=lambda peak: peak.total, default=None)
    if most is None:
        return []
    told = ", ".join(f"{name} {size_text(size)}" for name, size in most.parts.items())
    of = "" if len(found) == len(plan.families) else f" for {len(found)} families"
    return rows("", f"computed{of}, most while {most.phase}: {told}")


def disk_lines(plan: Plan) -> list[str]:
    """What will be written against what is free."""
    use, free = plan.disk, free_disk(plan.store.root)
    lines = [f"disk, in {plan.store.root}"]
    if plan.unwritable is not None:
        lines += rows("", f"WARNING: {plan.unwritable}")
    having = f" of {size_text(free)} free" if free is not None else ""
    more = f", without {use.unknown} trials whose sizes are {UNKNOWN}" if use.unknown else ""
    lines.append(row("needed", f"{size_text(use.total)}{having}{more}"))
    parts = {
        "adapters": use.adapters,
        "checkpoints": use.checkpoints,
        "pictures": use.pictures,
        "records": use.records,
        "caches": use.caches,
    }
    told = ", ".join(f"{name} {size_text(size)}" for name, size in parts.items() if size)
    lines += rows("", told)
    if free is not None and use.total > free:
        short = size_text(use.total - free)
        lines += rows("", f"WARNING: {short} too little: free some space, or set results.dir to "
                          "another disk, or train.checkpoints_kept=1")  # fmt: skip
    return lines
