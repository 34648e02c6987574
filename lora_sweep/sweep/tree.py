"""The stage tree: trials merged as long as they train the same, so that each step is done once.

    0 ──────────── 500 ───── 750 ─── 900      text side trains; the trunk goes on to the last pivot
                    │         │       └────── 1800
                    │         └────────────── 1500
                    └──────────────────────── 1000

A family is one such tree: its trials share their first stage, and nothing with other families. Its
edges are segments. A segment ends where a trial ends, where trials part, and at a pivot.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from lora_sweep.sweep.stages import Stage, TrialSpec, stages

Address = tuple[str, int]
"""A state: the key of the stage of its last step, and the number of steps."""


@dataclass(frozen=True)
class Segment:
    """The steps start, start + 1, ... stop - 1, trained once for all trials that pass.

    `trials` and `ends` are positions in the family's trials; those that end are the first of them.
    """

    key: str  # of its stage; with `stop` it is the address of the state at the segment's end
    parent: int | None  # position of the segment before, in the family's segments
    start: int
    stop: int
    text_trains: bool
    trials: range  # that pass
    ends: range  # that are done after it

    @property
    def steps(self) -> range:
        """The numbers of its steps."""
        return range(self.start, self.stop)


@dataclass(frozen=True)
class Family:
    """Trials that share at least their first stage; what a worker is given.

    Both tuples are in depth-first order. At a fork the branches come first and the trunk goes on
    last, so that whoever follows the order keeps one state for each fork that it is inside of.
    """

    trials: tuple[str, ...]  # ids
    segments: tuple[Segment, ...]

    @property
    def key(self) -> str:
        """The key of the stage that all its trials begin with."""
        return self.segments[0].key

    @property
    def steps_alone(self) -> int:
        """Steps of all trials if each were trained alone."""
        return sum(len(segment.steps) * len(segment.trials) for segment in self.segments)

    @property
    def steps_in_tree(self) -> int:
        """Steps that are trained."""
        return sum(len(segment.steps) for segment in self.segments)

    def path(self, trial: str) -> tuple[Segment, ...]:
        """The segments of a trial from step 0 to its end; ValueError if it is of another family."""
        position = self.trials.index(trial)
        return tuple(segment for segment in self.segments if position in segment.trials)


@dataclass(frozen=True)
class StageTree:
    """All trials of a sweep, merged; the same for any order in which they were asked for."""

    families: tuple[Family, ...]  # those with the most steps first
    duplicates: int  # trials asked for more than once, not counting the first time

    @property
    def num_trials(self) -> int:
        """Different trials."""
        return sum(len(family.trials) for family in self.families)

    @property
    def steps_alone(self) -> int:
        """Steps of all trials if each were trained alone."""
        return sum(family.steps_alone for family in self.families)

    @property
    def steps_in_tree(self) -> int:
        """Steps that are trained."""
        return sum(family.steps_in_tree for family in self.families)

    @property
    def saving(self) -> float:
        """Share of the steps alone that is not trained, between 0 and 1."""
        return 1 - self.steps_in_tree / self.steps_alone if self.families else 0.0


@dataclass
class _Line:
    """All trials that pass one stage: they go along it together until they end or branch off."""

    start: int
    text_trains: bool
    num_trials: int = 0
    ends: dict[int, list[str]] = field(default_factory=dict)  # trials by their last step
    branches: dict[int, set[str]] = field(default_factory=dict)  # keys of next stages by first step

    @cached_property
    def cuts(self) -> list[int]:
        return sorted(self.ends.keys() | self.branches.keys())


def build_tree(specs: Iterable[TrialSpec]) -> StageTree:
    """Merge trials; those with an id that was seen before are counted and dropped."""
    lines: dict[str, _Line] = {}
    roots: set[str] = set()
    seen: set[str] = set()
    duplicates = 0
    for spec in specs:
        if spec.id in seen:
            duplicates += 1
            continue
        seen.add(spec.id)
        path = stages(spec)
        roots.add(path[0].key)
        _lay(spec.id, path, lines)
    families = [_family(root, lines) for root in roots]
    families.sort(key=lambda family: (-family.steps_in_tree, family.key))
    return StageTree(tuple(families), duplicates)


def _lay(trial: str, path: tuple[Stage, ...], lines: dict[str, _Line]) -> None:
    for stage in path:
        line = lines.get(stage.key)
        if line is None:
            line = lines[stage.key] = _Line(stage.start, stage.text_trains)
        line.num_trials += 1
    for stage, following in pairwise(path):
        lines[stage.key].branches.setdefault(stage.stop, set()).add(following.key)
    lines[path[-1].key].ends.setdefault(path[-1].stop, []).append(trial)


def _family(root: str, lines: Mapping[str, _Line]) -> Family:
    """Cut the lines that grow from a root into segments, depth first."""
    trials: list[str] = []
    segments: list[Segment] = []
    # (key of the line, number of its cut, trials that come so far, segment before)
    todo: list[tuple[str, int, int, int | None]] = [(root, 0, lines[root].num_trials, None)]
    while todo:  # not by recursion: a trunk may have as many segments as there are trials
        key, number, passing, parent = todo.pop()
        line = lines[key]
        start = line.cuts[number - 1] if number else line.start
        stop = line.cuts[number]
        ends, branches = sorted(line.ends.get(stop, ())), sorted(line.branches.get(stop, ()))
        first, here = len(trials), len(segments)
        trials += ends
        passes, done = range(first, first + passing), range(first, first + len(ends))
        segments.append(Segment(key, parent, start, stop, line.text_trains, passes, done))
        staying = passing - len(ends) - sum(lines[branch].num_trials for branch in branches)
        if staying:
            todo.append((key, number + 1, staying, here))
        todo += [(branch, 0, lines[branch].num_trials, here) for branch in reversed(branches)]
    return Family(tuple(trials), tuple(segments))
