"""Which jobs a sweep becomes: families cut where workers would idle, small ones put together. No
torch.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lora_sweep.sweep.cluster.parts import Part, cut, longest_path
from lora_sweep.sweep.tree import Family

GOOD_ENOUGH = 1.05
"""Times the shortest possible: nearer to it nothing more is cut, since each job has to start."""

CUTS = (
    *((share, False) for share in (float("inf"), 1.0, 1 / 2, 1 / 4, 0.0)),
    *((share, True) for share in (1 / 2, 1 / 4, 1 / 8, 1 / 16)),
)
"""The most that one part may be, in shares of the shortest time possible, and whether parts may
begin anywhere: tried from the left.
"""

JOBS_PER_WORKER = 8
"""With so many, the last to end is soon done, and each still loads the base for several families.
"""


@dataclass(frozen=True)
class Job:
    """Parts that one job trains, one after the other."""

    parts: tuple[int, ...]  # places among the parts of the arrangement
    work: float
    level: float  # the most work that waits for it, its own included: those with most go first
    parent: int | None = None  # the job that leaves the state that this one goes on from
    after: float = 0.0  # work of the parent's until that state is there


@dataclass(frozen=True)
class Arrangement:
    """All jobs of a sweep in the order in which they should begin."""

    parts: tuple[Part, ...]
    families: tuple[int, ...]  # of each part, the place of its family
    jobs: tuple[Job, ...]
    makespan: float  # expected on so many workers, in the unit of the work
    bound: float  # no arrangement can be faster


def arrange(
    families: Sequence[Family],
    work: Sequence[Sequence[float]],
    workers: int,
    most_jobs: int | None = None,
) -> Arrangement:
    """Jobs for `workers` that run at once.

    work: of each segment of each family. most_jobs: None is JOBS_PER_WORKER for each worker.
    """
    if workers < 1:
        raise ValueError(f"workers={workers}: must be at least 1")
    total = sum(map(sum, work))
    longest = max((longest_path(f, w) for f, w in zip(families, work, strict=True)), default=0.0)
    bound = max(total / workers, longest)
    most_jobs = most_jobs or JOBS_PER_WORKER * workers
    best: Arrangement | None = None
    for share, anywhere in CUTS:
        parts = _parts(families, work, share * bound, anywhere)
        jobs = _jobs([part for _, part in parts], most_jobs)
        if best is not None and len(jobs) > most_jobs:
            continue
        makespan = simulate(jobs, workers)
        if best is None or makespan < best.makespan:
            numbers, found = tuple(n for n, _ in parts), tuple(part for _, part in parts)
            best = Arrangement(found, numbers, jobs, makespan, bound)
        if best.makespan <= GOOD_ENOUGH * bound:
            break
    assert best is not None
    return best


def simulate(jobs: Sequence[Job], workers: int) -> float:
    """When the last job ends if each worker, once free, takes the first job that can begin."""
    children: dict[int, list[int]] = {}
    for number, job in enumerate(jobs):
        if job.parent is not None:
            children.setdefault(job.parent, []).append(number)
    ready = [number for number, job in enumerate(jobs) if job.parent is None]
    heapq.heapify(ready)
    events: list[tuple[float, int]] = []  # when; a job that can begin, or -1 for a worker free
    free, now = workers, 0.0
    while ready or events:
        while ready and free:
            number = heapq.heappop(ready)
            free -= 1
            heapq.heappush(events, (now + jobs[number].work, -1))
            for child in children.get(number, ()):
                heapq.heappush(events, (now + jobs[child].after, child))
        now = events[0][0]
        while events and events[0][0] <= now:
            _, number = heapq.heappop(events)
            if number < 0:
                free += 1
            else:
                heapq.heappush(ready, number)
    return now


def _parts(
    families: Sequence[Family], work: Sequence[Sequence[float]], most: float, anywhere: bool
) -> list[tuple[int, Part]]:
    """The parts of all families, each with the place of its family."""
    found: list[tuple[int, Part]] = []
    for number, (family, each) in enumerate(zip(families, work, strict=True)):
        first = len(found)
        for part in cut(family, each, most, within_segments=anywhere):
            parent = None if part.parent is None else part.parent + first
            found.append((number, replace(part, parent=parent)))
    return found


def _jobs(parts: Sequence[Part], most_jobs: int) -> tuple[Job, ...]:
    """A job for each part; where those are too many, whole families are put together."""
    groups = [[number] for number in range(len(parts))]
    if len(groups) > most_jobs:
        related = {p.parent for p in parts} | {n for n, p in enumerate(parts) if p.start}
        apart = [[number] for number in range(len(parts)) if number in related]
        whole = [number for number in range(len(parts)) if number not in related]
        groups = apart + _together(whole, parts, max(1, most_jobs - len(apart)))
    job_of = {number: index for index, group in enumerate(groups) for number in group}
    made = [
        Job(
            parts=tuple(group),
            work=sum(parts[number].work for number in group),
            level=max(sum(parts[n].work for n in group), max(parts[n].path for n in group)),
            parent=None if (at := parts[group[0]].parent) is None else job_of[at],
            after=parts[group[0]].after,
        )
        for group in groups
    ]
    # A parent's longest path holds its children's, so it comes before them.
    order = sorted(range(len(made)), key=lambda index: (-made[index].level, index))
    place = {index: at for at, index in enumerate(order)}
    return tuple(
        replace(made[i], parent=None if (p := made[i].parent) is None else place[p]) for i in order
    )


def _together(whole: Sequence[int], parts: Sequence[Part], count: int) -> list[list[int]]:
    """`count` groups of about equal work: each part, the largest first, goes to the least."""
    groups: list[list[int]] = [[] for _ in range(min(count, len(whole)))]
    loads = [(0.0, at) for at in range(len(groups))]
    for number in sorted(whole, key=lambda number: (-parts[number].work, number)):
        load, at = loads[0]
        groups[at].append(number)
        heapq.heapreplace(loads, (load + parts[number].work, at))
    return groups
