"""Everything that is computed once before the first step: latents of all items, their sizes and
captions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lora_sweep.config.settings import Dataset
from lora_sweep.data.cache import Cache
from lora_sweep.data.examples import Example
from lora_sweep.data.images import read_picture
from lora_sweep.data.transforms import View, center_view, draw_view, pixels_CHW, time_ids
from lora_sweep.model.base import Base
from lora_sweep.model.latents import encode_pixels
from lora_sweep.randomness import Stream


@dataclass(frozen=True)
class Items:
    """What is trained on, one row per item; one value, so that nothing can be paired wrongly.

    `posterior_NCHW`: mean and deviation of each latent (N, 2C, h, w), fp32. `time_ids_N6`: sizes
    and crop. `captions`: N texts with their abstractions still in them.
    """

    posterior_NCHW: Tensor
    time_ids_N6: Tensor
    captions: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.captions)


def prepare_items(
    base: Base,
    vae_identity: str,
    examples: Sequence[Example],
    views: Sequence[View],
    settings: Dataset,
    cache: Cache,
    on_item: Callable[[int, int], None] = lambda done, total: None,
) -> Items:
    """Latents of the given views of examples, from the cache where they are there.

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
            "view": [view.resized_HW, view.crop_top_left, view.flipped, view.resolution],
            "interpolation": settings.interpolation.value,
            "vae": vae_identity,
            "dtype": str(base.vae.dtype),
            "device": base.device.type,
        }
        posteriors.append(cache.get_or_make("latents", key, encode)["posterior"])
        on_item(index + 1, len(examples))
    return Items(
        posterior_NCHW=torch.stack(posteriors).to(base.device),
        time_ids_N6=torch.tensor([time_ids(view) for view in views], device=base.device),
        captions=tuple(example.caption for example in examples),
    )


def training_views(
    examples: Sequence[Example], settings: Dataset, resolution: int, seed: int
) -> tuple[list[Example], list[View]]:
    """Each example `repeats` times, each repeat with a view of its own that it keeps throughout."""
    repeated = [example for example in examples for _ in range(settings.repeats)]
    views = [
        draw_view(example.size_HW, settings, resolution, seed, item)
        for item, example in enumerate(repeated)
    ]
    return repeated, views


def class_views(
    examples: Sequence[Example], settings: Dataset, resolution: int, seed: int
) -> list[View]:
    """Views of class pictures, cropped and mirrored by the dataset's settings."""
    return [
        draw_view(example.size_HW, settings, resolution, seed, item, Stream.class_view)
        for item, example in enumerate(examples)
    ]


def measure_views(examples: Sequence[Example], resolution: int) -> list[View]:
    """Centre views, not mirrored: how pictures are measured."""
    return [center_view(example.size_HW, resolution) for example in examples]
