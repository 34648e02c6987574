"""Which flags did nothing in the script, though they were given."""

from __future__ import annotations

from collections.abc import Iterator

from lora_sweep.translate.diffusers.arguments import Given
from lora_sweep.translate.diffusers.conditions import (
    Condition,
    always,
    has_prior,
    is_prodigy,
    text_is_frozen,
    trains_no_tokens,
    validates,
)


def idle_flags(g: Given) -> Iterator[str]:
    """Yield a note for each group of flags that were given and had no effect."""
    for flags, when, reason in IDLE:
        named = [f"--{flag}" for flag in flags if g.has(flag)]
        if named and when(g):
            yield f"{', '.join(named)}: {reason}"
    yield from _said_false(g)


Idle = tuple[tuple[str, ...], Condition, str]
"""Flags, the condition under which they do nothing, and why."""

IDLE: tuple[Idle, ...] = (
    (("clip_skip",), text_is_frozen, "text encoders are frozen"),
    (
        ("text_encoder_lr", "adam_weight_decay_text_encoder"),
        text_is_frozen,
        "no text encoder is trained",
    ),
    (
        ("text_encoder_lr",),
        lambda g: bool(g["train_text_encoder"]) and is_prodigy(g),
        "with Prodigy the script takes --learning_rate for both",
    ),
    (
        ("token_abstraction", "num_new_tokens_per_abstraction", "train_text_encoder_ti_frac"),
        trains_no_tokens,
        "they need --train_text_encoder_ti",
    ),
    (
        ("train_text_encoder_frac",),
        lambda g: not g["train_text_encoder"],
        "it needs --train_text_encoder",
    ),
    (
        (
            "prodigy_beta3",
            "prodigy_decouple",
            "prodigy_use_bias_correction",
            "prodigy_safeguard_warmup",
        ),
        lambda g: not is_prodigy(g),
        "the optimizer is AdamW",
    ),
    (("use_8bit_adam",), is_prodigy, "the optimizer is Prodigy"),
    (
        ("lr_warmup_steps",),
        lambda g: g["lr_scheduler"] == "constant",
        "--lr_scheduler=constant has no warm-up",
    ),
    (
        ("lr_num_cycles",),
        lambda g: g["lr_scheduler"] != "cosine_with_restarts",
        "only --lr_scheduler=cosine_with_restarts has cycles",
    ),
    (
        ("lr_power",),
        lambda g: g["lr_scheduler"] != "polynomial",
        "only --lr_scheduler=polynomial has a power",
    ),
    (
        (
            "class_data_dir",
            "class_prompt",
            "prior_loss_weight",
            "num_class_images",
            "sample_batch_size",
            "prior_generation_precision",
        ),
        lambda g: not has_prior(g),
        "they need --with_prior_preservation",
    ),
    (
        ("num_train_epochs",),
        lambda g: g["max_train_steps"] is not None,
        "--max_train_steps wins",
    ),
    (("lora_unet_blocks",), lambda g: g["use_blora"], "--use_blora wins"),
    (
        ("num_validation_images", "validation_epochs"),
        lambda g: not validates(g),
        "there is no --validation_prompt",
    ),
    (
        ("caption_column", "image_column", "dataset_config_name"),
        lambda g: g["instance_data_dir"] is not None,
        "--instance_data_dir is read without captions; --dataset_name with the folder reads them",
    ),
    (
        ("cache_dir",),
        lambda g: g["dataset_name"] is None,
        "it is for --dataset_name only; models ignore it",
    ),
    (
        ("hub_token", "hub_model_id"),
        lambda g: not g["push_to_hub"],
        "they need --push_to_hub",
    ),
    (("local_rank",), always, "it repeats what the launcher sets"),
)


def _said_false(g: Given) -> Iterator[str]:
    if not is_prodigy(g):
        return
    for name in ("decouple", "use_bias_correction", "safeguard_warmup"):
        if g.has(f"prodigy_{name}"):
            yield (
                f"--prodigy_{name}: every text, False too, is true for the script; to turn it off "
                f"here: optimizer.{name}=false"
            )
