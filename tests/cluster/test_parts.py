"""Families cut into parts: nothing lost, nothing twice, and never slower than the bound says."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sweep.specs import huggy, y2k

from lora_sweep.sweep.cluster.arrange import Job, arrange, simulate
from lora_sweep.sweep.cluster.parts import Part, cut, longest_path
from lora_sweep.sweep.hand_over import with_leaves
from lora_sweep.sweep.tree import Family, Segment, build_tree


@st.composite
def families(draw: st.DrawFn) -> Family:
    """Trees of segments in depth-first order, with trials that end at leaves and on the way."""
    count = draw(st.integers(1, 12))
    parents: list[int | None] = [None]
    stack = [0]
    for index in range(1, count):
        depth = draw(st.integers(0, len(stack) - 1))
        del stack[depth + 1 :]
        parents.append(stack[-1])
        stack.append(index)
    own = [
        1 if index not in parents[index + 1 :] else draw(st.integers(0, 1))
        for index in range(count)
    ]
    passing = list(own)
    for index in range(count - 1, 0, -1):
        parent = parents[index]
        assert parent is not None
        passing[parent] += passing[index]
    segments: list[Segment] = []
    seen = 0
    for index, parent in enumerate(parents):
        start = 0 if parent is None else segments[parent].stop
        stop = start + draw(st.integers(1, 9))
        trials, ends = range(seen, seen + passing[index]), range(seen, seen + own[index])
        segments.append(Segment(f"k{index}", parent, start, stop, False, trials, ends))
        seen += own[index]
    return Family(tuple(f"t{number}" for number in range(seen)), tuple(segments))


def steps_of(family: Family) -> list[float]:
    return [float(len(segment.steps)) for segment in family.segments]


@given(families(), st.floats(0, 40), st.booleans())
@settings(max_examples=150, deadline=None)
def test_parts_hold_every_step_and_every_trial_once(
    family: Family, most: float, anywhere: bool
) -> None:
    parts = cut(family, steps_of(family), most, within_segments=anywhere)
    trials = [trial for part in parts for trial in part.trials]
    assert sorted(trials) == sorted(family.trials)
    assert math.isclose(sum(part.work for part in parts), family.steps_in_tree)
    assert all(bool(part.trials) != bool(part.carrier) for part in parts)
    for number, part in enumerate(parts):
        if part.parent is None:
            assert number == 0 and part.start is None
            continue
        before = parts[part.parent]
        assert part.parent < number and part.start in before.leaves
        assert 0 < part.after <= before.work + 1e-9


@given(families(), st.floats(0, 40))
@settings(max_examples=100, deadline=None)
def test_cut_anywhere_no_part_is_larger_than_asked_for(family: Family, most: float) -> None:
    steps = steps_of(family)
    parts = cut(family, steps, most, within_segments=True)
    assert all(part.work < most + 1 + 1e-9 for part in parts)  # a step is never cut


@given(families(), st.booleans())
@settings(max_examples=100, deadline=None)
def test_a_part_with_its_parents_is_a_way_through_the_family(
    family: Family, anywhere: bool
) -> None:
    parts = cut(family, steps_of(family), 1.0, within_segments=anywhere)
    most = max(_length(parts, part) for part in parts)
    assert most == longest_path(family, steps_of(family))


def _length(parts: tuple[Part, ...], part: Part) -> float:
    before = 0.0 if part.parent is None else _length(parts, parts[part.parent])
    held = 0.0 if part.parent is None else parts[part.parent].work - part.after
    return before - held + part.work


def test_nothing_is_cut_while_there_are_families_enough() -> None:
    families = build_tree(huggy()).families
    found = arrange(families, [steps_of(family) for family in families], workers=8)
    assert len(found.parts) == len(families) and len(found.jobs) == 64
    assert found.makespan == found.bound


@pytest.mark.parametrize("workers", [1, 4, 16, 64, 100, 128, 250, 256, 300, 432, 500, 1000])
def test_the_grid_of_web_pages_ends_within_a_tenth_of_the_bound(workers: int) -> None:
    families = build_tree(y2k()).families
    found = arrange(families, [steps_of(family) for family in families], workers)
    assert found.makespan <= 1.1 * found.bound
    done = [trial for part in found.parts for trial in part.trials]
    assert len(done) == len(set(done)) == 1296
    assert math.isclose(sum(job.work for job in found.jobs), 810_000)
    assert sorted(itertools.chain(*(job.parts for job in found.jobs))) == list(
        range(len(found.parts))
    )


def test_a_simulated_pool_waits_for_states_and_for_workers() -> None:
    jobs = [Job((0,), 10, 20), Job((1,), 8, 8), Job((2,), 10, 10, parent=0, after=6)]
    assert simulate(jobs, 1) == 28
    assert simulate(jobs, 2) == 18  # the third begins when the second ends, at 8
    assert simulate(jobs, 3) == 16  # at 6, when its state is there


def test_segments_are_cut_where_states_are_left_and_end_where_nothing_follows() -> None:
    (family, *_) = build_tree(y2k()).families
    first = family.segments[0]
    cut_there = with_leaves(family, [(first.key, 100), (first.key, first.stop)])
    assert [s.steps for s in cut_there.segments[:2]] == [range(100), range(100, first.stop)]
    assert cut_there.steps_in_tree == family.steps_in_tree
    assert [s.ends for s in cut_there.segments[1:]] == [s.ends for s in family.segments]
    assert [s.parent for s in cut_there.segments[1:]] == [
        0 if s.parent is None else s.parent + 1 for s in family.segments
    ]
    short = with_leaves(family, [(first.key, 100)], until=(first.key, 100))
    assert short.steps_in_tree == 100 and not short.segments[-1].ends
