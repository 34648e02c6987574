"""The plan of a sweep as lines of at most 80 characters. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lora_sweep.config import to_plain
from lora_sweep.config.plain import show
from lora_sweep.results.progress import duration
from lora_sweep.sweep.cost.estimate import FamilyCost
from lora_sweep.sweep.cost.footprint import memory_parts
from lora_sweep.sweep.cost.machine import available_memory, device_of, free_disk, visible_gpus
from lora_sweep.sweep.cost.records import TRIALS
from lora_sweep.sweep.cost.schedule import makespan
from lora_sweep.sweep.cost.shapes import base_shapes
from lora_sweep.sweep.request import TrialRequest
from lora_sweep.sweep.tree import StageTree

if TYPE_CHECKING:
    from lora_sweep.sweep.plan import Plan

WIDTH = 80
MOST_ROWS = 12  # of the table
NAME, NUMBER = 18, 12

UNKNOWN = "unknown"
Axis = tuple[str, Callable[[TrialRequest], Any]]

COST_AXES: tuple[Axis, ...] = (
    ("model", lambda r: r.settings.model.name),
    ("te_mode", lambda r: r.settings.te_mode.name),
    ("optimizer", lambda r: r.settings.optimizer.name),
    ("batch", lambda r: r.settings.train.batch_size),
    ("rank", lambda r: r.settings.lora.rank),
    ("prior", lambda r: r.settings.prior.name),
    ("dataset", lambda r: r.settings.dataset.name),
)
"""What the table is by when there are too many families to show each, the first ones preferred."""

LENGTHS = ("train.max_train_steps", "train.steps_per_image")
"""What differs inside a family."""


def counts(tree: StageTree, left: StageTree | None) -> list[str]:
    """Trials, duplicates, families, steps alone and in the tree, the saving; `left` is what is left
    to do of the tree, in a second column.
    """
    rows = [("trials", f"{tree.num_trials:,}"), ("duplicates dropped", f"{tree.duplicates:,}")]
    if left is not None:
        rows.append(("already done", f"{tree.num_trials - left.num_trials:,}"))
    lines = [f"{name:<{NAME}} {value:>{NUMBER}}" for name, value in rows]
    if left is None:
        return lines + [f"{name:<{NAME}} {value:>{NUMBER}}" for name, value in _sizes(tree)]
    lines += ["", f"{'':<{NAME}} {'all':>{NUMBER}} {'left to do':>{NUMBER}}"]
    both = zip(
        [("trials", f"{tree.num_trials:,}"), *_sizes(tree)],
        [("trials", f"{left.num_trials:,}"), *_sizes(left)],
        strict=True,
    )
    return lines + [f"{n:<{NAME}} {one:>{NUMBER}} {two:>{NUMBER}}" for (n, one), (_, two) in both]


def _sizes(tree: StageTree) -> list[tuple[str, str]]:
    return [
        ("families", f"{len(tree.families):,}"),
        ("steps alone", f"{tree.steps_alone:,}"),
        ("steps in the tree", f"{tree.steps_in_tree:,}"),
        ("saving", f"{100 * tree.saving:.2f} %"),
    ]


def time_lines(plan: Plan) -> list[str]:
    """Expected time per trial and in all, and what it rests on."""
    known = [cost for cost in plan.families if cost.seconds is not None]
    spared = plan.left.steps_in_tree - sum(cost.steps for cost in plan.families)
    lines = [f"time on {plan.known.machine.describe()}"[:WIDTH]]
    if spared:
        lines.append(_row("spared", f"{spared:,} steps that checkpoints hold"))
    if not known:
        return [*lines, _row("", UNKNOWN), *_why_unknown(plan)]
    alone = [seconds for cost in known for seconds in cost.alone.values()]
    lines.append(_row("a trial alone", _span(alone, _time)))
    whole = [cost for cost in plan.all_families if cost.seconds is not None]
    if plan.left is not plan.tree and len(whole) == len(plan.all_families):
        everything = sum(cost.seconds or 0.0 for cost in whole)
        lines.append(_row("all, in the tree", _time(everything + plan.preparing)))
    lines.append(_row(f"{_left(plan)}, alone", _time(sum(alone) + plan.preparing)))
    lines.append(_row(f"{_left(plan)}, in the tree", _in_all(plan, known)))
    if plan.workers > 1:
        lines += _with_workers(plan, known)
    if len(known) < len(plan.families):
        missing = len(plan.families) - len(known)
        lines.append(_row("not counted", f"{missing} families whose steps are {UNKNOWN}"))
    return [*lines, *_sources(plan)]


def _left(plan: Plan) -> str:
    return "all" if plan.left is plan.tree else "left"


def _in_all(plan: Plan, known: Sequence[FamilyCost]) -> str:
    seconds = [cost.seconds or 0.0 for cost in known]
    finishing = sum(cost.finishing for cost in known)
    parts = f"measures, pictures, files {_time(finishing)}"
    if plan.preparing >= 1:
        parts += f", before the first step {_time(plan.preparing)}"
    if not plan.known.finishes:
        parts = "without measures, pictures and files"
    return f"{_time(sum(seconds) + plan.preparing)} ({parts})"


def _with_workers(plan: Plan, known: Sequence[FamilyCost]) -> list[str]:
    train = known[0].request.settings.train
    cores = plan.known.machine.cores
    on_cpu = device_of(known[0].request.settings) == "cpu"
    slower = max(1.0, plan.workers * train.threads / cores) if on_cpu else 1.0
    seconds = makespan([cost.seconds or 0.0 for cost in known], plan.workers)
    lines = [_row(f"by {plan.workers} workers", _time(slower * seconds + plan.preparing))]
    if slower > 1:
        lines.append(_row("", f"they share {cores} core{'s' if cores > 1 else ''}"))
    return lines


def _sources(plan: Plan) -> list[str]:
    """Where the costs of steps come from."""
    costs = plan.estimator.step_costs
    by_trials = sum(e.measured is not None and e.measured.source == TRIALS for e in costs)
    dates = sorted({e.measured.date for e in costs if e.measured is not None})
    measured = sum(e.measured is not None for e in costs)
    inferred = len(costs) - measured
    when = f" on {dates[-1]}" if len(dates) == 1 else f" from {dates[0]} to {dates[-1]}"
    parts: list[str] = []
    if by_trials:
        parts.append(f"{by_trials} by trials done")
    if measured - by_trials:
        parts.append(f"{measured - by_trials} by calibration")
    told = f"{measured} of {len(costs)} kinds of steps measured here{when if dates else ''}"
    told += f": {', '.join(parts)}" if parts else ""
    lines = _wrapped("rests on", told)
    if inferred:
        lines += _wrapped("", f"{inferred} inferred from those that differ least")
    return lines


def _why_unknown(plan: Plan) -> list[str]:
    model = plan.families[0].request.settings.model
    base = base_shapes(model)
    if base is None or not base.at_hand:
        why = f"model.path={model.path} is not on this machine, and a plan downloads nothing; "
        return _wrapped("", why + "time is known once one trial has run here")
    size = _size(base.bytes_on_disk or 0)
    how = f"to load {size} for a plan, ask for it: hydra.launcher.calibrate=always; "
    return _wrapped("", f"not measured here yet; {how}or run one trial first")


def memory_lines(plan: Plan) -> list[str]:
    """Expected peaks against what the machine has."""
    request = plan.families[0].request
    on_gpu = device_of(request.settings) == "cuda"
    lines = ["memory at the peak" + (" of a GPU" if on_gpu else "")]
    known = [cost.memory for cost in plan.families if cost.memory is not None]
    if not known:
        lines.append(_row("a trial", UNKNOWN))
        return [*lines, *_computed(plan)]
    lines.append(_row("a trial", f"{_span(known, _size)} (its process in all)"))
    there = min((gpu.memory for gpu in visible_gpus()), default=None)
    if on_gpu:
        needed, having = max(known), there
    else:
        needed = sum(sorted(known, reverse=True)[: plan.workers])
        having = available_memory()
    if plan.workers > 1 and not on_gpu:
        lines.append(_row(f"{plan.workers} workers at once", _size(needed)))
    if having is not None:
        lines.append(_row("there is", f"{_size(having)}{'' if on_gpu else ' available now'}"))
        if needed > having:
            lines += _wrapped("", "WARNING: that is too little; smaller batches or fewer workers")
    return lines


def _computed(plan: Plan) -> list[str]:
    """The parts of a trial's memory that need no measuring, of the trial with the most of them."""
    found = [memory_parts(cost.request.settings) for cost in plan.families]
    parts = max((each for each in found if each), key=lambda p: sum(p.values()), default=None)
    if parts is None:
        return []
    told = ", ".join(f"{name} {_size(size)}" for name, size in parts.items())
    return _wrapped("computed", f"{told}; activations come on top")


def disk_lines(plan: Plan) -> list[str]:
    """What will be written against what is free."""
    use, free = plan.disk, free_disk(plan.store.root)
    lines = [f"disk, in {plan.store.root}"[:WIDTH]]
    having = f" of {_size(free)} free" if free is not None else ""
    more = f", without {use.unknown} trials whose sizes are {UNKNOWN}" if use.unknown else ""
    lines.append(_row("needed", f"{_size(use.total)}{having}{more}"))
    parts = {
        "adapters": use.adapters,
        "checkpoints": use.checkpoints,
        "pictures": use.pictures,
        "records": use.records,
        "caches": use.caches,
    }
    told = ", ".join(f"{name} {_size(size)}" for name, size in parts.items() if size)
    lines += _wrapped("computed", told)
    if free is not None and use.total > free:
        short = _size(use.total - free)
        lines += _wrapped("", f"WARNING: {short} too little: free some space, or set results.dir "
                              "to another disk, or train.checkpoints_kept=1")  # fmt: skip
    return lines


def table(plan: Plan) -> list[str]:
    """One row for each family where there are few, else for each combination of what costs vary
    with.
    """
    axes = _axes(plan)
    if not axes or len(plan.families) < 2:
        return []
    groups: dict[tuple[str, ...], list[FamilyCost]] = {}
    for cost in plan.families:
        name = tuple(show(value(cost.request)) for _, value in axes)
        groups.setdefault(name, []).append(cost)
    head = [*(name for name, _ in axes), "trials", "alone", "in tree", "time", "memory"]
    rows = [head, *([*name, *_cells(costs)] for name, costs in groups.items())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [
        "  ".join(
            f"{cell:<{w}}" if column < len(axes) else f"{cell:>{w}}"
            for column, (cell, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return [line[:WIDTH] for line in lines]


def _cells(costs: Sequence[FamilyCost]) -> list[str]:
    seconds = [cost.seconds for cost in costs]
    known = [each for each in seconds if each is not None]
    memory = [cost.memory for cost in costs if cost.memory is not None]
    return [
        f"{sum(len(cost.family.trials) for cost in costs):,}",
        f"{sum(cost.family.steps_alone for cost in costs):,}",
        f"{sum(cost.family.steps_in_tree for cost in costs):,}",
        _time(sum(known)) if len(known) == len(seconds) else UNKNOWN,
        _size(max(memory)) if memory else UNKNOWN,
    ]


def _axes(plan: Plan) -> list[Axis]:
    requests = [cost.request for cost in plan.families]
    if len(requests) <= MOST_ROWS:
        return _that_fit(_varied_settings(requests), requests)
    chosen: list[Axis] = []
    for name, value in COST_AXES:
        if len({value(request) for request in requests}) < 2:
            continue
        more = [*chosen, (name, value)]
        if len({tuple(value(r) for _, value in more) for r in requests}) <= MOST_ROWS:
            chosen = more
    return chosen


def _varied_settings(requests: Sequence[TrialRequest]) -> list[Axis]:
    flat = {request.id: dict(_flat(to_plain(request.settings))) for request in requests}
    keys = dict.fromkeys(key for values in flat.values() for key in values)
    sections = {key.split(".")[0] for key in keys if key.endswith(".name")}
    varied = [
        key
        for key in keys
        if key not in LENGTHS and len({repr(flat[r.id].get(key)) for r in requests}) > 1
    ]
    # Where another choice of a group varies, its name tells; its own settings follow from it.
    chosen = {key.split(".")[0] for key in varied if key.endswith(".name")} & sections
    shown = [key for key in varied if key.endswith(".name") or key.split(".")[0] not in chosen]

    def axis(key: str) -> Axis:
        head = key.removesuffix(".name").split(".")[-1]
        return head, lambda request: flat[request.id].get(key)

    return [axis(key) for key in shown]


def _that_fit(axes: Sequence[Axis], requests: Sequence[TrialRequest]) -> list[Axis]:
    fitting: list[Axis] = []
    room = WIDTH - 45  # of the numbers
    for name, value in axes:
        room -= 2 + max(len(name), *(len(show(value(request))) for request in requests))
        if room >= 0:
            fitting.append((name, value))
    return fitting


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _row(name: str, value: str) -> str:
    return f"  {name:<{NAME}}  {value}".rstrip()


def _wrapped(name: str, text: str) -> list[str]:
    import textwrap

    lines = textwrap.wrap(text, WIDTH - NAME - 4, break_on_hyphens=False)
    return [_row(name if index == 0 else "", line) for index, line in enumerate(lines)]


def _span(values: Sequence[float], text: Callable[[float], str]) -> str:
    low, high = text(min(values)), text(max(values))
    return low if low == high else f"{low} to {high}"


def _time(seconds: float) -> str:
    if seconds >= 48 * 3600:
        return f"{seconds / 86400:.1f} days"
    return duration(seconds)


def _size(size: float) -> str:
    for unit, name in ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB")):
        if size >= unit:
            return f"{size / unit:.{1 if size < 100 * unit else 0}f} {name}"
    return f"{size / 1024:.0f} KiB"
