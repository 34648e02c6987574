"""What a trial needs before its first step: latents of training, class and held-out pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lora_sweep.config.resolve import class_prompt
from lora_sweep.config.settings import PriorGenerated
from lora_sweep.data.cache import Cache
from lora_sweep.data.examples import Example
from lora_sweep.data.transforms import View
from lora_sweep.model.base import Base
from lora_sweep.results.evaluate import Yardstick, make_yardstick
from lora_sweep.results.progress import say, status
from lora_sweep.results.store import Store
from lora_sweep.sweep.class_images import generated_class_examples
from lora_sweep.sweep.request import TrialRequest
from lora_sweep.training.prepare import (
    Items,
    class_views,
    measure_views,
    prepare_items,
    training_views,
)


@dataclass(frozen=True)
class Prepared:
    """Everything that is computed once; `yardstick` is for measures only."""

    items: Items
    class_items: Items | None
    yardstick: Yardstick
    text_identity: tuple[Cache, str]


def preparation_key(request: TrialRequest) -> tuple[object, ...]:
    """What `prepare` looks at: requests with equal keys are prepared alike."""
    settings = request.settings
    return (
        request.base_hash,
        request.examples,
        request.class_examples,
        settings.model,
        settings.dataset,
        settings.prior,
        settings.seed,
        # Cadence and batch size change nothing of what trials are measured against.
        replace(settings.evaluate, every=None, batch_size=1),
    )


def prepare(base: Base, request: TrialRequest, store: Store) -> Prepared:
    """Encode all pictures, or find them in the cache; draw class pictures if asked for."""
    settings, model = request.settings, request.settings.model
    cache = Cache(store.root)
    class_pictures = _class_pictures(base, request, cache)

    def encode(
        examples: Sequence[Example], views: Sequence[View], pictures: Sequence[int] = ()
    ) -> Items:
        return prepare_items(
            base, request.base_hash, examples, views, settings.dataset, cache,
            on_item=lambda done, total: step(1), pictures=pictures,
        )  # fmt: skip

    resolution, seed = model.resolution, settings.seed
    training, views = training_views(request.examples.train, settings.dataset, resolution, seed)
    heldout = request.examples.heldout
    measured = settings.evaluate.loss_timesteps > 0
    fit = _evenly(request.examples.train, len(heldout) or 6) if measured else ()
    heldout = heldout if measured else ()
    classes, of_classes = class_views(class_pictures, settings.dataset, views, seed)
    total = len(training) + len(classes) + len(fit) + len(heldout)
    with status("encoding pictures", total=total) as step, base.only(base.vae):
        items = encode(training, views)
        class_items = fit_items = heldout_items = None
        if class_pictures:
            shown = [class_pictures[index] for index in classes]
            class_items = encode(shown, of_classes, classes)
        if fit:
            fit_items = encode(fit, measure_views(fit, resolution))
        if heldout:
            heldout_items = encode(heldout, measure_views(heldout, resolution))
    with base.at_hand(base.vae):
        yardstick = make_yardstick(
            base,
            request.base_hash,
            settings,
            request.examples.train,
            fit_items,
            heldout_items,
            cache,
            say,
        )
    return Prepared(items, class_items, yardstick, (cache, _text_identity(request)))


def _class_pictures(base: Base, request: TrialRequest, cache: Cache) -> tuple[Example, ...]:
    prior = request.settings.prior
    if not isinstance(prior, PriorGenerated):
        return request.class_examples
    seen = 0
    with status("drawing class pictures", total=prior.num_class_images) as step:

        def on_picture(done: int, total: int) -> None:
            nonlocal seen
            step(done - seen)
            seen = done

        return generated_class_examples(
            base, request.base_hash, request.settings.model, prior,
            class_prompt(request.settings), cache, on_picture,
        )  # fmt: skip


def _evenly(examples: Sequence[Example], count: int) -> tuple[Example, ...]:
    """`count` examples spread over the sequence: as many as are held out, so that the two cost the
    same.
    """
    if len(examples) <= count:
        return tuple(examples)
    return tuple(examples[index * len(examples) // count] for index in range(count))


def _text_identity(request: TrialRequest) -> str:
    model = request.settings.model
    parts = (request.base_hash, model.clip_skip, model.pooling.value, model.precision.value)
    return "/".join(str(part) for part in parts)
