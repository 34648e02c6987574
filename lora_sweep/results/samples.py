"""Validation pictures of a trial, on disk with their prompts and seeds; reading them needs no
torch.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lora_sweep.config.settings import Evaluate
from lora_sweep.data.captions import replace_abstractions
from lora_sweep.errors import StoreError
from lora_sweep.files import atomic_write
from lora_sweep.results.store import TrialFolder

if TYPE_CHECKING:
    from PIL import Image

    from lora_sweep.model.base import Base


@dataclass(frozen=True)
class Sample:
    """One picture in the trial's samples folder."""

    file: str
    step: int
    prompt: str  # as asked for, with the abstraction
    text: str  # as the encoders got it, with the new tokens
    seed: int


def draw_samples(
    base: Base,
    folder: TrialFolder,
    settings: Evaluate,
    prompts: Sequence[str],
    size: int,
    replacements: Mapping[str, str],
    step: int,
) -> list[Sample]:
    """Draw every prompt with every seed, write PNGs and samples.json; returns the new samples.

    `prompts` are those of the settings with the subject filled in. Samples of other steps stay.
    """
    from lora_sweep.model.sample import SampleRequest, SamplerSettings, draw_pictures

    planned = [
        Sample(
            file=f"step-{step:06d}-prompt-{index}-seed-{seed}.png",
            step=step,
            prompt=prompt,
            text=replace_abstractions(prompt, replacements),
            seed=seed,
        )
        for index, prompt in enumerate(prompts)
        for seed in range(settings.seed, settings.seed + settings.images_per_prompt)
    ]
    sampler = SamplerSettings(
        size, settings.sample_steps, settings.guidance_scale, settings.batch_size
    )
    requests = [SampleRequest(sample.text, sample.seed) for sample in planned]
    for sample, picture in zip(planned, draw_pictures(base, requests, sampler), strict=True):
        atomic_write(folder.samples / sample.file, png_bytes(picture))
    kept = [sample for sample in read_samples(folder) if sample.step != step]
    everything = sorted([*kept, *planned], key=lambda sample: sample.step)
    rows = [asdict(sample) for sample in everything]
    atomic_write(folder.samples_index, json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
    return planned


def read_samples(folder: TrialFolder) -> list[Sample]:
    """The samples that samples.json lists; none without the file. Raises StoreError."""
    try:
        text = folder.samples_index.read_text(encoding="utf-8")
        return [Sample(**row) for row in json.loads(text)]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        path = folder.samples_index
        raise StoreError(f"{path} cannot be read: {error}; remove the file to go on") from error


def png_bytes(picture: Image.Image) -> bytes:
    """The picture as a PNG file."""
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()


def sample_paths(folder: TrialFolder, samples: list[Sample]) -> dict[str, Path]:
    """Paths by a caption that tells prompt and seed."""
    return {f"{s.prompt} (seed {s.seed})": folder.samples / s.file for s in samples}
