"""Validation pictures of a trial, on disk with their prompts and seeds; reading them needs no
torch.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
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
    from lora_sweep.model.sample import SamplerSettings


@dataclass(frozen=True)
class Sample:
    """One picture in the trial's samples folder."""

    file: str
    step: int
    prompt: str  # as asked for, with the abstraction
    text: str  # as the encoders got it, with the new tokens
    seed: int
    key: str = ""  # hash of all that the picture depends on; "" was written by an older version


def draw_samples(
    base: Base,
    folder: TrialFolder,
    asked: Evaluate,
    prompts: Sequence[str],
    sampler: SamplerSettings,
    replacements: Mapping[str, str],
    step: int,
    state: str,
    drawn: dict[str, bytes],
) -> list[Sample]:
    """Have a picture of every prompt with every seed, write PNGs and samples.json; returns the
    samples, ordered by prompt, then seed.

    `prompts` are those of the settings with the subject filled in; `state` is a hash of the trained
    weights. What is in `drawn` or in the folder under the same key is not drawn again; new pictures
    are put into `drawn`. Samples of other steps stay.
    """
    planned = _planned(asked, prompts, sampler, replacements, step, state)
    listed = read_samples(folder)
    kept = [sample for sample in listed if sample.step != step]
    old = [sample for sample in listed if sample.step == step]
    wanted = {sample.key for sample in planned}
    for sample in old:
        data = _whole_picture(folder.samples / sample.file) if sample.key in wanted else None
        if data is not None:
            drawn.setdefault(sample.key, data)
    _draw_missing(base, planned, sampler, drawn)
    for sample in planned:
        atomic_write(folder.samples / sample.file, drawn[sample.key])
    _write_list(folder, [*kept, *planned])
    for file in {sample.file for sample in old} - {sample.file for sample in planned}:
        (folder.samples / file).unlink(missing_ok=True)
    return planned


def _write_list(folder: TrialFolder, samples: Sequence[Sample]) -> None:
    rows = [asdict(sample) for sample in sorted(samples, key=lambda sample: sample.step)]
    atomic_write(folder.samples_index, json.dumps(rows, indent=2, ensure_ascii=False) + "\n")


def copy_samples(source: TrialFolder, target: TrialFolder, keep: Callable[[int], bool]) -> None:
    """Copy another trial's pictures of the steps that are kept: steps that the two share.

    Pictures of the target's own stay; one that is not whole is left out.
    """
    own = read_samples(target)
    steps = {sample.step for sample in own}
    copied: list[Sample] = []
    for sample in read_samples(source):
        if keep(sample.step) and sample.step not in steps:
            data = _whole_picture(source.samples / sample.file)
            if data is not None:
                atomic_write(target.samples / sample.file, data)
                copied.append(sample)
    if copied:
        _write_list(target, [*own, *copied])


def _planned(
    asked: Evaluate,
    prompts: Sequence[str],
    sampler: SamplerSettings,
    replacements: Mapping[str, str],
    step: int,
    state: str,
) -> list[Sample]:
    planned: list[Sample] = []
    for index, prompt in enumerate(prompts):
        text = replace_abstractions(prompt, replacements)
        for seed in range(asked.seed, asked.seed + asked.images_per_prompt):
            # Not the batch size: it moves no more than the last bits.
            drawn_by = [state, text, seed, sampler.size, sampler.steps, sampler.guidance_scale]
            key = hashlib.sha256(json.dumps(drawn_by).encode()).hexdigest()
            file = f"step-{step:06d}-prompt-{index}-seed-{seed}.png"
            planned.append(Sample(file, step, prompt, text, seed, key))
    return planned


def _draw_missing(
    base: Base, planned: Sequence[Sample], sampler: SamplerSettings, drawn: dict[str, bytes]
) -> None:
    """Draw what is not in `drawn`, by whole batches, so that no picture depends on which are."""
    from lora_sweep.model.sample import SampleRequest, draw_pictures

    size = sampler.batch_size
    batches = [planned[start : start + size] for start in range(0, len(planned), size)]
    missing = [batch for batch in batches if any(sample.key not in drawn for sample in batch)]
    samples = [sample for batch in missing for sample in batch]
    requests = [SampleRequest(sample.text, sample.seed) for sample in samples]
    for sample, picture in zip(samples, draw_pictures(base, requests, sampler), strict=True):
        drawn[sample.key] = png_bytes(picture)


def _whole_picture(path: Path) -> bytes | None:
    """The file's bytes if it is an undamaged picture: PNG has a checksum for every part."""
    from PIL import Image, UnidentifiedImageError

    try:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as picture:
            picture.verify()  # of every part to the end; a cut file may still show a picture
        return data
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError):
        return None


def open_picture(folder: TrialFolder, sample: Sample) -> Image.Image:
    """The picture of a sample, in memory. Raises StoreError."""
    from PIL import Image

    path = folder.samples / sample.file
    try:
        with Image.open(path) as picture:
            return picture.convert("RGB")
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error}") from error


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
