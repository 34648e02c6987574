"""Evaluating a trial: all measures and validation pictures of its present state, changing nothing
in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lora_sweep.config.resolve import validation_prompts
from lora_sweep.config.settings import Evaluate, Settings, TeFull
from lora_sweep.data.cache import Cache
from lora_sweep.data.examples import Example
from lora_sweep.model.base import Base
from lora_sweep.model.sample import SamplerSettings
from lora_sweep.results.measure.denoising import measure_losses
from lora_sweep.results.measure.drift import DriftReference, make_drift_reference, measure_drift
from lora_sweep.results.measure.pictures import (
    PictureReference,
    make_picture_reference,
    measure_pictures,
)
from lora_sweep.results.measure.prompts import class_prompts, drift_prompts
from lora_sweep.results.measures import MEASURES
from lora_sweep.results.samples import Sample, draw_samples, open_picture
from lora_sweep.results.store import TrialFolder
from lora_sweep.training.prepare import Items
from lora_sweep.training.trial import Trial


@dataclass
class Yardstick:
    """What every trial of a sweep is measured against, made once, before any is on the base.

    `drawn` are the pictures of the state measured last, by their keys, and `scores` its measures:
    trials that share a step are in the same state at it.
    """

    fit_items: Items | None
    heldout_items: Items | None
    drift: DriftReference | None
    pictures: PictureReference | None
    state: str = ""
    drawn: dict[str, bytes] = field(default_factory=dict)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """Measures in the order of MEASURES, those left out that could not be had; new pictures."""

    scores: dict[str, float]
    samples: list[Sample]


def make_yardstick(
    base: Base,
    base_hash: str,
    settings: Settings,
    training: Sequence[Example],
    fit_items: Items | None,
    heldout_items: Items | None,
    cache: Cache,
    say: Callable[[str], None],
) -> Yardstick:
    """Embed the training pictures and note what the base, which must be as it was loaded, predicts
    for the class.

    Raises ModelError where an embedder that was asked for by name cannot be loaded.
    """
    asked, model = settings.evaluate, settings.model
    drift = pictures = None
    if asked.loss_timesteps:
        identity = {
            "hash": base_hash,
            "clip_skip": model.clip_skip,
            "pooling": model.pooling.value,
            "dtype": str(base.dtype),
            "vae_dtype": str(base.vae.dtype),
            "device": base.device.type,
        }
        prompts = drift_prompts(settings)
        with base.at_hand(*base.text_encoders):
            drift = make_drift_reference(
                base, prompts, asked.loss_timesteps, sampler_of(settings), cache, identity
            )
    if asked.prompts:
        pictures = make_picture_reference(base, settings, training, cache, say)
    return Yardstick(fit_items, heldout_items, drift, pictures)


def sampler_of(settings: Settings) -> SamplerSettings:
    """How the validation pictures of a trial are drawn."""
    asked = settings.evaluate
    return SamplerSettings(
        settings.model.resolution, asked.sample_steps, asked.guidance_scale, asked.batch_size
    )


def evaluate_trial(
    trial: Trial, settings: Settings, folder: TrialFolder, yardstick: Yardstick
) -> Evaluation:
    """Measure the trial as it is on its base now, and write its validation pictures.

    `settings` are those of the trial that asks, which may share its steps with the live one.
    Nothing that training depends on is changed: no generator is moved, and modes are put back.
    """
    replacements = dict(trial.tokens.replacements) if trial.tokens else {}
    base = trial.base
    with trial.optimizer.final_weights():
        state = state_digest(trial)
        if yardstick.state != state:
            yardstick.state, yardstick.drawn, yardstick.scores = state, {}, {}
        samples = draw_samples(
            base,
            folder,
            settings.evaluate,
            validation_prompts(settings),
            sampler_of(settings),
            replacements,
            trial.step,
            state,
            yardstick.drawn,
        )
        # Equal settings of one state are equal measures: steps that several trials share.
        asked = _measured_by(settings)
        if asked not in yardstick.scores:
            with base.at_hand(*base.text_encoders):
                yardstick.scores[asked] = _measure(
                    base, settings, yardstick, replacements, folder, samples
                )
    return Evaluation(dict(yardstick.scores[asked]), samples)


def _measure(
    base: Base,
    settings: Settings,
    yardstick: Yardstick,
    replacements: dict[str, str],
    folder: TrialFolder,
    samples: Sequence[Sample],
) -> dict[str, float]:
    asked = settings.evaluate
    found: dict[str, float] = {}
    if yardstick.fit_items is not None and asked.loss_timesteps:
        found |= measure_losses(
            base,
            yardstick.fit_items,
            yardstick.heldout_items,
            replacements,
            asked.loss_timesteps,
            asked.batch_size,
        )
    if yardstick.drift is not None and asked.loss_timesteps:
        found["drift"] = measure_drift(base, yardstick.drift, asked.batch_size)
    if yardstick.pictures is not None and samples:
        pictures = [open_picture(folder, sample) for sample in samples]
        found |= measure_pictures(base, yardstick.pictures, pictures, class_prompts(settings))
    return {name: found[name] for name in MEASURES if name in found}


def _measured_by(settings: Settings) -> str:
    prompts = (validation_prompts(settings), class_prompts(settings))
    return repr((prompts, _without_cadence(settings.evaluate)))


def _without_cadence(asked: Evaluate) -> tuple[object, ...]:
    return (
        asked.images_per_prompt,
        asked.seed,
        asked.loss_timesteps,
        asked.sample_steps,
        asked.guidance_scale,
    )


@torch.no_grad()
def state_digest(trial: Trial) -> str:
    """SHA-256 over everything trained that pictures depend on: adapters, new tokens, encoders."""
    tensors: dict[str, Tensor] = {}
    for adapter in trial.adapters:
        tensors |= {f"{adapter.name}.{key}": value for key, value in adapter.state_dict().items()}
    if trial.tokens is not None:
        tensors |= {f"tokens.{index}": rows for index, rows in enumerate(trial.tokens.rows)}
    if isinstance(trial.settings.te_mode, TeFull):
        for index, encoder in enumerate(trial.base.text_encoders):
            tensors |= {f"encoder.{index}.{k}": v for k, v in encoder.state_dict().items()}
    digest = hashlib.sha256(repr(trial.settings.lora).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
