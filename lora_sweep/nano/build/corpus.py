"""Pictures and captions that the embedded base learns from, drawn once into one array on disk."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lora_sweep.nano.build.checkpoint import hash_to_seed
from lora_sweep.nano.world import Scene, caption_variants, draw_scene, rasterise

SIZE = 64
CAPTIONS_EACH = 4
CROPPED = (
    0.12  # share of pictures drawn larger and cropped, so that crop coordinates mean something
)
SHARD = 1000


@dataclass(frozen=True)
class Corpus:
    """`pictures` is uint8 (N, 64, 64, 3); `geometry` int (N, 4): original height and width, crop
    top and left.
    """

    pictures: np.ndarray
    captions: list[list[str]]
    geometry: np.ndarray


def draw_corpus(folder: Path, count: int, seed: int, name: str) -> Corpus:
    """Draw `count` pictures in shards (a killed drawing goes on), and load them."""
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, count, SHARD)
    missing = [s for s in starts if not (folder / f"{name}-{s:06d}.json").exists()]
    with ProcessPoolExecutor() as pool:
        jobs = [
            pool.submit(_draw_shard, folder, name, seed, s, min(s + SHARD, count)) for s in missing
        ]
        for job in jobs:
            job.result()
    pictures = np.concatenate([np.load(folder / f"{name}-{s:06d}.npy") for s in starts])
    captions: list[list[str]] = []
    geometry: list[list[int]] = []
    for start in starts:
        shard = json.loads((folder / f"{name}-{start:06d}.json").read_text())
        captions += shard["captions"]
        geometry += shard["geometry"]
    return Corpus(pictures, captions, np.asarray(geometry, dtype=np.int64))


def _draw_shard(folder: Path, name: str, seed: int, start: int, stop: int) -> None:
    pictures, captions, geometry = [], [], []
    for index in range(start, stop):
        rng = random.Random(hash_to_seed(f"{seed}/{name}/{index}"))
        scene = draw_scene(rng.getrandbits(48))
        picture, place = _rasterise(scene, rng)
        pictures.append(picture)
        geometry.append(place)
        captions.append(_captions(scene, rng))
    np.save(folder / f"{name}-{start:06d}.npy", np.stack(pictures))
    temporary = folder / f"{name}-{start:06d}.tmp"
    temporary.write_text(json.dumps({"captions": captions, "geometry": geometry}))
    temporary.rename(folder / f"{name}-{start:06d}.json")


def _rasterise(scene: Scene, rng: random.Random) -> tuple[np.ndarray, list[int]]:
    if rng.random() >= CROPPED:
        return rasterise(scene.svg, SIZE), [SIZE, SIZE, 0, 0]
    size = rng.randint(SIZE + 6, SIZE + 32)
    top, left = rng.randint(0, size - SIZE), rng.randint(0, size - SIZE)
    whole = rasterise(scene.svg, size)
    return whole[top : top + SIZE, left : left + SIZE], [size, size, top, left]


def _captions(scene: Scene, rng: random.Random) -> list[str]:
    more = [caption_variants(scene.kind, scene.attributes, rng) for _ in range(CAPTIONS_EACH - 1)]
    return [scene.caption, *more]


def smooth_fields(count: int, generator_seed: int) -> np.ndarray:
    """Random smooth colour fields, uint8 (count, 64, 64, 3), so that the VAE knows colours beyond
    the world's.
    """
    rng = np.random.default_rng(generator_seed)
    from PIL import Image

    fields = []
    for _ in range(count):
        coarse = rng.integers(2, 9)
        noise = rng.integers(0, 256, (coarse, coarse, 3), dtype=np.uint8)
        fields.append(
            np.asarray(Image.fromarray(noise).resize((SIZE, SIZE), Image.Resampling.BICUBIC))
        )
    return np.stack(fields)


def all_captions(corpora: Sequence[Corpus]) -> list[str]:
    """Every caption of the given corpora, in order."""
    return [text for corpus in corpora for texts in corpus.captions for text in texts]
