"""What is asked for, fully known before anything slow: settings, pictures, steps, the trial's id.
No torch.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lora_sweep.config import problems, resolved_steps, trial_id
from lora_sweep.config.resolve import class_prompt, pivot_step, te_lr
from lora_sweep.config.settings import (
    Pivotal,
    PivotRounding,
    PriorGenerated,
    PriorReal,
    Settings,
    TeFull,
    TeLora,
)
from lora_sweep.data.captions import caption_problems
from lora_sweep.data.examples import Example, Examples, content_hash
from lora_sweep.data.hub import is_hub_name
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


def resolve_request(settings: Settings, more_problems: Sequence[str] = ()) -> TrialRequest:
    """Read the pictures, check everything that can be checked, and name the trial.

    Raises SettingsError or DataError with all problems of settings, pictures and captions at once;
    `more_problems` are those that somebody else has found. Raises ModelError where there is no
    base.
    """
    found = [*problems(settings), *more_problems]
    asked_wrongly = bool(found)
    store = Store(Path(settings.results.dir))
    examples, class_pictures = _pictures(settings, store, found)
    if examples is not None and isinstance(settings.te_mode, Pivotal):
        found += caption_problems(examples, settings.dataset.abstractions, pivotal=True)
    if examples is not None and not found:
        found += _pivot_problems(settings, examples, class_pictures)
    if found or examples is None:
        raise SettingsError(found) if asked_wrongly else DataError(found)
    steps = resolved_steps(settings, len(examples.train))
    train = replace(settings.train, max_train_steps=steps, steps_per_image=None)
    settings = replace(settings, train=train)
    base = base_hash(settings.model, memory=store.cache / "file_hashes.json")
    pictures_hash = _pictures_hash(examples, class_pictures)
    identity = trial_id(settings, pictures_hash, base)
    return TrialRequest(identity, settings, examples, class_pictures, base, steps)


def _pictures(
    settings: Settings, store: Store, found: list[str]
) -> tuple[Examples | None, tuple[Example, ...]]:
    """Training and class pictures; what is wrong is added to `found`, unless it is there."""
    examples: Examples | None = None
    class_pictures: tuple[Example, ...] = ()
    known = {_setting(problem) for problem in found} - {None}
    new: list[str] = []
    # With a wrong place, or a download ahead of a refusal, there is nothing to read.
    if "dataset.path" not in known and not (found and _is_remote(settings)):
        try:
            examples = load_examples(settings.dataset, store.cache)
        except DataError as error:
            new += error.problems
    if isinstance(settings.prior, PriorReal) and "prior.path" not in known:
        prior = replace(settings.prior, class_prompt=class_prompt(settings))
        try:
            class_pictures = tuple(real_class_examples(prior, settings.dataset))
        except DataError as error:
            new += error.problems
    # A wrong setting would be told twice, by its rule and by what it led to.
    found += [problem for problem in new if _setting(problem) not in known]
    return examples, class_pictures


def _setting(problem: str) -> str | None:
    """The setting that a problem begins with, if it does."""
    match = re.match(r"[a-z_]+\.[a-z0-9_]+(?=[=:\s])", problem)
    return match and match.group()


def _is_remote(settings: Settings) -> bool:
    path = settings.dataset.path
    return path is not None and not Path(path).expanduser().exists() and is_hub_name(path)


def _pivot_problems(
    settings: Settings, examples: Examples, class_pictures: Sequence[Example]
) -> list[str]:
    """The pivot's place depends on the steps, which may depend on the number of pictures."""
    mode, train, prior = settings.te_mode, settings.train, settings.prior
    if not isinstance(mode, Pivotal | TeLora | TeFull) or te_lr(settings) == 0:
        return []
    steps = resolved_steps(settings, len(examples.train))
    rounding = mode.pivot_rounding if isinstance(mode, Pivotal) else PivotRounding.exact
    generated = isinstance(prior, PriorGenerated)
    num_class = prior.num_class_images if generated else len(class_pictures)
    length = num_items(len(examples.train), settings.dataset.repeats, num_class)
    epoch = steps_per_epoch(length, train.batch_size, train.gradient_accumulation_steps)
    pivot = pivot_step(mode.frac, steps, rounding, epoch)
    of = f"te_mode.frac={mode.frac}: of {steps} steps"
    if pivot == 0 and rounding is PivotRounding.epoch:
        return [
            f"{of}, {-(-steps // epoch)} epochs of {epoch} steps each, that is step 0 with "
            "te_mode.pivot_rounding=epoch, and the new tokens would never train; use more steps, "
            "or te_mode.pivot_rounding=exact"
        ]
    if pivot == 0:
        return [
            f"{of} that is step 0, so the text side would never train; must give at least step 1, "
            "or use te_mode=frozen"
        ]
    if settings.optimizer.lr == 0 and pivot < steps:
        return [
            f"optimizer.lr=0: {of} the text side trains until step {pivot}, and after it nothing "
            "would; must be greater than 0, or te_mode.frac=1"
        ]
    return []


def _pictures_hash(examples: Examples, class_pictures: tuple[Example, ...]) -> str:
    parts = [examples.content_hash, content_hash(class_pictures)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
