"""train.fit_memory: what keeps a trial inside so much memory, tried in the order of what it costs.

First what changes no number: no gradient checkpointing where there is room, then checkpointing,
then the optimizer's state in main memory. Only then smaller batches with as much more accumulation,
which have the same gradient but for rounding, and for the short batches at an epoch's end; they are
another trial, with an id of its own. No torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from lora_sweep.config.settings import Settings, Train
from lora_sweep.sweep.cost.machine import available_memory, device_of, visible_gpus
from lora_sweep.sweep.cost.peak import Peak, computed_peak
from lora_sweep.sweep.plan_words import size_text

AUTO = "auto"
GIB = 2**30
GPU_SHARE = 0.92
"""Of a GPU's memory, for `auto`: the rest is lost to fragments and to whatever draws the screen."""


REMEDIES = {
    "encoding pictures": "; model.vae_precision=bf16 needs less",
    "drawing pictures": "; model.vae_precision=bf16 needs less, evaluate=off none of it",
}


@dataclass(frozen=True)
class Fit:
    """Settings that fit, or why none do; `words` says what was chosen."""

    settings: Settings
    words: str | None = None
    problem: str | None = None


def fitted(settings: Settings) -> Fit:
    """The settings with train.fit_memory replaced by what it comes to here."""
    asked = settings.train.fit_memory
    if asked is None:
        return Fit(settings)
    shown, device = f"train.fit_memory={asked}", device_of(settings)
    room = _room(asked, device)
    if room is None:
        why = "this system does not tell how much memory is free; must be a number of GiB"
        return Fit(settings, problem=f"{shown}: {why}")
    peaks: list[Peak] = []
    for train in _candidates(settings.train, device):
        tried = replace(settings, train=train)
        peak = computed_peak(tried, device)
        if peak is None:
            why = f"must be null with model.path={settings.model.path}, whose sizes are not known"
            return Fit(settings, problem=f"{shown}: {why} before it is loaded")
        if peak.total <= room:
            chosen, told = _chosen(settings.train, train), _told(peak)
            return Fit(tried, words=f"{shown}: {chosen}; {told}, of {size_text(room)}")
        peaks.append(peak)
    least = min(peaks, key=lambda peak: peak.total)
    more = REMEDIES.get(least.phase, "")
    why = f"must be more, since at least {_told(least)}{more}"
    return Fit(settings, problem=f"{shown}: {why}")


def _room(asked: str, device: str) -> float | None:
    """Bytes."""
    if asked != AUTO:
        return float(asked) * GIB
    if device == "cuda":
        smallest = min((gpu.memory for gpu in visible_gpus()), default=None)
        return None if smallest is None else GPU_SHARE * smallest
    return available_memory()


def _candidates(train: Train, device: str) -> Iterator[Train]:
    train = replace(train, fit_memory=None)
    kinds = [(False, False), (True, False), *([(True, True)] if device == "cuda" else [])]
    size = train.batch_size
    for batch in (each for each in range(size, 0, -1) if size % each == 0):
        accumulation = train.gradient_accumulation_steps * (size // batch)
        for checkpointing, offload in kinds:
            yield replace(
                train,
                batch_size=batch,
                gradient_accumulation_steps=accumulation,
                gradient_checkpointing=checkpointing,
                offload_optimizer=offload,
            )


def _chosen(before: Train, after: Train) -> str:
    words = [f"gradient checkpointing {'on' if after.gradient_checkpointing else 'off'}"]
    if after.offload_optimizer:
        words.append("the optimizer's state in main memory")
    if after.batch_size != before.batch_size:
        words.append(
            f"batches of {after.batch_size} x {after.gradient_accumulation_steps} in place of "
            f"{before.batch_size} x {before.gradient_accumulation_steps}"
        )
    return ", ".join(words)


def _told(peak: Peak) -> str:
    return f"{size_text(peak.total)} are expected while {peak.phase}"
