"""Class pictures drawn by the base itself for prior preservation, once for all trials that ask for
the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from lora_sweep.config.settings import Model, PriorGenerated
from lora_sweep.data.cache import Cache
from lora_sweep.data.examples import Example
from lora_sweep.data.images import inspect_picture
from lora_sweep.errors import DataError
from lora_sweep.files import atomic_write
from lora_sweep.model.base import Base
from lora_sweep.model.sample import SampleRequest, SamplerSettings, draw_pictures
from lora_sweep.randomness import Stream, number
from lora_sweep.results.samples import png_bytes

_log = logging.getLogger(__name__)


def generated_class_examples(
    base: Base,
    base_hash: str,
    model: Model,
    prior: PriorGenerated,
    class_prompt: str,
    cache: Cache,
    on_picture: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Example, ...]:
    """The first `num_class_images` pictures of the class prompt; what is not in the cache is drawn.

    Picture i is drawn from a seed of its own and in a batch that depends on i alone, so asking for
    more later adds pictures and changes none. `on_picture` gets how many are there and how many are
    wanted.
    """
    folder = class_folder(base, base_hash, model, prior, class_prompt, cache)
    size = prior.sample_batch_size
    for first in range(0, prior.num_class_images, size):
        batch = range(first, first + size)
        if not all(_is_whole(_path(folder, index)) for index in batch):
            requests = [
                SampleRequest(class_prompt, number(prior.sample_seed, Stream.class_image, index))
                for index in batch
            ]
            sampler = SamplerSettings(
                model.resolution, prior.sample_steps, prior.guidance_scale, size
            )
            for index, picture in zip(batch, draw_pictures(base, requests, sampler), strict=True):
                atomic_write(_path(folder, index), png_bytes(picture))
        on_picture(min(first + size, prior.num_class_images), prior.num_class_images)
    return tuple(_example(_path(folder, i), class_prompt) for i in range(prior.num_class_images))


def class_folder(
    base: Base, base_hash: str, model: Model, prior: PriorGenerated, prompt: str, cache: Cache
) -> Path:
    """The cache folder of these pictures: addressed by everything that they depend on."""
    key = {
        "base": base_hash,
        "prompt": prompt,
        "resolution": model.resolution,
        "clip_skip": model.clip_skip,
        "pooling": model.pooling.value,
        "dtype": str(base.dtype),
        "vae_dtype": str(base.vae.dtype),
        "device": base.device.type,
        "steps": prior.sample_steps,
        "guidance_scale": prior.guidance_scale,
        "seed": prior.sample_seed,
        "batch_size": prior.sample_batch_size,
    }
    return cache.folder("class_images", key)


def _path(folder: Path, index: int) -> Path:
    return folder / f"{index:05d}.png"


def _is_whole(path: Path) -> bool:
    """Whether the picture is there and undamaged: PNG has a checksum for every part."""
    if not path.is_file():
        return False
    try:
        with Image.open(path) as picture:
            picture.load()
        return True
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError) as error:
        _log.warning("%s is damaged (%s); it is drawn again", path, error)
        return False


def _example(path: Path, prompt: str) -> Example:
    try:
        facts = inspect_picture(path)
    except DataError as error:
        raise DataError([f"class picture: {problem}" for problem in error.problems]) from error
    return Example(path, prompt, facts.digest, "train", facts.size_HW)
