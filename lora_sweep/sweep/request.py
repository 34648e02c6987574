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
    Dataset,
    Model,
    Pivotal,
    PivotRounding,
    PriorGenerated,
    PriorReal,
    Settings,
    TeFull,
    TeLora,
)
from lora_sweep.data.buckets import epoch_lengths, have_effect
from lora_sweep.data.captions import caption_problems
from lora_sweep.data.examples import Example, Examples
from lora_sweep.data.hub import is_hub_name
from lora_sweep.data.order import steps_per_epoch
from lora_sweep.data.sources import load_examples, real_class_examples
from lora_sweep.errors import DataError, HubUnreachable, ModelError, SettingsError
from lora_sweep.model.identity import base_hash
from lora_sweep.results.embedders.places import embedder_problems
from lora_sweep.results.progress import say
from lora_sweep.results.store import Store
from lora_sweep.sweep.fit_memory import Fit, fitted

NOTHING = Examples("", (), ())


@dataclass(frozen=True)
class TrialRequest:
    """One trial, ready to run. `settings` has its number of steps filled in."""

    id: str
    settings: Settings
    examples: Examples
    class_examples: tuple[Example, ...]  # real class pictures; generated ones are drawn later
    base_hash: str
    max_train_steps: int
    stop_step: int | None = None  # train no further for now; None: to the end

    @property
    def pauses(self) -> bool:
        """Whether it is left before its end, to be gone on with later."""
        return self.stop_step is not None and self.stop_step < self.max_train_steps

    @property
    def name(self) -> str:
        """A readable name: what people vary most, and the id."""
        s = self.settings
        return f"{s.dataset.name}-{s.optimizer.name}-r{s.lora.rank}-{s.te_mode.name}-{self.id}"

    @property
    def epoch_lengths(self) -> tuple[int, ...]:
        """Rows of an epoch in each bucket."""
        return _epoch_lengths(self.settings, self.examples, self.class_examples)


def resolve_request(settings: Settings, more_problems: Sequence[str] = ()) -> TrialRequest:
    """Read the pictures, check everything that can be checked, and name the trial.

    Raises SettingsError or DataError with all problems of settings, pictures and captions at once;
    `more_problems` are those that somebody else has found. Raises ModelError where there is no
    base.
    """
    return Resolver().resolve(settings, more_problems)


class Resolver:
    """Resolves the trials of one sweep: pictures and bases that several of them have are read once.

    Made anew for each sweep, since files may change in between.

    without_hub: take a base that is not here for one that nothing is known of, where the hub cannot
    be asked: such trials can be planned, though not looked up or trained. Their places are in
    `unreachable`.
    """

    def __init__(self, *, without_hub: bool = False) -> None:
        self.unreachable: set[str] = set()
        self._without_hub = without_hub
        self._pictures_read: dict[tuple[Dataset, Path], _Read] = {}
        self._class_pictures_read: dict[tuple[PriorReal, Dataset], _Read] = {}
        self._captions_checked: dict[tuple[Dataset, Path], list[str]] = {}
        self._said: set[str] = set()
        self._base_hashes: dict[tuple[Model, Path], str | ModelError] = {}

    def resolve(self, settings: Settings, more_problems: Sequence[str] = ()) -> TrialRequest:
        """As `resolve_request`."""
        found = [*problems(settings), *more_problems]
        found += [] if found else embedder_problems(settings)  # it may ask the hub
        fit = fitted(settings) if not found else Fit(settings)
        found += [] if fit.problem is None else [fit.problem]
        settings = fit.settings
        asked_wrongly = bool(found)
        cache = Store(Path(settings.results.dir)).cache
        read, class_read = self._pictures(settings, cache, found)
        examples = None if read is None else read.examples
        class_pictures = () if class_read is None else class_read.examples.train
        if examples is not None and isinstance(settings.te_mode, Pivotal):
            found += self._caption_problems(settings.dataset, cache, examples)
        if examples is not None and not found:
            found += _pivot_problems(settings, examples, class_pictures)
        if found or read is None or examples is None:
            raise SettingsError(found) if asked_wrongly else DataError(found)
        steps = resolved_steps(settings, len(examples.train))
        settings = _without_idle_buckets(_with_steps(settings, steps), examples)
        base = self._base_hash(settings.model, cache)
        pictures_hash = _pictures_hash(read, class_read)
        if fit.words is not None and fit.words not in self._said:
            self._said.add(fit.words)
            say(fit.words)
        identity = trial_id(settings, pictures_hash, base)
        return TrialRequest(identity, settings, examples, class_pictures, base, steps)

    def _pictures(
        self, settings: Settings, cache: Path, found: list[str]
    ) -> tuple[_Read | None, _Read | None]:
        """Training and class pictures; what is wrong is added to `found`, unless it is there."""
        read: _Read | None = None
        class_read: _Read | None = None
        known = {_setting(problem) for problem in found} - {None}
        # With a wrong place, or a download ahead of a refusal, there is nothing to read.
        if "dataset.path" not in known and not (found and _is_remote(settings)):
            read = self._training_pictures(settings.dataset, cache)
        if isinstance(settings.prior, PriorReal) and "prior.path" not in known:
            prior = replace(settings.prior, class_prompt=class_prompt(settings))
            class_read = self._real_class_pictures(prior, settings.dataset)
        new = [line for each in (read, class_read) if each is not None for line in each.problems]
        # A wrong setting would be told twice, by its rule and by what it led to.
        found += [problem for problem in new if _setting(problem) not in known]
        readable = [each if each is not None and not each.problems else None
                    for each in (read, class_read)]  # fmt: skip
        return readable[0], readable[1]

    def _training_pictures(self, dataset: Dataset, cache: Path) -> _Read:
        key = (dataset, cache)
        if key not in self._pictures_read:
            try:
                self._pictures_read[key] = _Read(load_examples(dataset, cache))
            except DataError as error:
                self._pictures_read[key] = _Read(NOTHING, error.problems)
        return self._pictures_read[key]

    def _real_class_pictures(self, prior: PriorReal, dataset: Dataset) -> _Read:
        key = (prior, dataset)
        if key not in self._class_pictures_read:
            try:
                pictures = real_class_examples(prior, dataset)
                self._class_pictures_read[key] = _Read(Examples("class", pictures, ()))
            except DataError as error:
                self._class_pictures_read[key] = _Read(NOTHING, error.problems)
        return self._class_pictures_read[key]

    def _caption_problems(self, dataset: Dataset, cache: Path, examples: Examples) -> list[str]:
        key = (dataset, cache)
        if key not in self._captions_checked:
            self._captions_checked[key] = caption_problems(
                examples, dataset.abstractions, pivotal=True
            )
        return self._captions_checked[key]

    def _base_hash(self, model: Model, cache: Path) -> str:
        key = (model, cache)
        if key not in self._base_hashes:
            try:
                self._base_hashes[key] = base_hash(model, memory=cache / "file_hashes.json")
            except HubUnreachable as error:
                self._base_hashes[key] = f"{model.path} of the hub" if self._without_hub else error
                self.unreachable.add(model.path)
            except ModelError as error:
                self._base_hashes[key] = error
        known = self._base_hashes[key]
        if isinstance(known, ModelError):
            raise known
        return known


@dataclass(frozen=True)
class _Read:
    """What reading pictures came to."""

    examples: Examples
    problems: tuple[str, ...] = ()


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
    mode, train = settings.te_mode, settings.train
    if not isinstance(mode, Pivotal | TeLora | TeFull) or te_lr(settings) == 0:
        return []
    steps = resolved_steps(settings, len(examples.train))
    rounding = mode.pivot_rounding if isinstance(mode, Pivotal) else PivotRounding.exact
    lengths = _epoch_lengths(settings, examples, class_pictures)
    epoch = steps_per_epoch(lengths, train.batch_size, train.gradient_accumulation_steps)
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


def _epoch_lengths(
    settings: Settings, examples: Examples, class_pictures: Sequence[Example]
) -> tuple[int, ...]:
    prior = settings.prior
    generated = isinstance(prior, PriorGenerated)
    num_class = prior.num_class_images if generated else len(class_pictures)
    sizes = [example.size_HW for example in examples.train]
    return epoch_lengths(sizes, settings.dataset, settings.model.resolution, num_class)


def _without_idle_buckets(settings: Settings, examples: Examples) -> Settings:
    """Buckets that no picture falls into but the square's are none: the same trial as without."""
    if not settings.dataset.buckets:
        return settings
    sizes = [example.size_HW for example in examples.train]
    if have_effect(sizes, settings.model.resolution):
        return settings
    return replace(settings, dataset=replace(settings.dataset, buckets=False))


def _with_steps(settings: Settings, steps: int) -> Settings:
    """The number of steps spelt out; thousands of trials share a section that says it already."""
    train = settings.train
    if train.max_train_steps == steps and train.steps_per_image is None:
        return settings
    return replace(settings, train=replace(train, max_train_steps=steps, steps_per_image=None))


def _pictures_hash(read: _Read, class_read: _Read | None) -> str:
    class_read = class_read or _Read(NOTHING)
    hashes = f"{read.examples.content_hash}\n{class_read.examples.content_hash}"
    return hashlib.sha256(hashes.encode()).hexdigest()
