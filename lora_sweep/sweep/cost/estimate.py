"""Time and memory of a sweep from the costs of its parts. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lora_sweep.config.settings import PriorGenerated
from lora_sweep.results.measure.prompts import drift_prompts
from lora_sweep.results.store import Store
from lora_sweep.sweep.checkpoints import CheckpointIndex
from lora_sweep.sweep.cost.choose import Candidate
from lora_sweep.sweep.cost.disk import (
    cached,
    different_preparations,
    evaluations,
    latent_count,
    loss_pictures,
    validation_pictures,
)
from lora_sweep.sweep.cost.infer import Expected
from lora_sweep.sweep.cost.keys import (
    StepKey,
    caption_count,
    has_text_phase,
    mean_rows_per_step,
    num_class_pictures,
    step_key,
)
from lora_sweep.sweep.cost.known import Known
from lora_sweep.sweep.cost.records import FinishCost
from lora_sweep.sweep.request import TrialRequest
from lora_sweep.sweep.tree import Family, Segment


@dataclass
class FamilyCost:
    """What a family is expected to take; times in seconds, None where not known."""

    family: Family
    request: TrialRequest  # one of its trials
    steps: int  # left to train, those that checkpoints spare not counted
    seconds: float | None
    finishing: float  # of them, measures, pictures and files
    alone: dict[str, float] = field(default_factory=dict)  # by trial, each trained by itself
    memory: float | None = None  # bytes


class Estimator:
    """Costs of families, by what is known of their steps."""

    def __init__(self, known: Known, checkpoints: CheckpointIndex | None = None) -> None:
        self.known = known
        self.checkpoints = checkpoints
        self._expected: dict[tuple[StepKey, float], Expected | None] = {}

    def step(self, request: TrialRequest, text_trains: bool) -> Expected | None:
        """What one of a request's steps takes."""
        key, rows = step_key(request, text_trains), mean_rows_per_step(request)
        if (key, rows) not in self._expected:
            self._expected[key, rows] = self.known.steps.expect(key, rows)
        return self._expected[key, rows]

    @property
    def step_costs(self) -> list[Expected]:
        """Everything that was asked for and is known."""
        return [each for each in self._expected.values() if each is not None]

    @property
    def unknown(self) -> int:
        """How many kinds of steps were asked for of which nothing is known."""
        return sum(each is None for each in self._expected.values())

    def family(self, family: Family, requests: Mapping[str, TrialRequest]) -> FamilyCost:
        """What training a family takes in one process, its base loaded and its pictures encoded."""
        # All trials of a family train alike; they differ in length, and in how they are measured.
        request = requests[family.trials[0]]
        paces = {
            trains: self.step(request, trains)
            for trains in {segment.text_trains for segment in family.segments}
        }
        memory = self._memory(request, list(paces.values()))
        left = self._steps_left(family)
        finish = self.known.finish(request)
        cost = FamilyCost(family, request, sum(left), None, 0.0, memory=memory)
        seconds = {trains: pace.seconds for trains, pace in paces.items() if pace is not None}
        if len(seconds) < len(paces):
            return cost
        training = sum(
            steps * seconds[segment.text_trains]
            for segment, steps in zip(family.segments, left, strict=True)
        )
        if finish is not None:
            cost.finishing = self._finishing(family, requests, finish)
        cost.seconds = training + cost.finishing
        for trial in family.trials:
            steps = sum(len(s.steps) * seconds[s.text_trains] for s in family.path(trial))
            cost.alone[trial] = steps + (trial_seconds(requests[trial], finish) if finish else 0.0)
        return cost

    def _memory(self, request: TrialRequest, paces: Sequence[Expected | None]) -> float | None:
        found = [pace.memory for pace in paces if pace is not None and pace.memory is not None]
        if not found or len(found) < len(paces):
            return None
        finish = self.known.finish(request)
        measures = finish.memory if finish is not None and finish.memory is not None else 0.0
        return max(*found, measures)

    def _steps_left(self, family: Family) -> list[int]:
        """Steps of each segment that no checkpoint spares, as whoever trains it finds them."""
        found = [self._furthest(segment) for segment in family.segments]
        wanted = [bool(segment.ends) for segment in family.segments]
        for index in range(len(family.segments) - 1, 0, -1):
            parent = family.segments[index].parent
            if parent is not None and wanted[index] and found[index] is None:
                wanted[parent] = True
        return [
            segment.stop - (segment.start if step is None else step) if is_wanted else 0
            for segment, step, is_wanted in zip(family.segments, found, wanted, strict=True)
        ]

    def _furthest(self, segment: Segment) -> int | None:
        if self.checkpoints is None:
            return None
        found = self.checkpoints.latest(segment)
        return None if found is None else found.step

    def _finishing(
        self, family: Family, requests: Mapping[str, TrialRequest], finish: FinishCost
    ) -> float:
        """Everything beside steps: measured once in each segment where several trials pass."""
        first = requests[family.trials[0]]
        seconds = 0.0
        for segment in family.segments:
            request = requests[family.trials[segment.trials[-1]]]
            every, saves = request.settings.evaluate.every, request.settings.train.checkpoint_every
            due = _multiples(segment, every) - (1 if every and _ends_at(segment, every) else 0)
            seconds += max(0, due) * evaluation_seconds(request, finish)
            seconds += _multiples(segment, saves) * finish.save
            if segment.parent is not None and not segment.text_trains:
                seconds += finish.caption * caption_count(first)
        forks = len(family.segments) - len(set(s.parent for s in family.segments))
        seconds += (1 + forks) * finish.build
        for trial in family.trials:
            seconds += evaluation_seconds(requests[trial], finish) + finish.save + finish.export
        return seconds


def trial_seconds(request: TrialRequest, finish: FinishCost) -> float:
    """What a trial takes beside its steps when it is trained by itself in a process that is
    there.
    """
    settings, steps = request.settings, request.max_train_steps
    times = evaluations(settings, steps)
    saves = 1 + (steps - 1) // (settings.train.checkpoint_every or steps)
    captions = caption_count(request) * finish.caption
    fixed = finish.build + finish.export + (captions if has_text_phase(settings) else 0.0)
    return fixed + times * evaluation_seconds(request, finish) + saves * finish.save


def evaluation_seconds(request: TrialRequest, finish: FinishCost) -> float:
    """One evaluation: losses, drift, validation pictures and what is measured on them."""
    settings = request.settings
    asked = settings.evaluate
    rows = 0
    if asked.loss_timesteps:
        rows = len(request.examples.heldout) + len(loss_pictures(request))
        rows += len(drift_prompts(settings))
    pictures = validation_pictures(settings)
    return (
        rows * asked.loss_timesteps * finish.loss_row
        + pictures * (asked.sample_steps * finish.sample_step + finish.picture)
    )  # fmt: skip


def preparing_seconds(requests: Sequence[TrialRequest], known: Known, store: Store) -> float:
    """Encoding pictures, drawing those of the class, and what drift is measured against: once."""
    seconds, latents, drawn = 0.0, 0, 0
    encode = 0.0
    for request in different_preparations(requests):
        finish, settings = known.finish(request), request.settings
        if finish is None:
            continue
        encode = finish.encode
        latents += latent_count(request)
        each = finish.picture + finish.encode
        if settings.evaluate.loss_timesteps:
            prompts = len(drift_prompts(settings))
            seconds += prompts * (settings.evaluate.sample_steps * finish.sample_step + each)
        if isinstance(settings.prior, PriorGenerated):
            wanted = max(0, num_class_pictures(request) - drawn)
            drawn += wanted
            seconds += wanted * (settings.prior.sample_steps * finish.sample_step + each)
    if latents:
        seconds += encode * max(0, latents - cached(store, "latents"))
    return seconds


def candidates_of(
    families: Sequence[Family], requests: Mapping[str, TrialRequest]
) -> list[Candidate]:
    """The families by what their steps cost."""
    steps: dict[tuple[StepKey, ...], int] = {}
    shown: dict[tuple[StepKey, ...], TrialRequest] = {}
    for family in families:
        request = requests[family.trials[0]]
        phases = sorted({segment.text_trains for segment in family.segments}, reverse=True)
        keys = tuple(step_key(request, trains) for trains in phases)
        steps[keys] = steps.get(keys, 0) + family.steps_in_tree
        shown.setdefault(keys, request)
    return [Candidate(shown[keys], keys, count) for keys, count in steps.items()]


def _multiples(segment: Segment, every: int | None) -> int:
    """Steps start + 1 ... stop that are multiples."""
    return segment.stop // every - segment.start // every if every else 0


def _ends_at(segment: Segment, every: int) -> bool:
    return (
        bool(segment.ends)
        and segment.stop % every == 0
        and len(segment.trials) == len(segment.ends)
    )
