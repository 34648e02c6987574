"""Time and memory of a sweep from the costs of its parts. No torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from lora_sweep.config.resolve import has_text_phase
from lora_sweep.config.settings import PriorGenerated
from lora_sweep.results.measure.prompts import drift_prompts
from lora_sweep.results.store import Store
from lora_sweep.sweep.checkpoints import CheckpointIndex
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
    caption_count,
    cost_settings,
    num_class_pictures,
)
from lora_sweep.sweep.cost.known import Known
from lora_sweep.sweep.cost.machine import device_of
from lora_sweep.sweep.cost.peak import Peak, computed_peak
from lora_sweep.sweep.cost.records import FinishCost
from lora_sweep.sweep.request import TrialRequest
from lora_sweep.sweep.tree import Family, Segment


@dataclass(frozen=True)
class UnitCosts:
    """What a request's parts take: seconds, and bytes at the peak of its process; None where not
    known.
    """

    steps: Mapping[bool, Expected | None]  # one step, by whether the text side trains
    finish: FinishCost | None  # None: nothing is known of what trials take beside their steps
    evaluation: float  # one, pictures included
    captions: float  # encoding them once the text side is fixed
    memory: float | None
    computed: Peak | None  # where memory is computed, its parts

    @property
    def peak(self) -> tuple[float | None, Peak | None]:
        """Both that is known of memory."""
        return self.memory, self.computed


@dataclass(frozen=True)
class FamilyCost:
    """What a family is expected to take; times in seconds, None where not known."""

    family: Family
    request: TrialRequest  # one of its trials
    steps: int  # left to train, those that checkpoints spare not counted
    seconds: float | None
    finishing: float  # of them, measures, pictures and files
    alone: Mapping[str, float]  # by trial, each trained by itself; empty where not known
    memory: float | None  # bytes
    computed: Peak | None = None  # where memory was not measured but computed


class Estimator:
    """Costs of families, by what is known of their parts. Requests are by id."""

    def __init__(
        self,
        known: Known,
        requests: Mapping[str, TrialRequest],
        checkpoints: CheckpointIndex | None = None,
    ) -> None:
        self.known = known
        self.requests = requests
        self.checkpoints = checkpoints
        self._units: dict[Hashable, UnitCosts] = {}

    def unit(self, request: TrialRequest) -> UnitCosts:
        """What a request's parts take: the same for all that differ in their seed alone."""
        key = cost_settings(request)
        if key not in self._units:
            self._units[key] = self._unit(request)
        return self._units[key]

    def _unit(self, request: TrialRequest) -> UnitCosts:
        finish, memory = self.known.finish(request), self.known.memory(request)
        settings = request.settings
        computed = computed_peak(settings, device_of(settings)) if memory is None else None
        return UnitCosts(
            {trains: self.known.step(request, trains) for trains in (True, False)},
            finish,
            evaluation_seconds(request, finish) if finish else 0.0,
            finish.caption * caption_count(request) if finish else 0.0,
            memory if computed is None else float(computed.total),
            computed,
        )

    def family(self, family: Family) -> FamilyCost:
        """What training a family takes in one process, its base loaded and its pictures encoded."""
        requests = [self.requests[trial] for trial in family.trials]
        units = [self.unit(request) for request in requests]
        # All trials of a family train alike; they differ in length, and in how they are measured.
        unit, left = units[0], self._steps_left(family)
        paces = {trains: pace.seconds for trains, pace in unit.steps.items() if pace is not None}
        if not {segment.text_trains for segment in family.segments} <= paces.keys():
            return FamilyCost(family, requests[0], sum(left), None, 0.0, {}, *unit.peak)
        training = sum(
            steps * paces[segment.text_trains]
            for segment, steps in zip(family.segments, left, strict=True)
        )
        alone: dict[str, float] = {}
        until: list[float] = []  # steps up to the end of each segment
        for segment in family.segments:
            before = 0.0 if segment.parent is None else until[segment.parent]
            until.append(before + len(segment.steps) * paces[segment.text_trains])
            for end in segment.ends:
                alone[family.trials[end]] = until[-1] + _beside_steps(requests[end], units[end])
        finishing = _finishing(family, requests, units)
        total = training + finishing
        return FamilyCost(family, requests[0], sum(left), total, finishing, alone, *unit.peak)

    def _steps_left(self, family: Family) -> list[int]:
        """Steps of each segment that no checkpoint spares, as whoever trains it finds them."""
        segments = family.segments
        if self.checkpoints is None:
            return [len(segment.steps) for segment in segments]
        found = [self.checkpoints.latest(segment) for segment in segments]
        wanted = [bool(segment.ends) for segment in segments]
        for index in range(len(segments) - 1, 0, -1):  # children come after their parents
            parent = segments[index].parent
            if parent is not None and wanted[index] and found[index] is None:
                wanted[parent] = True
        return [
            segment.stop - (segment.start if state is None else state.step) if is_wanted else 0
            for segment, state, is_wanted in zip(segments, found, wanted, strict=True)
        ]


def _beside_steps(request: TrialRequest, unit: UnitCosts) -> float:
    """What a trial takes by itself, in a process that has the base and its pictures."""
    settings, steps, finish = request.settings, request.max_train_steps, unit.finish
    if finish is None:
        return 0.0
    saves = 1 + (steps - 1) // (settings.train.checkpoint_every or steps)
    captions = unit.captions if has_text_phase(settings) else 0.0
    measuring = evaluations(settings, steps) * unit.evaluation
    return finish.build + measuring + captions + saves * finish.save + finish.export


def _finishing(
    family: Family, requests: Sequence[TrialRequest], units: Sequence[UnitCosts]
) -> float:
    """All beside steps: measured and saved once in a segment, however many trials pass."""
    finish, seconds = units[0].finish, 0.0  # of one base, so of one cost of files
    if finish is None:
        return 0.0
    children = Counter(segment.parent for segment in family.segments)
    begun: set[int | None] = set()
    for index, segment in enumerate(family.segments):
        last = segment.trials[-1]  # the last trial that passes does so for all of them
        settings, unit = requests[last].settings, units[last]
        seconds += _measured(segment, settings.evaluate.every) * unit.evaluation
        saves = _multiples(segment, settings.train.checkpoint_every)
        saves += children[index] > 1 and not segment.ends
        seconds += saves * finish.save
        if segment.parent is not None and not segment.text_trains:
            seconds += unit.captions
        if segment.parent is None or segment.parent in begun:
            seconds += finish.build  # a first child goes on from the live trial
        begun.add(segment.parent)
    ends = sum(unit.evaluation for unit in units)
    return seconds + ends + len(units) * (finish.save + finish.export)


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
    """A process and its base; encoding pictures, drawing those of the class and those that drift is
    measured on, embedding what samples are compared with: all of it once.
    """
    start = encode = embed = drawing = 0.0
    latents = drawn = 0
    drift, embedded = dict[str, float](), set[str]()  # seconds by prompt; pictures by digest
    for request in different_preparations(requests):
        finish, settings = known.finish(request), request.settings
        if finish is None:
            continue
        start, encode, embed = finish.start, finish.encode, finish.embed
        latents += latent_count(request)
        asked = settings.evaluate
        if asked.loss_timesteps:
            one = asked.sample_steps * finish.sample_step + asked.loss_timesteps * finish.loss_row
            drift |= dict.fromkeys(drift_prompts(settings), one)
        if asked.prompts:
            embedded |= {example.digest for example in request.examples.train}
        if isinstance(settings.prior, PriorGenerated):
            drawn = max(drawn, num_class_pictures(request))
            drawing = settings.prior.sample_steps * finish.sample_step + finish.picture
    made = (
        (encode, latents, cached(store, "latents")),
        (embed, len(embedded), cached(store, "embeddings")),
        (drawing, drawn, cached(store, "class_images", "png")),
    )
    once = sum(seconds * max(0, wanted - there) for seconds, wanted, there in made)
    return start + sum(drift.values()) + once


def _multiples(segment: Segment, every: int | None) -> int:
    """Steps start + 1 ... stop that are multiples."""
    return segment.stop // every - segment.start // every if every else 0


def _measured(segment: Segment, every: int | None) -> int:
    """How often the trials that pass are measured on the way; at a trial's end it is its own."""
    all_end = len(segment.ends) == len(segment.trials)
    at_end = every and all_end and segment.stop % every == 0
    return _multiples(segment, every) - (1 if at_end else 0)
