"""A sweep as it was asked for: every trial resolved and checked before anything is trained.
No torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lora_sweep.config.settings import Settings
from lora_sweep.config.sweep import Sweep
from lora_sweep.errors import DataError, ModelError, SettingsError
from lora_sweep.results.progress import say
from lora_sweep.results.store import Store
from lora_sweep.results.tracker import tracker_problems
from lora_sweep.sweep.grid import Grid
from lora_sweep.sweep.options import SweepOptions
from lora_sweep.sweep.request import Resolver, TrialRequest

Check = Callable[[Settings], list[str]]
Composed = Settings | SettingsError
"""A trial, or what is wrong with its overrides."""

SKIP = "sweep.skip_invalid=true leaves impossible trials out and trains the others"
SHOWN = 3  # trials that are named with a problem; the others are counted


@dataclass(frozen=True)
class Asked:
    """What a launcher hands on."""

    trials: Sequence[Composed]
    overrides: Sequence[Sequence[str]]
    folder: Path
    options: SweepOptions = field(default_factory=SweepOptions)
    about: Mapping[str, Any] = field(default_factory=lambda: {})  # for sweep.json


@dataclass(frozen=True)
class LeftOut:
    """A trial that is impossible."""

    number: int  # its place in the sweep
    overrides: Sequence[str]
    problems: tuple[str, ...]

    def to_plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "number": self.number,
            "overrides": list(self.overrides),
            "problems": list(self.problems),
        }


@dataclass(frozen=True)
class Resolved:
    """The trials of a sweep that can be run, and those that cannot."""

    requests: tuple[TrialRequest, ...]
    numbers: tuple[int, ...]  # of the requests: their places in the sweep
    left_out: tuple[LeftOut, ...]


def options_of(sweep: Sweep, workers: int | None, grid: Grid | None) -> SweepOptions:
    """How to run a sweep; raises SettingsError where a part of the section would be ignored."""
    problems: list[str] = []
    if grid is None and sweep.names_trials:
        problems.append(
            f"sweep={sweep.name or '…'}: only hydra/sweeper=grid, the default, reads which trials "
            "it names"
        )
    if workers is not None and workers < 1:
        problems.append(f"hydra.launcher.workers={workers}: must be at least 1, or null")
    if problems:
        raise SettingsError(problems)
    return SweepOptions(workers, sweep.skip_invalid, sweep.max_failures)


def resolve_all(
    trials: Sequence[Composed],
    overrides: Sequence[Sequence[str]],
    options: SweepOptions | None = None,
    checks: Sequence[Check] = (),
    resolver: Resolver | None = None,
) -> Resolved:
    """Every trial of a sweep, ready to run, the impossible ones apart.

    checks: give what else is wrong with a trial's settings. Raises SettingsError with the problems
    of all trials, unless options.skip_invalid leaves some that can be run.
    """
    options = options or SweepOptions()
    one_folder = _one_results_folder(trials, overrides)
    resolver = resolver or Resolver()
    requests, numbers = list[TrialRequest](), list[int]()
    faults: dict[int, tuple[str, ...]] = {}
    for number, trial in enumerate(trials):
        try:
            if isinstance(trial, SettingsError):
                raise trial
            more = [line for check in (_tracker, *checks) for line in check(trial)]
            requests.append(resolver.resolve(trial, more))
            numbers.append(number)
        except (SettingsError, DataError) as error:
            faults[number] = tuple(error.problems)
        except ModelError as error:
            faults[number] = (str(error),)
    problems = told_together(faults, overrides)
    if one_folder or (faults and not (options.skip_invalid and requests)):
        hint = SKIP if requests and not one_folder else None
        raise SettingsError([*one_folder, *problems], hint)
    for line in problems:
        say(f"left out: {line}")
    left_out = tuple(LeftOut(number, overrides[number], found) for number, found in faults.items())
    return Resolved(tuple(requests), tuple(numbers), left_out)


def told_together(
    faults: Mapping[int, Sequence[str]], overrides: Sequence[Sequence[str]]
) -> list[str]:
    """The problems of all trials, by their numbers: one fault is often in many of them."""
    found: dict[str, list[int]] = {}
    for number, problems in faults.items():
        for problem in problems:
            found.setdefault(problem, []).append(number)
    total = len(overrides)
    same = set(overrides[0]).intersection(*map(set, overrides)) if total > 1 else set[str]()
    lines: list[str] = []
    for problem, numbers in found.items():
        if len(numbers) == total:
            lines.append(f"all {total} trials: {problem}" if total > 1 else problem)
            continue
        # What all trials have would hide what tells them apart.
        shown = ", ".join(
            f"{number} ({' '.join(line for line in overrides[number] if line not in same)})"
            for number in numbers[:SHOWN]
        )
        more = f" and {len(numbers) - SHOWN} more" if len(numbers) > SHOWN else ""
        lines.append(f"trial{'s' if len(numbers) > 1 else ''} {shown}{more}: {problem}")
    return lines


def _one_results_folder(
    trials: Sequence[Composed], overrides: Sequence[Sequence[str]]
) -> list[str]:
    """Trials of a sweep share their results folder, or could not be summed up in it."""
    folders = {n: t.results.dir for n, t in enumerate(trials) if isinstance(t, Settings)}
    if len(set(folders.values())) < 2:
        return []
    first = next(iter(folders.values()))
    faults = {
        number: [
            f"results.dir={folder}: must be the same for all trials of a sweep, and the first has "
            f"{first}"
        ]
        for number, folder in folders.items()
        if folder != first
    }
    return told_together(faults, overrides)


def _tracker(settings: Settings) -> list[str]:
    return tracker_problems(settings.tracker)


def store_of(resolved: Resolved) -> Store:
    """The results folder of a sweep."""
    return Store(Path(resolved.requests[0].settings.results.dir))
