"""What the cost of a step and of a trial's end depends on. No torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lora_sweep.config.resolve import class_prompt
from lora_sweep.config.settings import PriorGenerated, Prodigy, ProdigyPlus, Settings, TeLora
from lora_sweep.data.examples import Example
from lora_sweep.data.order import steps_per_epoch
from lora_sweep.sweep.cost.machine import device_of
from lora_sweep.sweep.request import TrialRequest
from lora_sweep.sweep.stages import spec_of, stages


@dataclass(frozen=True)
class StepKey:
    """Steps with equal keys cost the same time and memory on one machine.

    After the pivot every te_mode has the same steps, so they are one key, with te_mode "frozen".
    """

    base: str
    device: str  # "cpu" or "cuda"
    threads: int  # 0 on a GPU
    precision: str
    kernels: str  # what else the speed of the same arithmetic hangs on: compile, TF32
    resolution: int
    te_mode: str
    optimizer: str
    rank: int
    adapter: str  # the rest of `lora` that costs something
    checkpointing: bool
    accumulation: int
    rows: int  # of a full batch, class pictures included
    texts: int  # captions encoded for it; 0 while the text side does not train

    @property
    def digest(self) -> str:
        """Address of its measurement."""
        return digest(self)

    @property
    def rows_per_step(self) -> int:
        """Rows of a whole optimizer step."""
        return self.rows * self.accumulation


@dataclass(frozen=True)
class FinishKey:
    """What measures, pictures, saving and exporting take depends on."""

    base: str
    device: str
    threads: int
    precision: str
    vae_precision: str
    resolution: int
    batch_size: int  # evaluate.batch_size
    embedder: str  # what samples are measured by

    @property
    def digest(self) -> str:
        """Address of its measurement."""
        return digest(self)


def digest(key: StepKey | FinishKey) -> str:
    """SHA-256 of a key, shortened to 24 hex digits."""
    text = json.dumps([type(key).__name__, asdict(key)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def step_key(request: TrialRequest, text_trains: bool) -> StepKey:
    """The key of a request's steps before or after the pivot."""
    settings, examples = request.settings, request.examples
    model, train, lora = settings.model, settings.train, settings.lora
    device = device_of(settings)
    with_class = num_class_pictures(request) > 0
    rows = min(train.batch_size, max(request.epoch_lengths))
    texts = min(rows, _different(examples.train))
    if with_class:
        texts += min(rows, _different(request.class_examples) or 1)
    return StepKey(
        base=request.base_hash,
        device=device,
        threads=train.threads if device == "cpu" else 0,
        precision=model.precision.value,
        kernels=_words(compile=train.compile, tf32=train.allow_tf32 and device == "cuda"),
        resolution=model.resolution,
        te_mode=settings.te_mode.name if text_trains else "frozen",
        optimizer=_optimizer(settings),
        rank=lora.rank,
        adapter=_adapter(settings, text_trains),
        checkpointing=train.gradient_checkpointing,
        accumulation=train.gradient_accumulation_steps,
        rows=rows * (2 if with_class else 1),
        texts=texts if text_trains else 0,
    )


def finish_key(request: TrialRequest) -> FinishKey:
    """The key of what a request costs beside its steps."""
    settings = request.settings
    model, device = settings.model, device_of(settings)
    return FinishKey(
        base=request.base_hash,
        device=device,
        threads=settings.train.threads if device == "cpu" else 0,
        precision=model.precision.value,
        vae_precision=model.vae_precision.value,
        resolution=model.resolution,
        batch_size=settings.evaluate.batch_size,
        embedder=settings.evaluate.embedder.value,
    )


def cost_settings(request: TrialRequest) -> Hashable:
    """What costs can depend on: of requests for which it is equal, everything costs the same."""
    s = request.settings
    parts = (s.model, s.dataset, s.optimizer, s.lora, s.te_mode, s.prior, s.train, s.evaluate)
    return (request.base_hash, len(request.class_examples), *parts)


def phases(request: TrialRequest) -> tuple[bool, ...]:
    """For each kind of steps that a request has, whether the text side trains in them."""
    return tuple(stage.text_trains for stage in stages(spec_of(request)))


def num_class_pictures(request: TrialRequest) -> int:
    """Class pictures that are trained on beside the subject's."""
    prior = request.settings.prior
    if isinstance(prior, PriorGenerated):
        return prior.num_class_images
    return len(request.class_examples)


def mean_rows_per_step(request: TrialRequest) -> float:
    """Rows of an optimizer step, averaged over an epoch: its last batch may be short."""
    settings = request.settings
    train, num_class = settings.train, num_class_pictures(request)
    lengths = request.epoch_lengths
    items = sum(lengths)
    steps = steps_per_epoch(lengths, train.batch_size, train.gradient_accumulation_steps)
    return items * (2 if num_class else 1) / steps


def caption_count(request: TrialRequest) -> int:
    """Different captions that are encoded when the text side is fixed."""
    captions = {example.caption for example in request.examples.train}
    if isinstance(request.settings.prior, PriorGenerated):
        captions.add(class_prompt(request.settings))
    return len(captions | {example.caption for example in request.class_examples})


def _different(examples: Sequence[Example]) -> int:
    """Captions, each counted once."""
    return len({example.caption for example in examples})


def _optimizer(settings: Settings) -> str:
    chosen = settings.optimizer
    if isinstance(chosen, Prodigy) and chosen.slice_p != 1:
        return f"{chosen.name} slice_p={chosen.slice_p}"
    if isinstance(chosen, ProdigyPlus) and not chosen.use_schedulefree:
        return f"{chosen.name} without averaging"
    return chosen.name


def _adapter(settings: Settings, text_trains: bool) -> str:
    lora, trains_lora = settings.lora, isinstance(settings.te_mode, TeLora)
    values: dict[str, Any] = {
        "targets": list(lora.target_modules),
        "text": list(lora.te_target_modules) if text_trains and trains_lora else [],
        "blocks": lora.blocks and list(lora.blocks),
        "dora": lora.use_dora,
        "dropout": lora.dropout > 0,
    }
    return json.dumps(values, separators=(",", ":"))


def _words(**flags: bool) -> str:
    return " ".join(name for name, on in flags.items() if on)
