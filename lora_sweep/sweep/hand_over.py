"""Where one unit stops and another goes on: families with the states that are left for others. No
torch.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from lora_sweep.sweep.tree import Address, Family, Segment


def with_leaves(
    family: Family, leaves: Collection[Address], until: Address | None = None
) -> Family:
    """The family with segments cut so that each state of `leaves` is the end of one.

    until: a state after which nothing is trained; the family then has one trial, which is not done
    with it.
    """
    segments: list[Segment] = []
    place: list[int] = []  # of the last piece of each segment
    for segment in family.segments:
        parent = None if segment.parent is None else place[segment.parent]
        stops = sorted(
            step for key, step in {*leaves, *([until] if until else [])}
            if key == segment.key and segment.start < step < segment.stop
        )  # fmt: skip
        start, nobody = segment.start, range(segment.ends.start, segment.ends.start)
        for stop in stops:
            segments.append(replace(segment, parent=parent, start=start, stop=stop, ends=nobody))
            parent, start = len(segments) - 1, stop
        segments.append(replace(segment, parent=parent, start=start))
        place.append(len(segments) - 1)
    if until is not None:
        last = next(at for at, s in enumerate(segments) if (s.key, s.stop) == until)
        segments = segments[: last + 1]
    return replace(family, segments=tuple(segments))
