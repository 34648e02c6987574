"""A trial of a study in the hands of this process: from its point to what is to be trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from optuna.trial import Trial

from lora_sweep.config.settings import Settings
from lora_sweep.errors import SettingsError
from lora_sweep.results.names import LONGEST_TAG, TrialName, shortened
from lora_sweep.results.store import Store, TrialFolder
from lora_sweep.sweep.request import Resolver, TrialRequest
from lora_sweep.sweep.search.best import point_text
from lora_sweep.sweep.search.disk import steps_behind
from lora_sweep.sweep.search.study import StudyPlan, suggest
from lora_sweep.sweep.stages import spec_of, stages
from lora_sweep.sweep.unit import Unit, units_of

Compose = Callable[[Sequence[str], int], Settings | SettingsError]
"""Gives the settings of a trial's overrides; the other argument is its number."""

Check = Callable[[Settings], list[str]]

PREFIX_KEYS = frozenset({"train.max_train_steps", "train.steps_per_image", "te_mode.frac"})
"""Settings that say how far a trial goes: trials that differ in these share their beginnings."""


@dataclass
class Hand:
    """A trial from its suggestion until it is told."""

    trial: Trial
    request: TrialRequest
    overrides: tuple[str, ...]
    label: str
    passed: int = 0  # the last rung behind it
    asked_for: int | None = None  # the step that it was last handed out for

    @property
    def number(self) -> int:
        """Its place in the study."""
        return self.trial.number

    @property
    def name(self) -> TrialName:
        """What trackers call it."""
        return TrialName(self.label, tuple(shortened(line, LONGEST_TAG) for line in self.overrides))


class Hands:
    """Makes hands; remembers what it needs to know how much is shared."""

    def __init__(
        self, plan: StudyPlan, store: Store, compose: Compose, checks: Sequence[Check]
    ) -> None:
        self._plan = plan
        self.store = store
        self._compose = compose
        self._checks = checks
        self._resolver = Resolver()
        self._by_stage: dict[str, list[TrialFolder]] = {}  # trials by the stage they begin with
        self._shares = bool(PREFIX_KEYS & plan.space.varied.keys())
        self._kept = len(plan.rungs) + 2 if self._shares else 1  # checkpoints for others

    def take(self, trial: Trial) -> Hand:
        """The trial that Optuna suggests; raises SettingsError, DataError or ModelError where it is
        impossible.
        """
        point = suggest(trial, self._plan.space)
        overrides = tuple(self._plan.space.overrides(point))
        settings = self._compose(overrides, trial.number)
        if isinstance(settings, SettingsError):
            raise settings
        kept = max(self._kept, settings.train.checkpoints_kept)
        settings = replace(settings, train=replace(settings.train, checkpoints_kept=kept))
        found = [line for check in self._checks for line in check(settings)]
        request = self._resolver.resolve(settings, found)
        label = f"{trial.number}: {point_text(trial.params)}"
        return Hand(trial, request, overrides, label)

    def unit(self, hand: Hand, stop: int, stage: str) -> Unit:
        """The trial up to a step, as whoever trains it is given it."""
        whole = stop >= hand.request.max_train_steps
        request = replace(hand.request, stop_step=None if whole else stop)
        folders = [*self._by_stage.get(stage, ()), self.store.trial(request.id)]
        (unit,), _ = units_of([request], self.store.root, self._plan.name, {request.id: hand.name})
        steps = max(0, stop - steps_behind(request, _once(folders)))
        # Where the text side stops, others may go on with it.
        ends = stages(spec_of(request))[:-1] if self._shares else ()
        return replace(unit, steps=steps, leaves=tuple((each.key, each.stop) for each in ends))

    def remember(self, hand: Hand, stage: str) -> None:
        """What the trial leaves may be gone on from by others that begin alike."""
        folder = self.store.trial(hand.request.id)
        known = self._by_stage.setdefault(stage, [])
        if folder not in known:
            known.append(folder)


def _once(folders: Iterable[TrialFolder]) -> list[TrialFolder]:
    return list(dict.fromkeys(folders))
