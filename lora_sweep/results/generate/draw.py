"""Drawing: every trial's weights on the base in turn, the same prompts and seeds for each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from lora_sweep.config.resolve import with_subject
from lora_sweep.config.settings import Model, Precision
from lora_sweep.data.captions import replace_abstractions
from lora_sweep.errors import SettingsError
from lora_sweep.files import atomic_write
from lora_sweep.model.base import Base, load_base
from lora_sweep.model.sample import SampleRequest, SamplerSettings, draw_pictures
from lora_sweep.results.finished import FinishedTrial
from lora_sweep.results.generate.asked import Asked, check_sizes, without_subject
from lora_sweep.results.generate.grid import write_grid
from lora_sweep.results.names import names_of
from lora_sweep.results.samples import png_bytes
from lora_sweep.results.weights import weights_on

Say = Callable[[str], None]
LIST = "pictures.json"


@dataclass(frozen=True)
class Drawn:
    """One picture in the folder."""

    file: str
    trial: str
    prompt: str  # as asked for
    text: str  # as the encoders got it, with the new tokens
    seed: int


def draw_all(trials: list[FinishedTrial], asked: Asked, out: Path, say: Say) -> Path:
    """Draw each prompt with each seed and trial into PNGs, a grid and a list; returns the folder.

    Raises SettingsError, ModelError or StoreError.
    """
    check_sizes(trials, asked)
    sampler = _sampler(asked, trials[0])
    device = _device(asked.device, trials[0])
    for prompt in asked.prompts:
        if lacking := without_subject(trials, prompt):
            say(f"{prompt!r} does not name the subject of {', '.join(lacking)}: write {{subject}}")
    drawn: dict[str, list[Drawn]] = {}
    for model in dict.fromkeys(_model_on(trial, device) for trial in trials):
        base = load_base(model, device)
        _check_size(base, sampler.size)
        for trial in trials:
            if _model_on(trial, device) == model:
                drawn[trial.id] = list(_draw_trial(base, trial, asked, sampler, out, say))
    names = names_of({trial.id: trial.settings for trial in trials})
    labels = {trial.id: names[trial.id].name for trial in trials}
    # Of each trial in the order of asking, whichever base came first.
    rows = list(zip(*(drawn[trial.id] for trial in trials), strict=True))
    titled = [
        (f"{row[0].prompt}  (seed {row[0].seed})", [out / p.file for p in row]) for row in rows
    ]
    write_grid(out / "grid.png", titled, labels)
    listed = {
        "size": sampler.size,
        "steps": sampler.steps,
        "guidance_scale": sampler.guidance_scale,
        "trials": labels,
        "pictures": [asdict(picture) for row in rows for picture in row],
    }
    atomic_write(out / LIST, json.dumps(listed, indent=2, ensure_ascii=False) + "\n")
    return out


def _sampler(asked: Asked, first: FinishedTrial) -> SamplerSettings:
    """How all are drawn: as asked, else as the first trial's validation pictures."""
    like = first.settings.evaluate
    return SamplerSettings(
        asked.size or first.settings.model.resolution,
        asked.steps or like.sample_steps,
        like.guidance_scale if asked.guidance_scale is None else asked.guidance_scale,
        asked.batch_size,
    )


def _draw_trial(
    base: Base,
    trial: FinishedTrial,
    asked: Asked,
    sampler: SamplerSettings,
    out: Path,
    say: Say,
) -> Iterator[Drawn]:
    with weights_on(base, trial) as replacements:
        wanted = list(_planned(trial, asked, replacements))
        _say_cut(base, wanted, say)
        requests = [SampleRequest(picture.text, picture.seed) for picture in wanted]
        pictures = draw_pictures(
            base, requests, sampler, lambda done: say(f"{trial.id}: {done} of {len(wanted)}")
        )
        for picture, image in zip(wanted, pictures, strict=True):
            atomic_write(out / picture.file, png_bytes(image))
            yield picture


def _planned(
    trial: FinishedTrial, asked: Asked, replacements: Mapping[str, str]
) -> Iterator[Drawn]:
    for place, prompt in enumerate(asked.prompts):
        text = replace_abstractions(with_subject(prompt, trial.settings), replacements)
        for seed in asked.seeds:
            file = f"prompt-{place}-seed-{seed}-{trial.id}.png"
            yield Drawn(file, trial.id, prompt, text, seed)


def _say_cut(base: Base, wanted: Sequence[Drawn], say: Say) -> None:
    for text in dict.fromkeys(picture.text for picture in wanted):
        tokens = len(base.tokenizer(text).input_ids)
        if tokens > base.tokenizer.model_max_length:
            say(f"{text!r} has {tokens} tokens; the encoders see {base.tokenizer.model_max_length}")


def _device(asked: str, first: FinishedTrial) -> torch.device:
    """The device; on the CPU with as many threads as the trial had, as the bits depend on it."""
    there = torch.cuda.is_available()
    if asked == "cuda" and not there:
        raise SettingsError(["--device=cuda: torch finds no CUDA GPU here; must be auto or cpu"])
    if there and asked != "cpu":
        return torch.device("cuda")
    torch.set_num_threads(first.settings.train.threads)
    return torch.device("cpu")


def _model_on(trial: FinishedTrial, device: torch.device) -> Model:
    """The base that it was trained on; on the CPU in fp32, as the card's own code has it."""
    model = trial.settings.model
    if device.type != "cpu":
        return model
    return replace(model, precision=Precision.fp32, vae_precision=Precision.fp32)


def _check_size(base: Base, size: int) -> None:
    multiple = base.vae_factor * 2 ** (len(base.unet.config["block_out_channels"]) - 1)
    if size % multiple:
        raise SettingsError([f"--size={size}: must be a multiple of {multiple}"])
