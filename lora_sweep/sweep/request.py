"""What is asked for, fully known before anything slow: settings, pictures, steps, the trial's id. No torch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from lora_sweep.config import problems, resolved_steps, trial_id
from lora_sweep.config.resolve import class_prompt
from lora_sweep.config.settings import (
    Pivotal,
    PriorReal,
    PriorSettings,
    Settings,
    TeFull,
    TeLora,
)
from lora_sweep.data.captions import caption_problems
from lora_sweep.data.examples import Example, Examples, content_hash
from lora_sweep.data.order import num_items, steps_per_epoch
from lora_sweep.data.sources import load_examples, real_class_examples
from lora_sweep.errors import DataError, SettingsError
from lora_sweep.model.identity import base_hash
from lora_sweep.results.store import Store


@dataclass(frozen=True)
class TrialRequest:
    """One trial, ready to run. `settings` has its number of steps filled in."""

    id: str
    settings: Settings
    examples: Examples
    class_examples: tuple[Example, ...]  # real class pictures; generated ones are drawn later
    base_hash: str
    max_train_steps: int

    @property
    def name(self) -> str:
        """A readable name: what people vary most, and the id."""
        s = self.settings
        return f"{s.dataset.name}-{s.optimizer.name}-r{s.lora.rank}-{s.te_mode.name}-{self.id}"


def resolve_request(settings: Settings) -> TrialRequest:
    """Read the pictures, check everything that can be checked, and name the trial.

    Raises SettingsError or DataError with all problems of settings, pictures and captions at once.
    """
    found = problems(settings)
    store = Store(Path(settings.results.dir))
    try:
        examples = load_examples(settings.dataset, store.cache)
        pictures = _class_pictures(settings)
    except (DataError, SettingsError) as error:
        # A wrong dataset setting is told twice, by its rule and by what it led to: once is enough.
        raise SettingsError([*found, *(p for p in error.problems if p not in found)]) from error
    found += _data_problems(settings, examples)
    if found:
        raise SettingsError(found)
    steps = resolved_steps(settings, len(examples.train))
    train = replace(settings.train, max_train_steps=steps, steps_per_image=None)
    settings = replace(settings, train=train)
    base = base_hash(settings.model, memory=store.cache / "file_hashes.json")
    pictures_hash = _pictures_hash(examples, pictures)
    identity = trial_id(settings, pictures_hash, base)
    return TrialRequest(identity, settings, examples, pictures, base, steps)


def _class_pictures(settings: Settings) -> tuple[Example, ...]:
    if not isinstance(settings.prior, PriorReal):
        return ()
    return tuple(
        real_class_examples(
            replace(settings.prior, class_prompt=class_prompt(settings)), settings.dataset
        )
    )


def _data_problems(settings: Settings, examples: Examples) -> list[str]:
    found: list[str] = []
    if isinstance(settings.te_mode, Pivotal):
        found += caption_problems(examples, settings.dataset.abstractions, pivotal=True)
    known = settings.train.max_train_steps or settings.train.steps_per_image
    if known and known > 0 and not found:
        found += _pivot_problems(settings, examples)
    return found


def _pivot_problems(settings: Settings, examples: Examples) -> list[str]:
    """The pivot's place depends on the number of steps, which may depend on the number of pictures."""
    mode = settings.te_mode
    if not isinstance(mode, Pivotal | TeLora | TeFull):
        return []
    steps = resolved_steps(settings, len(examples.train))
    if isinstance(mode, Pivotal) and mode.pivot_rounding.name == "epoch":
        train, prior = settings.train, settings.prior
        num_class = prior.num_class_images if isinstance(prior, PriorSettings) else 0
        length = num_items(len(examples.train), settings.dataset.repeats, num_class)
        epoch = steps_per_epoch(length, train.batch_size, train.gradient_accumulation_steps)
        if int(mode.frac * -(-steps // epoch)) == 0:
            return [
                f"te_mode.frac is {mode.frac} with te_mode.pivot_rounding=epoch: {steps} steps are "
                f"{-(-steps // epoch)} epochs of {epoch} steps, so the pivot would be at step 0 and "
                "the new tokens would never train; use more steps, or te_mode.pivot_rounding=exact"
            ]
    elif int(mode.frac * steps + 0.5) == 0:
        return [
            f"te_mode.frac is {mode.frac} of {steps} steps, which rounds to 0: the text side would "
            "never train; use more, or te_mode=frozen"
        ]
    return []


def _pictures_hash(examples: Examples, class_pictures: tuple[Example, ...]) -> str:
    parts = [examples.content_hash, content_hash(class_pictures)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
