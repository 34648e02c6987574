"""Optuna's samplers by name, each draw a function of (seed, trial number, finished trials).

A sampler of Optuna's own goes on with one stream of random numbers, so that a study killed and
started again would draw others. Here one is made anew for every draw, with a seed of that draw.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    NSGAIISampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)

from lora_sweep.config.plain import show
from lora_sweep.config.study import Method, Number
from lora_sweep.randomness import Stream, integer_below, permutation
from lora_sweep.sweep.search.space import Point, Space

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

GRID = "grid"
LARGEST_GRID = 100_000  # points, which are put in order
SHARED_DRAW = "gp:relative_params"
"""How Optuna begins the names under which GPSampler keeps a draw."""


class _OrderedNSGAII(NSGAIISampler):
    """Takes parents in one order, whether it has chosen them now or reads them from the storage."""

    def get_parent_population(self, study: Study, generation: int) -> list[FrozenTrial]:
        parents = super().get_parent_population(study, generation)
        return sorted(parents, key=lambda trial: trial.number)


class _NumberedQMC(QMCSampler):
    """Takes the point of its sequence that has the trial's number, in place of counting draws."""

    def __init__(self, number: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._number = number

    def _find_sample_id(self, study: Study, search_space: dict[str, BaseDistribution]) -> int:
        return self._number


SAMPLERS: dict[str, type[BaseSampler]] = {
    "tpe": TPESampler,
    "gp": GPSampler,
    "cmaes": CmaEsSampler,
    "nsgaii": _OrderedNSGAII,
    "qmc": QMCSampler,
    "random": RandomSampler,
}


class SeededSampler(BaseSampler):
    """One of SAMPLERS, made anew for each draw. Nothing that it does depends on earlier draws of
    this process, save through trials in the storage.
    """

    def __init__(self, method: Method, space: Space, seed: int, objectives: int) -> None:
        self._cls: Callable[..., BaseSampler] = SAMPLERS[method.name]
        self._arguments = _with_defaults(method, space, objectives)
        self._seed = seed

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """What one draw decides together; see BaseSampler."""
        self._sampler = self._made(trial.number, "")  # which `sample_relative` needs, too
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """One draw of several parameters; see BaseSampler."""
        drawn = _drawn_before(trial)
        if drawn is not None and drawn.keys() == search_space.keys():
            return drawn
        with quiet():
            return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """One draw of one parameter; see BaseSampler."""
        sampler = self._made(trial.number, param_name)
        with quiet():
            return sampler.sample_independent(study, trial, param_name, param_distribution)

    def _made(self, number: int, name: str) -> BaseSampler:
        with quiet():
            if self._cls is QMCSampler:
                return _NumberedQMC(number, seed=draw_seed(self._seed, 0, ""), **self._arguments)
            return self._cls(**self._arguments, seed=draw_seed(self._seed, number, name))


def _drawn_before(trial: FrozenTrial) -> dict[str, Any] | None:
    """What a process that was killed had drawn for the trial, where the sampler shares it with
    others: to GPSampler it would now count as one of them.
    """
    found = trial.system_attrs
    chunks = [found[key] for n in range(len(found)) if (key := f"{SHARED_DRAW}:{n}") in found]
    try:
        return json.loads("".join(chunks))
    except ValueError:
        return None


class GridSampler(BaseSampler):
    """The points of a finite space in a random order; the trial's number says which.

    first: how many trials have points of their own, which come before.
    """

    def __init__(self, points: Sequence[Point], first: int) -> None:
        self._points = points
        self._first = first

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Nothing; see BaseSampler."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Nothing; see BaseSampler."""
        return {}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """The point's value; see BaseSampler."""
        return self._points[(trial.number - self._first) % len(self._points)][param_name]


def build_sampler(
    method: Method, space: Space, seed: int, objectives: int, points: Sequence[Point]
) -> BaseSampler:
    """The sampler of a study whose first trials are `points`; see `sampler_problems`."""
    if method.name == GRID:
        return GridSampler(grid_points(space, seed, points), len(points))
    return SeededSampler(method, space, seed, objectives)


def grid_points(space: Space, seed: int, enqueued: Sequence[Point]) -> list[Point]:
    """Every point of a finite space that is not enqueued, in a random order."""
    points = [point for point in space.points() if point not in enqueued]
    return [points[index] for index in permutation(len(points), seed, Stream.search, GRID)]


def sampler_problems(method: Method, space: Space, objectives: int) -> list[str]:
    """Why no sampler can be built; each names the setting, its value and what is allowed."""
    if method.name == GRID:
        return _grid_problems(method, space)
    if method.name not in SAMPLERS:
        known = ", ".join([*SAMPLERS, GRID])
        return [f"study.sampler={method.name}: there is no such sampler; known are {known}"]
    cls = SAMPLERS[method.name]
    if problems := argument_problems("sampler", method, cls):
        return problems
    if cls is CmaEsSampler and objectives > 1:
        return [f"study.sampler=cmaes: has one objective, and the study has {objectives}"]
    if cls is CmaEsSampler and find_spec("cmaes") is None:
        return ["study.sampler=cmaes: needs a package: pip install cmaes"]
    numbers = [key for key, each in space.varied.items() if isinstance(each, Number)]
    if cls is CmaEsSampler and len(numbers) < 2:
        return [
            "study.sampler=cmaes: must have at least two numbers (range or interval) in the space; "
            f"it has {', '.join(numbers) or 'none'}"
        ]
    try:
        SeededSampler(method, space, 0, objectives)._made(0, "")  # pyright: ignore[reportPrivateUsage]
    except (TypeError, ValueError) as error:
        return [f"study.sampler={method.name}: {one_line(error)}"]
    return []


def argument_problems(part: str, method: Method, cls: type) -> list[str]:
    """Arguments that a class of Optuna has not got, or that are no plain values."""
    known = {
        name
        for name, parameter in inspect.signature(cls.__init__).parameters.items()
        if name not in ("self", "seed") and _is_plain(parameter.annotation)
    }
    return [
        f"study.{part}.{name}={show(value)}: {method.name} has no such argument; it has "
        f"{', '.join(sorted(known)) or 'none'}"
        for name, value in method.arguments.items()
        if name not in known
    ]


def _is_plain(annotation: object) -> bool:
    """Whether an annotation, a type or the text of one, is of numbers, words and truth alone."""
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    words = text.replace("|", " ").split()
    return bool(words) and set(words) <= {"int", "float", "bool", "str", "None"}


def draw_seed(seed: int, number: int, name: str) -> int:
    """The seed of one draw, below 2**32."""
    return integer_below(2**32, seed, Stream.search, number, name)


def one_line(error: Exception) -> str:
    """An error of Optuna's as one line."""
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip())


def _grid_problems(method: Method, space: Space) -> list[str]:
    if method.arguments:
        return [f"study.sampler={GRID}: has no arguments, got {', '.join(method.arguments)}"]
    endless = [
        key for key, each in space.varied.items() if isinstance(each, Number) and each.step is None
    ]
    if endless:
        return [
            f"study.sampler={GRID}: {', '.join(endless)} has no points to try one by one; use a "
            "list or range(…)"
        ]
    if space.num_points(LARGEST_GRID) is None:
        return [
            f"study.sampler={GRID}: the space has more than {LARGEST_GRID:,} points; use another "
            "sampler, or a smaller space"
        ]
    return []


def _with_defaults(method: Method, space: Space, objectives: int) -> Mapping[str, Any]:
    arguments = dict(method.arguments)
    match method.name:
        case "tpe" if space.has_conditions:
            arguments.setdefault("group", True)  # else keys of some trials are drawn one by one
        case "gp" | "cmaes" | "qmc":
            arguments.setdefault("warn_independent_sampling", False)
        case _:
            pass
    if arguments.get("group"):
        arguments.setdefault("multivariate", True)
    return arguments


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Inside, Optuna does not warn of what is experimental in it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield
