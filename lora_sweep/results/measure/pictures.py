"""Drawn pictures against training pictures and prompts: subject, prompt, diversity, copying."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lora_sweep.config.settings import Dataset, Embedder, Settings
from lora_sweep.data.cache import Cache
from lora_sweep.data.examples import Example
from lora_sweep.data.images import read_picture
from lora_sweep.data.transforms import center_view, pixels_CHW
from lora_sweep.errors import ModelError
from lora_sweep.model.base import Base
from lora_sweep.results.embedders.interface import (
    PictureEmbedder,
    TextEmbedder,
    open_embedder,
    open_text_embedder,
)
from lora_sweep.results.embedders.places import (
    picture_source,
    text_source,
    unavailable,
)
from lora_sweep.results.measure import similarity

AnEmbedder = TypeVar("AnEmbedder", PictureEmbedder, TextEmbedder)


@dataclass(frozen=True)
class PictureReference:
    """What samples are compared with: the same for every trial of a sweep.

    `training_TD`: embeddings of the training pictures in which the embedder found something; no
    rows where it found nothing in any.
    """

    embedder: PictureEmbedder | None
    text_embedder: TextEmbedder | None
    training_TD: Tensor | None


def make_picture_reference(
    base: Base,
    settings: Settings,
    training: Sequence[Example],
    cache: Cache,
    say: Callable[[str], None],
) -> PictureReference:
    """Open the embedders that the settings ask for, and embed the training pictures, or find them
    in the cache.

    With embedder=auto, what cannot be had is said once and left out; else ModelError is raised.
    """
    embedder: PictureEmbedder | None = None
    text_embedder: TextEmbedder | None = None
    training_TD = None
    asked = settings.evaluate
    pictures, text = picture_source(settings), text_source(settings)
    if pictures is not None:
        optional = asked.embedder is Embedder.auto and asked.clip is None
        embedder = _open(lambda: open_embedder(pictures), unavailable(pictures), optional, say)
    if text is not None and not (pictures == text and embedder is None):
        optional = asked.embedder is not Embedder.clip and asked.clip is None
        text_embedder = _open(
            lambda: open_text_embedder(text), unavailable(text), optional, say, ("prompt",)
        )
    if embedder is not None:
        training_TD = _embed_training(base, embedder, settings, training, cache)
        if not training_TD.any():
            say(
                f"evaluate.embedder={asked.embedder.name} finds nothing in any training picture: "
                "subject and copying are not measured"
            )
        training_TD = training_TD[training_TD.any(dim=1)]
    return PictureReference(embedder, text_embedder, training_TD)


def _open(
    load: Callable[[], AnEmbedder],
    reason: str | None,
    optional: bool,
    say: Callable[[str], None],
    measures: Sequence[str] = ("subject", "prompt", "diversity", "copying"),
) -> AnEmbedder | None:
    try:
        if reason is not None:
            raise ModelError(reason)
        return load()
    except ModelError as error:
        if not optional:
            raise
        say(f"not measured: {', '.join(measures)} ({error}; other choices: evaluate.embedder)")
        return None


def _embed_training(
    base: Base,
    embedder: PictureEmbedder,
    settings: Settings,
    training: Sequence[Example],
    cache: Cache,
) -> Tensor:
    """Embeddings (T, D) of the pictures' centres at the resolution that samples have."""
    resolution = settings.model.resolution
    rows: list[Tensor] = []
    with _on_device(base, embedder):
        for example in training:

            def embed(example: Example = example) -> dict[str, Tensor]:
                square = centre_square(example, settings.dataset, resolution)
                return {"embedding": embedder.images([square])[0]}

            key = {
                "picture": example.digest,
                "embedder": embedder.identity,
                "resolution": resolution,
                "interpolation": settings.dataset.interpolation.value,
                "device": base.device.type,
            }
            rows.append(cache.get_or_make("embeddings", key, embed)["embedding"])
    return torch.stack(rows)


def centre_square(example: Example, dataset: Dataset, resolution: int) -> Image.Image:
    """A picture as it is measured: scaled to the resolution of samples, cut to its centre."""
    view = center_view(example.size_HW, resolution)
    pixels = pixels_CHW(read_picture(example.path), view, dataset.interpolation)
    levels = ((pixels * 0.5 + 0.5) * 255).round().permute(1, 2, 0).numpy()
    return Image.fromarray(levels.astype(np.uint8))


def measure_pictures(
    base: Base,
    reference: PictureReference,
    samples: Sequence[Image.Image],
    prompts: Sequence[str],
) -> dict[str, float]:
    """The measures of samples, which are ordered by prompt, equally many of each.

    `prompts` are those of the class, without repeats of their own. What cannot be measured is left
    out: diversity of single pictures, all that needs an embedder which is not there.
    """
    scores: dict[str, float] = {}
    per_prompt = len(samples) // len(prompts)
    embedder, training = reference.embedder, reference.training_TD
    embedded: Tensor | None = None
    if embedder is not None and training is not None:
        embedded = _embed(base, embedder, samples)
        if len(training):
            scores["subject"] = similarity.subject(embedded, training)
            scores["copying"] = similarity.copying(embedded, training)
        if per_prompt > 1:
            scores["diversity"] = similarity.diversity(
                embedded.unflatten(0, (len(prompts), per_prompt))
            )
    text_embedder = reference.text_embedder
    if text_embedder is not None:
        same = text_embedder is embedder and embedded is not None
        of_text = embedded if same else _embed(base, text_embedder, samples)
        assert of_text is not None
        with _on_device(base, text_embedder):
            texts_PD = text_embedder.texts(prompts)
        scores["prompt"] = similarity.prompt(of_text, texts_PD.repeat_interleave(per_prompt, dim=0))
    return scores


def _embed(base: Base, embedder: PictureEmbedder, pictures: Sequence[Image.Image]) -> Tensor:
    with _on_device(base, embedder):
        return embedder.images(pictures)


def _on_device(base: Base, embedder: PictureEmbedder) -> AbstractContextManager[None]:
    return base.at_hand(*[module for module in [embedder.module] if module is not None])
