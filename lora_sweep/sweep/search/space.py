"""The space of a search: its dimensions, which of them a trial has, and the trial of each point."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, product

from lora_sweep.config.study import Choice, Condition, Dimension, Scalar

Point = dict[str, Scalar]
"""Values by key; a trial has the keys whose conditions hold."""


@dataclass(frozen=True)
class Part:
    """Dimensions that a trial has where the condition holds; None: always."""

    dimensions: Mapping[str, Dimension]
    condition: Condition | None = None

    def holds(self, texts: Mapping[str, str]) -> bool:
        """Whether a trial with these values has the dimensions."""
        wanted = self.condition.values if self.condition else {}
        return all(texts.get(key) in allowed for key, allowed in wanted.items())


@dataclass(frozen=True)
class Space:
    """All points of a search. `fixed` are the overrides that every trial has.

    `given` are values of keys that conditions look at and the space does not vary, `asked` the keys
    that the command line has narrowed or added.
    """

    parts: tuple[Part, ...]
    fixed: tuple[str, ...] = ()
    given: Mapping[str, str] = field(default_factory=lambda: {})
    asked: frozenset[str] = frozenset()

    @property
    def dimensions(self) -> dict[str, Dimension]:
        """Every key with a dimension; of a key in several parts, the first."""
        found: dict[str, Dimension] = {}
        for part in self.parts:
            for key, dimension in part.dimensions.items():
                found.setdefault(key, dimension)
        return found

    @property
    def varied(self) -> dict[str, Dimension]:
        """Those with more than one value."""
        return {key: each for key, each in self.dimensions.items() if not is_single(each)}

    @property
    def has_conditions(self) -> bool:
        """Whether not all trials have the same keys."""
        return any(
            part.condition and any(not is_single(each) for each in part.dimensions.values())
            for part in self.parts
        )

    @property
    def is_finite(self) -> bool:
        """Whether its points can be counted."""
        every = [each for part in self.parts for each in part.dimensions.values()]
        return all(isinstance(each, Choice) or each.step is not None for each in every)

    def num_points(self, most: int) -> int | None:
        """How many there are; None for more than `most`, and where they cannot be counted."""
        if not self.is_finite:
            return None
        count = sum(1 for _ in islice(self.points(), most + 1))
        return count if count <= most else None

    def point(self, ask: Callable[[str, Dimension], Scalar]) -> Point:
        """Ask for the value of one dimension after the other, as far as conditions hold."""
        return {key: value for key, value, _ in self._walk(ask)}

    def overrides(self, point: Mapping[str, Scalar]) -> list[str]:
        """The trial of a point, as on a command line."""
        walk = self._walk(lambda key, dimension: point[key])
        return [*self.fixed, *(f"{key}={text}" for key, _, text in walk)]

    def _walk(self, ask: Callable[[str, Dimension], Scalar]) -> Iterator[tuple[str, Scalar, str]]:
        texts = dict(self.given)
        for part in self.parts:
            if part.holds(texts):
                for key, dimension in part.dimensions.items():
                    value = only_value(dimension) if is_single(dimension) else ask(key, dimension)
                    texts[key] = text_of(dimension, value)
                    yield key, value, texts[key]

    def points(self) -> Iterator[Point]:
        """Every point of a finite space, the last dimension varying fastest."""
        yield from self._points(0, {}, dict(self.given))

    def _points(self, index: int, point: Point, texts: Mapping[str, str]) -> Iterator[Point]:
        if index == len(self.parts):
            yield point
            return
        part = self.parts[index]
        if not part.holds(texts):
            yield from self._points(index + 1, point, texts)
            return
        keys = list(part.dimensions)
        for values in product(*(values_of(each) for each in part.dimensions.values())):
            chosen = dict(zip(keys, values, strict=True))
            known = {key: text_of(part.dimensions[key], value) for key, value in chosen.items()}
            yield from self._points(index + 1, {**point, **chosen}, {**texts, **known})

    def to_plain(self) -> dict[str, str]:
        """Each dimension as text, by key and condition."""
        return {
            f"{key} [{part.condition.text}]" if part.condition else key: str(dimension)
            for part in self.parts
            for key, dimension in part.dimensions.items()
        }


def is_single(dimension: Dimension) -> bool:
    """Whether it has one value only."""
    return isinstance(dimension, Choice) and len(dimension.values) == 1


def only_value(dimension: Dimension) -> Scalar:
    """The value of a dimension that has one."""
    assert isinstance(dimension, Choice)
    return dimension.values[0]


def values_of(dimension: Dimension) -> Sequence[Scalar]:
    """All values of a dimension that can be counted."""
    if isinstance(dimension, Choice):
        return dimension.values
    assert dimension.step is not None
    count = round((dimension.high - dimension.low) / dimension.step) + 1
    numbers = [dimension.low + index * dimension.step for index in range(count)]
    return [int(number) for number in numbers] if dimension.whole else numbers


def text_of(dimension: Dimension, value: Scalar) -> str:
    """A value of a dimension as on a command line."""
    if isinstance(dimension, Choice):
        for known, text in zip(dimension.values, dimension.texts, strict=True):
            if type(known) is type(value) and known == value:
                return text
        raise KeyError(f"{value!r} is none of {dimension}")
    assert isinstance(value, int | float)
    return str(int(value)) if dimension.whole else repr(float(value))
