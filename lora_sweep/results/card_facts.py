"""What the card of a trial tells, from its settings and its samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lora_sweep.config import to_plain
from lora_sweep.config.settings import Model, Pivotal, Pooling, Prediction, Settings, TeFull
from lora_sweep.model.base import base_folder
from lora_sweep.model.tokens import token_names
from lora_sweep.results.card import CardFacts, SamplePicture
from lora_sweep.results.samples import Sample
from lora_sweep.results.store import TrialFolder


def trigger_of(settings: Settings) -> str:
    """What stands for the subject in a prompt for diffusers: the new tokens, or the abstractions.

    Empty where the subject has no name.
    """
    return " ".join("".join(names) for names in _names(settings).values())


def card_facts(
    settings: Settings,
    folder: TrialFolder,
    scores: Mapping[str, float | None],
    samples: Sequence[Sample],
) -> CardFacts:
    """The facts of a trial's card; `samples` are the validation pictures that it shows."""
    model, evaluate = settings.model, settings.evaluate
    pivotal = isinstance(settings.te_mode, Pivotal)
    tokens = [name for names in _names(settings).values() for name in names] if pivotal else []
    return CardFacts(
        name=settings.results.name,
        base=base_folder(model.path),
        resolution=model.resolution,
        single_file=model.single_file,
        revision=model.revision,
        variant=model.variant,
        vae=model.vae,
        trigger=trigger_of(settings),
        tokens=tuple(tokens),
        full_text_encoders=isinstance(settings.te_mode, TeFull),
        pooling_at_eos=model.pooling is Pooling.eos,
        clip_skip=model.clip_skip,
        dora=settings.lora.use_dora,
        noise=_noise(model),
        seed=samples[0].seed if samples else evaluate.seed,
        sample_steps=evaluate.sample_steps,
        guidance_scale=evaluate.guidance_scale,
        settings=to_plain(settings),
        scores=scores,
        samples=[SamplePicture(folder.samples / s.file, s.text, s.seed) for s in samples],
    )


def _noise(model: Model) -> Mapping[str, Any]:
    """What the settings say of the noise that the base's own files may not."""
    told: dict[str, Any] = {}
    if model.prediction is not Prediction.auto:
        told["prediction_type"] = model.prediction.value
    if model.zero_terminal_snr is not None:
        told["rescale_betas_zero_snr"] = model.zero_terminal_snr
    if model.zero_terminal_snr:
        told["timestep_spacing"] = "trailing"  # so that pictures start at the last timestep
    return told


def _names(settings: Settings) -> Mapping[str, Sequence[str]]:
    """What each abstraction is in a prompt."""
    words = settings.dataset.abstractions
    if isinstance(settings.te_mode, Pivotal):
        return token_names(words, settings.te_mode.num_new_tokens)
    return {word: [word] for word in words}
