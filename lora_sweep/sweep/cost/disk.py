"""What a sweep will write, in bytes. No torch."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from lora_sweep.config.settings import Crop, PriorGenerated, Settings
from lora_sweep.data.examples import Example
from lora_sweep.results.measure.prompts import drift_prompts
from lora_sweep.results.store import Store
from lora_sweep.sweep.cost import footprint
from lora_sweep.sweep.cost.keys import caption_count, cost_settings, num_class_pictures
from lora_sweep.sweep.cost.shapes import base_shapes
from lora_sweep.sweep.request import TrialRequest
from lora_sweep.sweep.tree import Family


@dataclass
class DiskUse:
    """Bytes by what they are for; `unknown` trials are those whose base is not known."""

    adapters: int = 0
    checkpoints: int = 0
    pictures: int = 0
    records: int = 0  # metrics.jsonl, trial.json, config.yaml, README.md
    caches: int = 0
    unknown: int = 0

    @property
    def total(self) -> int:
        """All together."""
        return self.adapters + self.checkpoints + self.pictures + self.records + self.caches


Saved = dict[int, bool]
"""Checkpoints that a trial's folder gets: by step, whether the text side still trained."""


@dataclass(frozen=True)
class _Sizes:
    """Bytes of a trial's files, the same for all trials that differ in their seed alone."""

    adapters: int | None  # None: of a base that is not known
    checkpoints: Mapping[bool, int]  # one, by whether the text side still trains
    picture: int


def disk_use(
    families: Iterable[Family], requests: Mapping[str, TrialRequest], store: Store
) -> DiskUse:
    """What training these families will leave on disk, beside what is there."""
    use, known = DiskUse(), dict[Hashable, _Sizes]()
    trials: list[TrialRequest] = []
    families = tuple(families)
    for family in families:
        for trial, saved in _checkpoints(family, requests).items():
            request = requests[trial]
            key = cost_settings(request)
            if key not in known:
                known[key] = _sizes(request.settings)
            _add_trial(use, request, saved, known[key])
            trials.append(request)
    use.caches = _shared_caches(trials, store) + sum(
        _pivots(family) * _text_bytes(requests[family.trials[0]]) for family in families
    )
    return use


def validation_pictures(settings: Settings) -> int:
    """Pictures of one evaluation."""
    return len(settings.evaluate.prompts) * settings.evaluate.images_per_prompt


def evaluations(settings: Settings, steps: int) -> int:
    """How often a trial is measured, the last step included."""
    every = settings.evaluate.every
    return 1 + ((steps - 1) // every if every else 0)


def _checkpoints(family: Family, requests: Mapping[str, TrialRequest]) -> dict[str, Saved]:
    found: dict[str, Saved] = {trial: {} for trial in family.trials}
    children = [0] * len(family.segments)
    for segment in family.segments:
        if segment.parent is not None:
            children[segment.parent] += 1
    for index, segment in enumerate(family.segments):
        # The last trial that passes saves for all of them.
        owner = family.trials[segment.trials[-1]]
        train = requests[owner].settings.train
        if every := train.checkpoint_every:
            first = segment.start + every - segment.start % every
            for step in range(first, segment.stop + 1, every)[-train.checkpoints_kept :]:
                found[owner][step] = segment.text_trains
        if children[index] > 1 and not segment.ends:
            found[owner][segment.stop] = segment.text_trains
        for position in segment.ends:
            found[family.trials[position]][segment.stop] = segment.text_trains
    return found


def _add_trial(use: DiskUse, request: TrialRequest, saved: Saved, sizes: _Sizes) -> None:
    settings, steps = request.settings, request.max_train_steps
    use.records += footprint.SMALL_FILES + footprint.ROW * steps
    use.pictures += evaluations(settings, steps) * validation_pictures(settings) * sizes.picture
    if sizes.adapters is None:
        use.unknown += 1
        return
    use.adapters += sizes.adapters
    for step in sorted(saved)[-settings.train.checkpoints_kept :]:
        use.checkpoints += sizes.checkpoints[saved[step]]


def _sizes(settings: Settings) -> _Sizes:
    size, picture = footprint.trained(settings), footprint.picture_bytes(settings)
    if size is None:
        return _Sizes(None, {}, picture)
    checkpoints = {
        trains: footprint.checkpoint_bytes(settings, size, text_trains=trains)
        for trains in (True, False)
    }
    return _Sizes(footprint.export_bytes(settings, size), checkpoints, picture)


def _pivots(family: Family) -> int:
    """States of the text side whose embeddings are kept."""
    return sum(
        segment.parent is not None
        and not segment.text_trains
        and family.segments[segment.parent].text_trains
        for segment in family.segments
    )


def _text_bytes(request: TrialRequest) -> int:
    """All captions of a request, embedded."""
    base = base_shapes(request.settings.model)
    return (
        0 if base is None else caption_count(request) * footprint.text_bytes(request.settings, base)
    )


def _measure_bytes(request: TrialRequest) -> int:
    base, settings = base_shapes(request.settings.model), request.settings
    prompts = len(drift_prompts(settings))
    return 0 if base is None else footprint.drift_bytes(settings, base, prompts)


def _shared_caches(requests: Sequence[TrialRequest], store: Store) -> int:
    """Latents and class pictures that are not there yet, by their number; what drift is measured
    against; captions of untrained encoders.
    """
    total = latents = pictures = 0
    example: TrialRequest | None = None
    for request in different_preparations(requests):
        example = request
        latents += latent_count(request)
        total += _measure_bytes(request)
        if request.settings.te_mode.name == "frozen":
            total += _text_bytes(request)
        if isinstance(request.settings.prior, PriorGenerated):
            pictures += num_class_pictures(request)
    base = base_shapes(example.settings.model) if example is not None else None
    if example is None or base is None:
        return 0
    new = max(0, latents - cached(store, "latents"))
    drawn = max(0, pictures - cached(store, "class_images", "png"))
    total += new * footprint.latent_bytes(example.settings, base)
    return total + drawn * footprint.picture_bytes(example.settings)


def cached(store: Store, kind: str, ending: str = "safetensors") -> int:
    """Entries of one kind in the cache."""
    return sum(1 for _ in (store.cache / kind).glob(f"**/*.{ending}"))


def latent_count(request: TrialRequest) -> int:
    """Different latents of a request: of the items, the class, and the measures."""
    examples, settings = request.examples, request.settings
    repeats = settings.dataset.repeats
    items = sum(1 if _has_one_view(each, settings) else repeats for each in examples.train)
    measured = 0
    if settings.evaluate.loss_timesteps:
        fit = sum(not _has_one_view(each, settings) for each in loss_pictures(request))
        measured = len(examples.heldout) + fit
    return items + num_class_pictures(request) + measured


def _has_one_view(example: Example, settings: Settings) -> bool:
    """Whether every repeat of a picture, and its measure, is the same square."""
    data, (height, width) = settings.dataset, example.size_HW
    return not data.flip and (height == width or data.crop is Crop.center)


def loss_pictures(request: TrialRequest) -> tuple[Example, ...]:
    """As many training pictures as fit_loss is measured on: the number held out, or 6."""
    return request.examples.train[: len(request.examples.heldout) or 6]


def different_preparations(requests: Iterable[TrialRequest]) -> list[TrialRequest]:
    """One request for each set of latents."""
    alike: dict[object, TrialRequest] = {}
    for request in requests:
        s = request.settings
        key = (request.base_hash, s.model, s.dataset, s.prior, s.seed, len(request.class_examples))
        alike.setdefault(key, request)
    found: dict[object, TrialRequest] = {}
    for request in alike.values():
        settings = request.settings
        one_view = all(_has_one_view(each, settings) for each in request.examples.train)
        repeats, seed = (1, 0) if one_view else (settings.dataset.repeats, settings.seed)
        data = replace(settings.dataset, repeats=repeats, abstractions=(), instance_prompt=None)
        prior = settings.prior.name, num_class_pictures(request)
        found.setdefault((request.base_hash, settings.model, data, prior, seed), request)
    return list(found.values())
