"""The values that single settings may take, as one table."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from lora_sweep.config.plain import show
from lora_sweep.config.settings import Settings

Range = tuple[str, Callable[[Any], bool]]
"""What is allowed, in words and as a test."""

AT_LEAST_0: Range = ("at least 0", lambda v: v >= 0)
AT_LEAST_1: Range = ("at least 1", lambda v: v >= 1)
ABOVE_0: Range = ("greater than 0", lambda v: v > 0)
SHARE: Range = ("greater than 0 and at most 1", lambda v: 0 < v <= 1)
DECAY: Range = ("at least 0 and less than 1", lambda v: 0 <= v < 1)
NOT_EMPTY: Range = (
    "not empty",
    lambda v: len(v) > 0 and (not isinstance(v, str) or bool(v.strip())),
)
SEED: Range = ("between 0 and 2**63 - 1", lambda v: 0 <= v < 2**63)
# Beyond the 1,000 steps of the noise schedule, levels would repeat.
NOISE_LEVELS: Range = ("between 0 and 1000", lambda v: 0 <= v <= 1000)
# The VAE halves the picture at least twice and the UNet at least once more.
PIXELS: Range = ("a multiple of 8 and greater than 0", lambda v: v > 0 and v % 8 == 0)
HOLDOUT: Range = (
    "auto, or a whole number of at least 0",
    lambda v: re.fullmatch(r"auto|[0-9]+", v) is not None,
)
FIT: Range = (
    "auto, or a number of GiB greater than 0",
    lambda v: v == "auto" or (re.fullmatch(r"[0-9]+(\.[0-9]+)?", v) is not None and float(v) > 0),
)
FILE_NAME: Range = (
    "a plain file name of letters, digits, '.', '_' and '-' that starts with a letter or a digit",
    lambda v: re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", v) is not None,
)
TAKEN_NAMES = ("pytorch_lora_weights", "text_encoder", "text_encoder_2", "pytorch_lora_weights_emb")
"""Names of files that every trial has; the exported ones must not overwrite them."""


def is_taken_name(name: str) -> bool:
    """Whether <name>.safetensors would be another file of the trial, here or where case is lost."""
    return name.lower() in TAKEN_NAMES or name.lower().endswith("_emb")


FREE_NAME: Range = (
    f"none of {', '.join(TAKEN_NAMES)}, and must not end in _emb: other files of the trial",
    lambda v: not is_taken_name(v),
)
TAGS: Range = ("of 1 to 64 characters each", lambda v: all(1 <= len(tag) <= 64 for tag in v))
NO_BLANKS: Range = ("a list without empty entries", lambda v: all(item.strip() for item in v))
SCHEDULES = (
    "constant",
    "constant_with_warmup",
    "cosine",
    "cosine_with_restarts",
    "linear",
    "polynomial",
)

RANGES: dict[str, tuple[Range, ...]] = {
    "seed": (SEED,),
    "model.path": (NOT_EMPTY,),
    "model.resolution": (PIXELS,),
    "model.clip_skip": (AT_LEAST_0,),
    "dataset.class_noun": (NOT_EMPTY,),
    "dataset.instance_prompt": (NOT_EMPTY,),
    "dataset.image_column": (NOT_EMPTY,),
    "dataset.split": (NOT_EMPTY,),
    "dataset.repeats": (AT_LEAST_1,),
    "dataset.subset": (AT_LEAST_1,),
    "dataset.subset_seed": (SEED,),
    "dataset.holdout": (HOLDOUT,),
    "optimizer.lr": (AT_LEAST_0,),
    "optimizer.te_lr": (AT_LEAST_0,),
    "optimizer.weight_decay": (AT_LEAST_0,),
    "optimizer.te_weight_decay": (AT_LEAST_0,),
    "optimizer.beta1": (DECAY,),
    "optimizer.beta2": (DECAY,),
    "optimizer.beta3": (DECAY,),
    "optimizer.eps": (ABOVE_0,),
    "optimizer.eps1": (ABOVE_0,),
    "optimizer.eps2": (ABOVE_0,),
    "optimizer.clip_threshold": (ABOVE_0,),
    "optimizer.decay_rate": (("less than 0", lambda v: v < 0),),
    "optimizer.d0": (ABOVE_0,),
    "optimizer.d_coef": (ABOVE_0,),
    "optimizer.growth_rate": (("greater than 1", lambda v: v > 1),),
    "optimizer.slice_p": (AT_LEAST_1,),
    "optimizer.prodigy_steps": (AT_LEAST_0,),
    "optimizer.schedulefree_c": (AT_LEAST_0,),
    "schedule.name": (("one of " + ", ".join(SCHEDULES), lambda v: v in SCHEDULES),),
    "schedule.warmup_steps": (AT_LEAST_0,),
    "schedule.num_cycles": (AT_LEAST_1,),
    "schedule.power": (ABOVE_0,),
    "lora.rank": (AT_LEAST_1,),
    "lora.alpha": (ABOVE_0,),
    "lora.dropout": (DECAY,),
    "lora.target_modules": (NOT_EMPTY, NO_BLANKS),
    "lora.te_target_modules": (NOT_EMPTY, NO_BLANKS),
    "lora.blocks": (NOT_EMPTY, NO_BLANKS),
    "snr.gamma": (ABOVE_0,),
    "te_mode.frac": (SHARE,),
    "te_mode.num_new_tokens": (AT_LEAST_1,),
    "prior.num_class_images": (AT_LEAST_1,),
    "prior.class_prompt": (NOT_EMPTY,),
    "prior.weight": (AT_LEAST_0,),
    "prior.sample_steps": (AT_LEAST_1,),
    "prior.sample_batch_size": (AT_LEAST_1,),
    "prior.sample_seed": (SEED,),
    "prior.guidance_scale": (AT_LEAST_0,),
    "train.max_train_steps": (AT_LEAST_1,),
    "train.steps_per_image": (AT_LEAST_1,),
    "train.batch_size": (AT_LEAST_1,),
    "train.gradient_accumulation_steps": (AT_LEAST_1,),
    "train.max_grad_norm": (ABOVE_0,),
    "train.noise_offset": (AT_LEAST_0,),
    "train.fit_memory": (FIT,),
    "train.checkpoint_every": (AT_LEAST_0,),
    "train.checkpoints_kept": (AT_LEAST_1,),
    "train.log_every": (AT_LEAST_1,),
    "train.threads": (AT_LEAST_1,),
    "evaluate.every": (AT_LEAST_1,),
    "evaluate.prompts": (NO_BLANKS,),
    "evaluate.images_per_prompt": (AT_LEAST_1,),
    "evaluate.seed": (SEED,),
    "evaluate.loss_timesteps": (NOISE_LEVELS,),
    "evaluate.sample_steps": (AT_LEAST_1,),
    "evaluate.guidance_scale": (AT_LEAST_0,),
    "evaluate.batch_size": (AT_LEAST_1,),
    "evaluate.clip": (NOT_EMPTY,),
    "evaluate.dinov2": (NOT_EMPTY,),
    "tracker.project": (NOT_EMPTY,),
    "tracker.tags": (TAGS,),
    "results.dir": (NOT_EMPTY,),
    "results.name": (FILE_NAME, FREE_NAME),
}


_SECTIONS = tuple(dict.fromkeys(path.rpartition(".")[0] for path in RANGES))
_BY_SECTION = {
    section: [(path, r) for path, r in RANGES.items() if path.rpartition(".")[0] == section]
    for section in _SECTIONS
}


def out_of_range(settings: Settings) -> Iterator[str]:
    """Yield one message for each setting outside its range; null is never outside."""
    for section in _SECTIONS:
        if section:
            yield from _of_section(section, getattr(settings, section))
        else:
            yield from _messages(section, settings)


# A sweep holds few different sections, however many trials: each is checked once.
@lru_cache(maxsize=16384)
def _of_section(name: str, section: Any) -> tuple[str, ...]:
    return tuple(_messages(name, section))


def _messages(name: str, section: Any) -> Iterator[str]:
    for path, ranges in _BY_SECTION[name]:
        # what the chosen optimizer, te_mode, prior or tracker does not have cannot be wrong
        value = getattr(section, path.rpartition(".")[2], None)
        if value is None:
            continue
        if isinstance(value, float) and not math.isfinite(value):
            yield f"{path}={value}: must be a finite number"
            continue
        yield from (
            f"{path}={show(value)}: must be {words}"
            for words, allowed in ranges
            if not allowed(value)
        )
