"""Which steps to measure when there is no time for all: those that tell most of the rest."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lora_sweep.sweep.cost.infer import MUST_MATCH, OTHERS
from lora_sweep.sweep.cost.keys import StepKey, cost_settings, phases, step_key
from lora_sweep.sweep.request import TrialRequest
from lora_sweep.sweep.tree import Family

Trait = tuple[Hashable, ...]
"""One value of one setting: measuring it once tells what it adds."""


@dataclass(frozen=True)
class Candidate:
    """A trial that could be measured, for all trials whose steps cost the same."""

    request: TrialRequest
    keys: tuple[StepKey, ...]  # before the pivot, if there is such a part, and after it
    steps: int  # of all those trials


def candidates_of(
    families: Iterable[Family], requests: Mapping[str, TrialRequest]
) -> list[Candidate]:
    """The trials of some families by what their steps cost; requests by id."""
    keys: dict[Hashable, tuple[StepKey, ...]] = {}
    steps: dict[tuple[StepKey, ...], int] = {}
    shown: dict[tuple[StepKey, ...], TrialRequest] = {}
    for family in families:
        request = requests[family.trials[0]]
        settings = cost_settings(request)
        if settings not in keys:
            keys[settings] = tuple(step_key(request, each) for each in phases(request))
        found = keys[settings]
        steps[found] = steps.get(found, 0) + family.steps_in_tree
        shown.setdefault(found, request)
    return [Candidate(shown[each], each, count) for each, count in steps.items()]


def telling(candidates: Sequence[Candidate], known: Collection[StepKey]) -> list[Candidate]:
    """The fewest candidates from which, with what is known, all others can be inferred.

    The one with the most steps comes first. Then always one that shows a value of some setting that
    nothing has shown yet and differs from the first in as little else as possible, so that two
    measurements tell what one setting adds. Of rows and ranks the smallest and the largest are
    enough: costs lie on a line between them.
    """
    everything = [*known, *(key for each in candidates for key in each.keys)]
    ends = _ends(everything)
    seen = {trait for key in known for trait in _traits(key, ends)}
    left = sorted(candidates, key=lambda each: (-each.steps, repr(each.keys)))
    chosen: list[Candidate] = []
    while left:
        center = chosen[0] if chosen else left[0]
        news = [
            (each, {t for key in each.keys for t in _traits(key, ends)} - seen) for each in left
        ]
        news = [(each, traits) for each, traits in news if traits]
        if not news:
            break
        best, traits = min(news, key=lambda pair: (_apart(pair[0], center), len(pair[1])))
        chosen.append(best)
        left.remove(best)
        seen |= traits
    return chosen


def _ends(keys: Iterable[StepKey]) -> dict[Trait, tuple[int, int]]:
    """Smallest and largest number of rows, by te_mode, and rank, in each group of keys."""
    found: dict[Trait, tuple[int, int]] = {}
    for key in keys:
        for where, value in _numbers(key):
            low, high = found.get(where, (value, value))
            found[where] = min(low, value), max(high, value)
    return found


def _numbers(key: StepKey) -> list[tuple[Trait, int]]:
    group = _group(key)
    # How time grows with rows differs by what is trained of the text side.
    return [(("rows", key.te_mode, *group), key.rows), (("rank", *group), key.rank)]


def _group(key: StepKey) -> Trait:
    return (*(getattr(key, name) for name in MUST_MATCH), key.resolution, key.texts > 0)


def _traits(key: StepKey, ends: dict[Trait, tuple[int, int]]) -> set[Trait]:
    group = _group(key)
    found: set[Trait] = {(name, getattr(key, name), *group) for name in OTHERS}
    found |= {(*where, value) for where, value in _numbers(key) if value in ends[where]}
    return found


def _apart(one: Candidate, other: Candidate) -> int:
    """In how many settings two trials differ."""
    first, second = one.keys[0], other.keys[0]
    names = (*MUST_MATCH, *OTHERS, "resolution", "rank", "rows", "accumulation")
    return sum(getattr(first, name) != getattr(second, name) for name in names)
