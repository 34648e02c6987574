"""The stages of a trial: ranges of steps over which its effective settings do not change. No torch.

A stage's key is the address of a piece of training: a hash of the key of the stage before, the
effective settings and the first step. Trials whose stages have equal keys train exactly the same,
step by step, up to the end of the shorter stage.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from lora_sweep.config.identity import TRAINING_VERSION, identity_value
from lora_sweep.config.resolve import pivot_step, resolved, te_lr, text_side_trains
from lora_sweep.config.settings import (
    Pivotal,
    PivotRounding,
    PriorGenerated,
    Settings,
    TeFull,
    TeLora,
)
from lora_sweep.data.examples import content_hash
from lora_sweep.data.order import num_items, steps_per_epoch
from lora_sweep.sweep.request import TrialRequest

SCHEDULE_DETAILS: dict[str, tuple[str, ...]] = {
    "constant": (),
    "constant_with_warmup": ("warmup_steps",),
    "linear": ("warmup_steps",),
    "cosine": ("warmup_steps",),
    "cosine_with_restarts": ("warmup_steps", "num_cycles"),
    "polynomial": ("warmup_steps", "power"),
}
"""The details that each schedule of diffusers looks at; the others have no effect on it."""

BLIND_TO_THE_END = ("constant", "constant_with_warmup")
"""Schedules whose rate at a step does not depend on the number of steps."""

SEEN_BY_NO_STEP = {
    "train": ("max_train_steps", "steps_per_image"),
    "te_mode": ("frac", "pivot_rounding"),
}
"""Settings that only say where stages begin and end."""

_SECTIONS = tuple(f.name for f in fields(Settings) if f.metadata.get("identity", True))


@dataclass(frozen=True)
class TrialSpec:
    """What planning needs to know of a trial."""

    id: str
    settings: Settings  # nulls that stand for another setting replaced by it
    num_pictures: int  # trained on: without those held out, repeats not counted
    num_class_pictures: int
    max_train_steps: int
    dataset_hash: str
    base_hash: str
    stop_step: int | None = None  # the steps up to here are all that is wanted for now
    lengths: tuple[int, ...] = ()  # rows of an epoch in each bucket; empty: all in one


@dataclass(frozen=True)
class Stage:
    """The steps start, start + 1, ... stop - 1 of a trial; `text_trains` holds in all of them."""

    key: str  # 32 hex digits; `stop` is not in it
    start: int
    stop: int
    text_trains: bool


def spec_of(request: TrialRequest) -> TrialSpec:
    """What planning needs to know of a requested trial."""
    settings, pictures = resolved(request.settings), request.class_examples
    prior = settings.prior
    num_class = prior.num_class_images if isinstance(prior, PriorGenerated) else len(pictures)
    return TrialSpec(
        id=request.id,
        settings=settings,
        num_pictures=len(request.examples.train),
        num_class_pictures=num_class,
        max_train_steps=request.max_train_steps,
        dataset_hash=_digest([request.examples.content_hash, content_hash(pictures)]),
        base_hash=request.base_hash,
        stop_step=request.stop_step,
        lengths=request.epoch_lengths if settings.dataset.buckets else (),
    )


def stages(spec: TrialSpec) -> tuple[Stage, ...]:
    """The stages of a trial in order: with the text side trained, until the pivot, and without."""
    pivot, effective = pivot_of(spec), _effective_settings(spec)
    ranges = ((0, pivot, True), (pivot, spec.max_train_steps, False))
    found: list[Stage] = []
    key = ""
    for start, stop, text_trains in ranges:
        if spec.stop_step is not None:
            stop = min(stop, spec.stop_step)  # where a stage ends is not in its key
        if start < stop:
            key = _digest([key, effective, str(start), str(text_trains)])
            found.append(Stage(key, start, stop, text_trains))
    return tuple(found)


def pivot_of(spec: TrialSpec) -> int:
    """The first step at which the text side does not train; 0 when it never does."""
    settings = spec.settings
    mode, train = settings.te_mode, settings.train
    if not isinstance(mode, Pivotal | TeLora | TeFull) or te_lr(settings) == 0:
        return 0
    rounding = mode.pivot_rounding if isinstance(mode, Pivotal) else PivotRounding.exact
    length = num_items(spec.num_pictures, settings.dataset.repeats, spec.num_class_pictures)
    lengths = spec.lengths or (length,)
    epoch = steps_per_epoch(lengths, train.batch_size, train.gradient_accumulation_steps)
    return pivot_step(mode.frac, spec.max_train_steps, rounding, epoch)


def _effective_settings(spec: TrialSpec) -> str:
    """Digest of all that a step depends on beside its number and whether the text side trains."""
    settings = spec.settings
    sees_end = settings.schedule.name not in BLIND_TO_THE_END
    trains_text = text_side_trains(settings)
    return _digest(
        [
            *(_section(name, getattr(settings, name), trains_text) for name in _SECTIONS),
            str(spec.max_train_steps) if sees_end else "",
            spec.dataset_hash,
            spec.base_hash,
            str(TRAINING_VERSION),
        ]
    )


# A sweep holds few different sections, however many trials: each is written out and hashed once.
@lru_cache(maxsize=16384)
def _section(name: str, section: Any, trains_text: bool) -> str:
    """Digest of the settings of one section that can have an effect on a step."""
    values = identity_value(section, name)
    if name == "schedule":
        values = {key: values[key] for key in ("name", *SCHEDULE_DETAILS[section.name])}
    if name == "optimizer" and not trains_text:
        values = {key: value for key, value in values.items() if not key.startswith("te_")}
    if dropped := SEEN_BY_NO_STEP.get(name):
        values = {key: value for key, value in values.items() if key not in dropped}
    return _digest([json.dumps(values, sort_keys=True, allow_nan=False)])


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
