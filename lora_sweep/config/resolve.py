"""What settings that are left null stand for."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from lora_sweep.config.settings import (
    Lora,
    Optimizer,
    Pivotal,
    PivotRounding,
    PriorSettings,
    Settings,
    TeFull,
    TeLora,
)

SUBJECT = "{subject}"
"""What stands for the abstractions in validation prompts."""


def text_side_trains(settings: Settings) -> bool:
    """Whether te_mode trains anything of the text side."""
    return isinstance(settings.te_mode, TeLora | TeFull | Pivotal)


def te_lr(settings: Settings) -> float:
    """Learning rate of the text side; null means that of the UNet, 0 means 0."""
    rates = settings.optimizer
    return rates.lr if rates.te_lr is None else rates.te_lr


def has_text_phase(settings: Settings) -> bool:
    """Whether a trial has steps in which the text side trains."""
    return text_side_trains(settings) and te_lr(settings) > 0


def te_weight_decay(settings: Settings) -> float:
    """Weight decay of the text side; null means that of the UNet, 0 means 0."""
    rates = settings.optimizer
    return rates.weight_decay if rates.te_weight_decay is None else rates.te_weight_decay


def lora_alpha(settings: Settings) -> float:
    """Numerator of the adapter's scale; null means the rank, so that the scale is 1."""
    return float(settings.lora.rank) if settings.lora.alpha is None else settings.lora.alpha


def class_prompt(settings: Settings) -> str:
    """Caption of class pictures that have none of their own."""
    given = settings.prior.class_prompt if isinstance(settings.prior, PriorSettings) else None
    return with_article(settings.dataset.class_noun) if given is None else given


def with_article(noun: str) -> str:
    """Return "a picture", "an emoji"."""
    return f"an {noun}" if noun[:1].lower() in set("aeiou") else f"a {noun}"


def resolved_steps(settings: Settings, num_images: int) -> int:
    """Optimizer steps of a trial on `num_images` training pictures (repeats do not count)."""
    train = settings.train
    if train.max_train_steps is not None:
        return train.max_train_steps
    if train.steps_per_image is None:
        raise ValueError("neither train.max_train_steps nor train.steps_per_image is given")
    return train.steps_per_image * num_images


def pivot_step(
    frac: float, max_train_steps: int, rounding: PivotRounding, steps_per_epoch: int
) -> int:
    """The first step at which the text side no longer trains; max_train_steps when it always does.

    `exact` is frac * steps, rounded, halves up; `epoch` is the start of epoch int(frac * epochs),
    as in the script (lines 2083-2115), which may be step 0.
    """
    if rounding is PivotRounding.epoch:
        epochs = -(-max_train_steps // steps_per_epoch)
        return min(int(frac * epochs) * steps_per_epoch, max_train_steps)
    return min(int(frac * max_train_steps + 0.5), max_train_steps)


def validation_prompts(settings: Settings) -> tuple[str, ...]:
    """The prompts of the settings, each as `with_subject` gives it."""
    return tuple(with_subject(prompt, settings) for prompt in settings.evaluate.prompts)


def with_subject(prompt: str, settings: Settings) -> str:
    """A prompt with {subject} replaced by the abstractions, or the class noun where there are
    none.
    """
    subject = " ".join(settings.dataset.abstractions) or settings.dataset.class_noun
    return prompt.replace(SUBJECT, subject)


def resolved(settings: Settings) -> Settings:
    """Return the settings with each null that stands for another setting replaced by it."""
    prior = settings.prior
    if isinstance(prior, PriorSettings):
        prior = replace(prior, class_prompt=class_prompt(settings))
    return replace(
        settings,
        optimizer=_resolved_optimizer(settings.optimizer),
        lora=_resolved_lora(settings.lora),
        prior=prior,
    )


# A sweep holds few different sections, however many trials.
@lru_cache(maxsize=4096)
def _resolved_optimizer(rates: Optimizer) -> Optimizer:
    only = Settings(optimizer=rates)
    return replace(rates, te_lr=te_lr(only), te_weight_decay=te_weight_decay(only))


@lru_cache(maxsize=4096)
def _resolved_lora(lora: Lora) -> Lora:
    return replace(lora, alpha=lora_alpha(Settings(lora=lora)))
