"""When a note on a command of the script holds."""

from __future__ import annotations

from collections.abc import Callable

from lora_sweep.translate.diffusers.arguments import Given
from lora_sweep.translate.diffusers.training import optimizer_name, text_side_trains

Condition = Callable[[Given], bool]


def always(g: Given) -> bool:
    """Hold for every command."""
    return True


def trains_tokens(g: Given) -> bool:
    """Whether new tokens are trained."""
    return g["train_text_encoder_ti"]


def trains_no_tokens(g: Given) -> bool:
    """Whether no new tokens are trained."""
    return not g["train_text_encoder_ti"]


def text_is_frozen(g: Given) -> bool:
    """Whether nothing of the text side is trained."""
    return not text_side_trains(g)


def is_prodigy(g: Given) -> bool:
    """Whether the optimizer is Prodigy."""
    return optimizer_name(g) == "prodigy"


def is_bf16(g: Given) -> bool:
    """Whether the script itself is told bf16."""
    return g["mixed_precision"] == "bf16"


def has_prior(g: Given) -> bool:
    """Whether class pictures are trained too."""
    return g["with_prior_preservation"]


def validates(g: Given) -> bool:
    """Whether pictures are drawn."""
    return g["validation_prompt"] is not None


def pivots(g: Given) -> bool:
    """Whether the text side stops before the end."""
    frac = g["train_text_encoder_ti_frac" if trains_tokens(g) else "train_text_encoder_frac"]
    return text_side_trains(g) and frac < 1
