"""The cost of steps that were not measured, from those that were. No torch.

The rule, from the nearest measured step (the one that differs in the fewest settings):
- more rows in a step: along the straight line through two measurements that differ in rows alone;
  with one measurement, time in proportion to the rows;
- another rank: along such a line, or no difference;
- another resolution: in proportion to the pixels;
- another te_mode, optimizer or other setting: the difference between two measurements that differ
  in that setting alone is added; where there are none, no difference.
Memory is inferred from such lines and pairs alone: where they do not tell, peak.py computes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from lora_sweep.sweep.cost.keys import StepKey
from lora_sweep.sweep.cost.records import StepCost

MUST_MATCH = ("base", "device", "threads", "precision", "kernels")
"""Between different values of these nothing is inferred."""

NUMBERS = ("rows", "accumulation", "texts", "rank", "resolution")
OTHERS = tuple(f.name for f in fields(StepKey) if f.name not in (*MUST_MATCH, *NUMBERS))

EXACT_WITHIN = 0.25
"""How far the mean rows of measured steps may be from those asked for to count as measured."""


@dataclass(frozen=True)
class Expected:
    """What a step is expected to take, and what that rests on."""

    seconds: float
    memory: float | None  # bytes
    measured: StepCost | None  # None: inferred


class StepCosts:
    """All measurements of one machine."""

    def __init__(self, costs: Iterable[StepCost] = ()) -> None:
        self._by_group: dict[tuple[Any, ...], dict[StepKey, StepCost]] = {}
        self._expected: dict[tuple[StepKey, float], Expected | None] = {}
        self.add(costs)

    def add(self, costs: Iterable[StepCost]) -> None:
        """Add measurements; of one key, the first that came is kept."""
        self._expected.clear()
        for cost in costs:
            self._by_group.setdefault(_group(cost.key), {}).setdefault(cost.key, cost)

    def known(self) -> set[StepKey]:
        """The keys that were measured."""
        return {key for group in self._by_group.values() for key in group}

    def expect(self, key: StepKey, rows: float) -> Expected | None:
        """What steps of `rows` rows on average take; None where nothing comparable was measured."""
        if (key, rows) not in self._expected:
            self._expected[key, rows] = self._expect(key, rows)
        return self._expected[key, rows]

    def _expect(self, key: StepKey, rows: float) -> Expected | None:
        costs = tuple(self._by_group.get(_group(key), {}).values())
        if not costs:
            return None
        asked = _Question(costs, key, rows, _SECONDS)
        nearest = asked.nearest()
        told = tuple(cost for cost in costs if cost.memory is not None)
        # The peak is that of a full batch, whatever the mean one is.
        peak = _Question(told, key, float(key.rows), _MEMORY)
        memory = peak.infer() if told and peak.is_told() else None
        is_exact = nearest.key == key and abs(rows / nearest.rows - 1) <= EXACT_WITHIN
        return Expected(asked.infer(), memory, nearest if is_exact else None)


@dataclass(frozen=True)
class _Quantity:
    """What is inferred."""

    of: Callable[[StepCost], float]
    rows: Callable[[StepCost], float]  # that it goes by
    proportional: bool  # to rows and pixels, where nothing else is known


_SECONDS = _Quantity(lambda cost: cost.seconds, lambda cost: cost.rows, proportional=True)
_MEMORY = _Quantity(
    lambda cost: float(cost.memory or 0), lambda cost: float(cost.key.rows), proportional=False
)


@dataclass(frozen=True)
class _Question:
    """A quantity of steps with a key and `at` rows, from measurements of the key's group."""

    costs: Sequence[StepCost]
    key: StepKey
    at: float
    quantity: _Quantity

    def nearest(self) -> StepCost:
        """The measurement that is most like what is asked for."""
        return min(self.costs, key=self._distance)

    def infer(self) -> float:
        """The rule of this module."""
        nearest, rows = self.nearest(), self.quantity.rows
        known = result = self.quantity.of(nearest)
        slope = self._slope(rows, self.at, "rows")
        if slope is not None:
            result += slope * (self.at - rows(nearest))
        elif self.quantity.proportional:
            result *= self.at / rows(nearest)
        result += (self._rank_slope() or 0.0) * (self.key.rank - nearest.key.rank)
        for name in _differing(nearest.key, self.key):
            result += self._difference(name, getattr(nearest.key, name))
        if self.quantity.proportional:
            result *= (self.key.resolution / nearest.key.resolution) ** 2
        return max(result, known / 100)  # a line through two noisy points may fall below nothing

    def is_told(self) -> bool:
        """Whether measurements tell of every setting in which the key differs from the nearest."""
        nearest, rows = self.nearest(), self.quantity.rows
        one, other = nearest.key, self.key
        return (
            one.resolution == other.resolution
            and (rows(nearest) == self.at or self._slope(rows, self.at, "rows") is not None)
            and (one.rank == other.rank or self._rank_slope() is not None)
            and all(self._pair(name, getattr(one, name)) for name in _differing(one, other))
        )

    def _distance(self, cost: StepCost) -> tuple[float, ...]:
        rows = self.quantity.rows(cost)
        return (
            cost.key.resolution != self.key.resolution,
            len(_differing(cost.key, self.key)),
            cost.key.rank != self.key.rank,
            max(self.at / rows, rows / self.at),
            cost.key != self.key,
        )

    def _rank_slope(self) -> float | None:
        return self._slope(lambda cost: cost.key.rank, self.key.rank, "rank")

    def _slope(self, place: Callable[[StepCost], float], at: float, axis: str) -> float | None:
        """Of the line through two measurements around `at` that differ in one axis alone, as like
        to the key as there are.
        """
        series: dict[tuple[Any, ...], dict[float, StepCost]] = {}
        for cost in self.costs:
            series.setdefault(_all_but(axis, cost), {})[place(cost)] = cost
        usable = [each for each in series.values() if len(each) > 1]
        if not usable:
            return None
        like = min(usable, key=lambda each: min(self._likeness(c, axis) for c in each.values()))
        places = sorted(like)
        above = next((i for i, x in enumerate(places) if x >= at), len(places) - 1)
        low, high = places[max(above, 1) - 1], places[max(above, 1)]
        return (self.quantity.of(like[high]) - self.quantity.of(like[low])) / (high - low)

    def _difference(self, name: str, instead_of: Any) -> float:
        """What a setting of the key adds over another value."""
        pair = self._pair(name, instead_of)
        return self.quantity.of(pair[0]) - self.quantity.of(pair[1]) if pair is not None else 0.0

    def _pair(self, name: str, instead_of: Any) -> tuple[StepCost, StepCost] | None:
        """Two measurements that differ in a setting alone, in the key's value and another: those
        most like the key.
        """
        wanted = getattr(self.key, name)
        without = {
            _all_but(name, cost): cost
            for cost in self.costs
            if getattr(cost.key, name) == instead_of
        }
        pairs = [
            (cost, without[others])
            for cost in self.costs
            if getattr(cost.key, name) == wanted and (others := _all_but(name, cost)) in without
        ]
        return min(pairs, key=lambda pair: self._likeness(pair[0], name), default=None)

    def _likeness(self, cost: StepCost, axis: str) -> tuple[float, ...]:
        """Distance from the key, save along the axis that is looked at."""
        return (
            sum(name != axis for name in _differing(cost.key, self.key)),
            axis != "rank" and cost.key.rank != self.key.rank,
            0.0 if axis == "rows" else abs(self.quantity.rows(cost) - self.at),
        )


def _group(key: StepKey) -> tuple[Any, ...]:
    return (*(getattr(key, name) for name in MUST_MATCH), key.texts > 0)


def _differing(one: StepKey, other: StepKey) -> list[str]:
    return [name for name in OTHERS if getattr(one, name) != getattr(other, name)]


def _all_but(axis: str, cost: StepCost) -> tuple[Any, ...]:
    """Everything by which measurements differ, save one; only those of one source are compared."""
    names = [name for name in (*OTHERS, "rank", "resolution", "rows") if name != axis]
    return (*(getattr(cost.key, name) for name in names), cost.source)
