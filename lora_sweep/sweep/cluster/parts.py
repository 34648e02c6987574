"""Families cut into parts, so that several workers can train one. No torch.

    0 ──────────── 500 ───── 750 ─── 900 ──── 1800      part 0: the trunk, along the longest way
                    └── 1000  └── 1500                  parts 1 and 2, each from a state of part 0

Work is given for each segment, in any unit that adds up: seconds where they are known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lora_sweep.sweep.tree import Address, Family


@dataclass(frozen=True)
class Part:
    """What one worker trains of a family, depth first as the whole would be."""

    trials: tuple[str, ...]  # that end in it
    work: float  # of its own steps: what lies before `start` is another part's
    path: float  # the most work on one way from its first step to a last one, other parts' included
    start: Address | None = None  # the state that it goes on from; None: from step 0
    parent: int | None = None  # the part that leaves this state, by its place among the parts
    after: float = 0.0  # work of that part until the state is there
    leaves: tuple[Address, ...] = ()  # states that other parts go on from
    carrier: str | None = None  # where no trial ends in it: the one that it trains a way, up to ...
    until: Address | None = None  # ... this state


@dataclass(frozen=True)
class _Piece:
    """A segment, or some of the steps of one."""

    segment: int
    stop: int
    work: float
    parent: int | None  # by its place among the pieces
    ends: range  # trials, by their positions, that are done after it


def cut(
    family: Family, work: Sequence[float], most: float, *, within_segments: bool = False
) -> tuple[Part, ...]:
    """Cut a family where trials part or end, until no part has more than `most` work or none can be
    cut further.

    within_segments: cut anywhere, as finely as that takes. Nothing is trained twice: a part begins
    where its parent leaves a state. The first begins at step 0, and parents come before children.
    """
    pieces = _pieces(family, work, most if within_segments else math.inf)
    paths = _paths(pieces)
    begins = _choose(pieces, paths, most, within_segments)
    part_of: list[int] = []
    members: list[list[int]] = []
    done_after: list[float] = []  # work of its part up to a piece's end
    for index, piece in enumerate(pieces):  # depth first: parents come before their children
        if piece.parent is None or begins[index]:
            members.append([])
            part_of.append(len(members) - 1)
        else:
            part_of.append(part_of[piece.parent])
        inside = members[part_of[index]]
        done_after.append((done_after[inside[-1]] if inside else 0.0) + piece.work)
        inside.append(index)
    leaves: list[list[Address]] = [[] for _ in members]
    forks = [pieces[inside[0]].parent for inside in members]
    for fork in forks:
        if fork is not None and (at := _address(family, pieces[fork])) not in leaves[part_of[fork]]:
            leaves[part_of[fork]].append(at)
    made: list[Part] = []
    for number, (inside, fork) in enumerate(zip(members, forks, strict=True)):
        trials = tuple(family.trials[at] for index in inside for at in pieces[index].ends)
        last = pieces[inside[-1]]
        made.append(
            Part(
                trials=trials,
                work=sum(pieces[index].work for index in inside),
                path=paths[inside[0]],
                start=None if fork is None else _address(family, pieces[fork]),
                parent=None if fork is None else part_of[fork],
                after=0.0 if fork is None else done_after[fork],
                leaves=tuple(leaves[number]),
                carrier=None if trials else _carrier(family, last),
                until=None if trials else _address(family, last),
            )
        )
    return tuple(made)


def longest_path(family: Family, work: Sequence[float]) -> float:
    """The most work from step 0 to the end of a trial: no number of workers is faster."""
    return _paths(_pieces(family, work, math.inf))[0]


def _pieces(family: Family, work: Sequence[float], most: float) -> list[_Piece]:
    """The segments, each in as many equal pieces as it takes to have at most `most` in one."""
    pieces: list[_Piece] = []
    last_of: list[int] = []  # piece of each segment
    for index, segment in enumerate(family.segments):
        steps = len(segment.steps)
        fine = work[index] >= most * steps  # not even a step is small enough
        count = steps if fine else max(1, math.ceil(work[index] / most))
        parent = None if segment.parent is None else last_of[segment.parent]
        before = segment.start
        for number in range(1, count + 1):
            stop = segment.start + steps * number // count
            share = work[index] * (stop - before) / steps
            ends = segment.ends if number == count else range(0)
            pieces.append(_Piece(index, stop, share, parent, ends))
            parent, before = len(pieces) - 1, stop
        last_of.append(len(pieces) - 1)
    return pieces


def _address(family: Family, piece: _Piece) -> Address:
    return family.segments[piece.segment].key, piece.stop


def _carrier(family: Family, piece: _Piece) -> str:
    """Of the trials that pass, the one whose folder keeps the states of the segment."""
    return family.trials[family.segments[piece.segment].trials[-1]]


def _paths(pieces: Sequence[_Piece]) -> list[float]:
    """For each piece, the most work from its start to the end of a trial."""
    paths = [piece.work for piece in pieces]
    for index in range(len(paths) - 1, 0, -1):  # children come after their parents
        parent = pieces[index].parent
        assert parent is not None
        paths[parent] = max(paths[parent], pieces[parent].work + paths[index])
    return paths


def _choose(
    pieces: Sequence[_Piece], paths: Sequence[float], most: float, anywhere: bool
) -> list[bool]:
    """Whether each piece begins a part, decided from the leaves to the root."""
    children: list[list[int]] = [[] for _ in pieces]
    for index, piece in enumerate(pieces):
        if piece.parent is not None:
            children[piece.parent].append(index)
    begins = [False] * len(pieces)
    load = [piece.work for piece in pieces]  # of a piece and all that is left on it
    for index in range(len(pieces) - 1, -1, -1):
        below = children[index]
        load[index] += sum(load[child] for child in below)
        last = max(below, key=lambda child: (paths[child], child), default=None)  # longest way
        for child in sorted(below, key=lambda child: (child == last, -load[child], child)):
            # Without the last one, only trials that end here are left to this part.
            if load[index] > most and (child != last or pieces[index].ends or anywhere):
                begins[child] = True
                load[index] -= load[child]
    return begins
