"""The stage tree as plain data, for sweep.json and the report. No torch."""

from __future__ import annotations

from typing import Any

from lora_sweep.sweep.tree import Family, Segment, StageTree


def tree_to_plain(tree: StageTree) -> dict[str, Any]:
    """Families with the ids of their trials and their segments; positions are those of `tree`."""
    return {"families": [_family(family) for family in tree.families]}


def _family(family: Family) -> dict[str, Any]:
    return {"trials": list(family.trials), "segments": [_segment(s) for s in family.segments]}


def _segment(segment: Segment) -> dict[str, Any]:
    """`trials` and `ends` as [first, behind the last]."""
    return {
        "parent": segment.parent,
        "start": segment.start,
        "stop": segment.stop,
        "text_trains": segment.text_trains,
        "trials": [segment.trials.start, segment.trials.stop],
        "ends": [segment.ends.start, segment.ends.stop],
    }
