"""Everything that is computed once before the first step: latents of all items, their sizes and
captions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from lora_sweep.config.settings import Dataset
from lora_sweep.data.buckets import class_pairs, shape_of
from lora_sweep.data.cache import Cache
from lora_sweep.data.examples import Example
from lora_sweep.data.images import read_picture
from lora_sweep.data.transforms import (
    View,
    center_view,
    draw_view,
    pixels_CHW,
    time_ids,
)
from lora_sweep.model.base import Base
from lora_sweep.model.latents import encode_pixels
from lora_sweep.randomness import Stream


@dataclass(frozen=True)
class Items:
    """What is trained on, one row per item; one value, so that nothing can be paired wrongly.

    `posterior_NCHW`: mean and deviation of each latent (N, 2C, h, w), fp32. `time_ids_N6`: sizes
    and crop. `captions`: N texts with their abstractions still in them. `pictures`: which picture
    each item shows; by default item i shows picture i. `posteriors`: the posteriors one by one,
    where they have several shapes; `posterior_NCHW` is then empty.
    """

    posterior_NCHW: Tensor
    time_ids_N6: Tensor
    captions: tuple[str, ...]
    pictures: tuple[int, ...] = ()
    posteriors: tuple[Tensor, ...] = ()

    def __len__(self) -> int:
        return len(self.captions)

    def posterior(self, rows: list[int]) -> Tensor:
        """Posteriors (B, 2C, h, w) of items of one shape."""
        # Row by row: an index would have to go to the device first, and be waited for.
        each = self.posteriors or self.posterior_NCHW
        return torch.stack([each[row] for row in rows])

    def time_ids(self, rows: list[int]) -> Tensor:
        """Sizes and crops (B, 6) of items."""
        return torch.stack([self.time_ids_N6[row] for row in rows])

    @cached_property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Height and width of each item's latent."""
        each: Iterable[Tensor] = self.posteriors or self.posterior_NCHW
        return tuple((posterior.shape[-2], posterior.shape[-1]) for posterior in each)


def prepare_items(
    base: Base,
    vae_identity: str,
    examples: Sequence[Example],
    views: Sequence[View],
    settings: Dataset,
    cache: Cache,
    on_item: Callable[[int, int], None] = lambda done, total: None,
    pictures: Sequence[int] = (),
) -> Items:
    """Latents of the given views of examples, from the cache where they are there.

    No picture's pixels are kept: one is read, cut and encoded, then the next.

    The cache key is everything that a latent depends on: picture content, view, filter, VAE, its
    precision.
    """
    posteriors = []
    for index, (example, view) in enumerate(zip(examples, views, strict=True)):

        def encode(example: Example = example, view: View = view) -> dict[str, Tensor]:
            picture = read_picture(example.path)
            pixels = pixels_CHW(picture, view, settings.interpolation)
            return {"posterior": encode_pixels(base, pixels)}

        key = {
            "picture": example.digest,
            "view": [view.resized_HW, view.crop_top_left, view.flipped, _shape(view)],
            "interpolation": settings.interpolation.value,
            "vae": vae_identity,
            "dtype": str(base.vae.dtype),
            "device": base.device.type,
        }
        posteriors.append(cache.get_or_make("latents", key, encode)["posterior"])
        on_item(index + 1, len(examples))
    several = len({view.shape_HW for view in views}) > 1
    on_device = tuple(posterior.to(base.device) for posterior in posteriors) if several else ()
    stacked = torch.empty(0) if several else torch.stack(posteriors)
    return Items(
        posterior_NCHW=stacked.to(base.device),
        time_ids_N6=torch.tensor([time_ids(view) for view in views], device=base.device),
        captions=tuple(example.caption for example in examples),
        pictures=tuple(pictures),
        posteriors=on_device,
    )


def _shape(view: View) -> int | tuple[int, int]:
    """A square by its side: so that its latents are those that a run without buckets left."""
    height, width = view.shape_HW
    return height if height == width else view.shape_HW


def training_views(
    examples: Sequence[Example], settings: Dataset, resolution: int, seed: int
) -> tuple[list[Example], list[View]]:
    """Each example `repeats` times, each repeat with a view of its own that it keeps throughout."""
    repeated = [example for example in examples for _ in range(settings.repeats)]
    views = [
        draw_view(
            example.size_HW, settings, shape_of(example.size_HW, settings, resolution), seed, item
        )
        for item, example in enumerate(repeated)
    ]
    return repeated, views


def class_views(
    examples: Sequence[Example], settings: Dataset, training: Sequence[View], seed: int
) -> tuple[list[int], list[View]]:
    """Which class pictures are needed, and their views, cropped and mirrored by the dataset's
    settings, in the shapes of the training views beside them; without buckets each once.
    """
    if settings.buckets and examples:
        pairs = class_pairs([view.shape_HW for view in training], len(examples))
    else:
        pairs = [(index, training[0].shape_HW) for index in range(len(examples))]
    views = [
        draw_view(examples[index].size_HW, settings, shape, seed, index, Stream.class_view)
        for index, shape in pairs
    ]
    return [index for index, _ in pairs], views


def measure_views(examples: Sequence[Example], resolution: int) -> list[View]:
    """Centre squares, not mirrored: how pictures are measured, with buckets and without."""
    return [center_view(example.size_HW, resolution) for example in examples]
