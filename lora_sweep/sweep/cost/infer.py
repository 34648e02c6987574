"""The cost of steps that were not measured, from those that were. No torch.

The rule, from the nearest measured step (the one that differs in the fewest settings):
- more rows in a step: along the straight line through two measurements that differ in rows alone;
  with one measurement, time in proportion to the rows and memory as it is;
- another rank: along such a line, or no difference;
- another resolution: in proportion to the pixels;
- another te_mode, optimizer or other setting: the difference between two measurements that differ
  in that setting alone is added; where there are none, no difference.
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
        self._by_group: dict[tuple[Any, ...], list[StepCost]] = {}
        self.add(costs)

    def add(self, costs: Iterable[StepCost]) -> None:
        """Add measurements; of one key, the first that came is kept."""
        for cost in costs:
            group = self._by_group.setdefault(_group(cost.key), [])
            if all(cost.key != each.key for each in group):
                group.append(cost)

    def __len__(self) -> int:
        return sum(map(len, self._by_group.values()))

    def known(self) -> set[StepKey]:
        """The keys that were measured."""
        return {cost.key for group in self._by_group.values() for cost in group}

    def expect(self, key: StepKey, rows: float) -> Expected | None:
        """What steps of `rows` rows on average take; None where nothing comparable was measured."""
        costs = self._by_group.get(_group(key))
        if not costs:
            return None
        nearest = _Seconds(costs, key, rows).nearest()
        seconds = _Seconds(costs, key, rows).infer()
        told = [cost for cost in costs if cost.memory is not None]
        # The peak is that of a full batch, whatever the mean one is.
        memory = _Memory(told, key, key.rows).infer() if told else None
        is_exact = nearest.key == key and abs(rows / nearest.rows - 1) <= EXACT_WITHIN
        return Expected(seconds, memory, nearest if is_exact else None)


class _Line:
    """Infers one quantity of steps with a key from measurements of its group.

    at: where on the axis of rows the asked one lies; `rows` tells where measured ones do.
    """

    proportional: bool  # to rows and pixels, where nothing else is known

    def __init__(self, costs: Sequence[StepCost], key: StepKey, at: float) -> None:
        self.costs, self.key, self.at = costs, key, at

    def value(self, cost: StepCost) -> float:
        """The quantity."""
        raise NotImplementedError

    def rows(self, cost: StepCost) -> float:
        """The rows that it goes by."""
        raise NotImplementedError

    def nearest(self) -> StepCost:
        """The measurement that is most like what is asked for."""
        return min(self.costs, key=self._distance)

    def infer(self) -> float:
        """The rule of this module."""
        nearest = self.nearest()
        known = result = self.value(nearest)
        slope = self._slope(self.rows, self.at, "rows")
        if slope is not None:
            result += slope * (self.at - self.rows(nearest))
        elif self.proportional:
            result *= self.at / self.rows(nearest)
        slope = self._slope(lambda cost: cost.key.rank, self.key.rank, "rank")
        result += (slope or 0.0) * (self.key.rank - nearest.key.rank)
        for name in _differing(nearest.key, self.key):
            result += self._difference(name, getattr(nearest.key, name))
        if self.proportional:
            result *= (self.key.resolution / nearest.key.resolution) ** 2
        return max(result, known / 100)  # a line through two noisy points may fall below nothing

    def _distance(self, cost: StepCost) -> tuple[float, ...]:
        return (
            float(cost.key.resolution != self.key.resolution),
            float(len(_differing(cost.key, self.key))),
            float(cost.key.rank != self.key.rank),
            max(self.at / self.rows(cost), self.rows(cost) / self.at),
            float(cost.key != self.key),
        )

    def _slope(self, place: Callable[[StepCost], float], at: float, but: str) -> float | None:
        """Of the line through two measurements around `at` that differ in this alone, as like to
        the key as there are.
        """
        series: dict[tuple[Any, ...], list[StepCost]] = {}
        for cost in self.costs:
            series.setdefault(_others(cost, but), []).append(cost)
        usable = [each for each in series.values() if len({place(cost) for cost in each}) > 1]
        if not usable:
            return None
        like = min(usable, key=lambda each: min(self._likeness(cost, but) for cost in each))
        places = sorted({place(cost): cost for cost in like}.items(), key=lambda pair: pair[0])
        above = next((i for i, (x, _) in enumerate(places) if x >= at), len(places) - 1)
        (x0, first), (x1, second) = places[max(above, 1) - 1], places[max(above, 1)]
        return (self.value(second) - self.value(first)) / (x1 - x0)

    def _likeness(self, cost: StepCost, but: str) -> tuple[float, ...]:
        differing = [name for name in _differing(cost.key, self.key) if name != but]
        size = 0.0 if but == "rows" else abs(self.rows(cost) - self.at)
        return (
            float(len(differing)),
            float(but != "rank" and cost.key.rank != self.key.rank),
            size,
        )

    def _difference(self, name: str, instead_of: Any) -> float:
        """What a setting of the key adds over another value, by the pair most like the key."""
        without = {
            _others(cost, name): cost
            for cost in self.costs
            if getattr(cost.key, name) == instead_of
        }
        pairs = [
            (cost, without[others])
            for cost in self.costs
            if getattr(cost.key, name) == getattr(self.key, name)
            and (others := _others(cost, name)) in without
        ]
        if not pairs:
            return 0.0
        one, other = min(pairs, key=lambda pair: self._likeness(pair[0], name))
        return self.value(one) - self.value(other)


class _Seconds(_Line):
    proportional = True

    def value(self, cost: StepCost) -> float:
        return cost.seconds

    def rows(self, cost: StepCost) -> float:
        return cost.rows


class _Memory(_Line):
    proportional = False

    def value(self, cost: StepCost) -> float:
        return float(cost.memory or 0)

    def rows(self, cost: StepCost) -> float:
        return float(cost.key.rows)


def _group(key: StepKey) -> tuple[Any, ...]:
    return (*(getattr(key, name) for name in MUST_MATCH), key.texts > 0)


def _differing(one: StepKey, other: StepKey) -> list[str]:
    return [name for name in OTHERS if getattr(one, name) != getattr(other, name)]


def _others(cost: StepCost, but: str) -> tuple[Any, ...]:
    """Everything by which measurements differ, save one; only those of one source are compared."""
    names = [name for name in (*OTHERS, "rank", "resolution", "rows") if name != but]
    return (*(getattr(cost.key, name) for name in names), cost.source)
