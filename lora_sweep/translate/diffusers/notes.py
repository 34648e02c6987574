"""What will differ from the script, and which flags did nothing in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lora_sweep.translate.diffusers.arguments import NONE, Given
from lora_sweep.translate.diffusers.conditions import (
    Condition,
    always,
    has_prior,
    is_bf16,
    is_prodigy,
    pivots,
    trains_no_tokens,
    trains_tokens,
    validates,
)
from lora_sweep.translate.diffusers.idle import idle_flags
from lora_sweep.translate.diffusers.training import Geometry, text_side_trains
from lora_sweep.translate.result import Note, Translation


def add_notes(g: Given, geometry: Geometry, to: Translation) -> None:
    """Add differences, idle flags and advice."""
    differs = [(d.entry, d.text) for d in DIFFERENCES if d.when(g)]
    differs += ((PIVOT_ENTRY, text) for text in _pivot(g, geometry))
    to.note_all(Note.differs, (f"{text} [{entry}]" for entry, text in sorted(differs)))
    to.note_all(Note.idle, idle_flags(g))
    to.note_all(Note.said, _rates(g))
    to.note(
        Note.advice,
        "dataset.class_noun=… says what the subject is: a dog, an emoji; measures and card use it",
    )
    to.note(
        Note.advice,
        "dataset.holdout=auto in place of 0 keeps one picture in eight back, to measure val_loss",
    )


PIVOT_ENTRY = 26
SDXL = "stabilityai/stable-diffusion-xl-base-1.0"


@dataclass(frozen=True)
class Difference:
    """One sentence on a difference, the entry of docs/semantics.md, and a word of that entry."""

    when: Condition
    text: str
    entry: int
    about: str


DIFFERENCES = (
    Difference(
        always,
        "Noise, timesteps, order and crops are other draws: compare results, not single losses.",
        1,
        "draw",
    ),
    Difference(
        lambda g: g["seed"] is None, "The seed is 0; the script's is left to chance.", 2, "seed"
    ),
    Difference(
        lambda g: g["cache_latents"],
        "Latents stay with their pictures; the script pairs them with other pictures' captions.",
        5,
        "latents",
    ),
    Difference(
        lambda g: trains_tokens(g) and "," in g["token_abstraction"],
        "Abstractions are whole words, replaced all at once; one must not be part of another.",
        9,
        "whole words",
    ),
    Difference(
        lambda g: trains_tokens(g) and g["caption_column"] is not None,
        "Captions without the abstraction are refused; the script trains nothing into the tokens.",
        10,
        "refused",
    ),
    Difference(has_prior, "The class prompt must not hold the abstraction.", 12, "class pictures"),
    Difference(has_prior, "Class pictures that have captions of their own keep them.", 13, "class"),
    Difference(
        has_prior, "Class pictures are drawn with other seeds, in model.precision.", 14, "drawn"
    ),
    Difference(
        has_prior,
        "Each row keeps its own text; the script swaps half the prompts where there are no "
        "captions and more than one picture in a batch, and crashes with frozen text encoders.",
        15,
        "prompts",
    ),
    Difference(
        trains_no_tokens,
        "Text has its start and end token, as when pictures are drawn; the script leaves them out.",
        16,
        "end of text",
    ),
    Difference(
        lambda g: text_side_trains(g) and bool(g["clip_skip"]),
        "clip_skip holds for validation pictures too.",
        18,
        "clip_skip",
    ),
    Difference(
        trains_tokens,
        "Only the new tokens' rows train; gradients of the other rows no longer count in clipping, "
        "nor in Prodigy's step size.",
        23,
        "clipped",
    ),
    Difference(
        trains_tokens,
        "New rows are pulled to the table's deviation once per step, until the pivot.",
        25,
        "deviation",
    ),
    Difference(
        lambda g: pivots(g) and is_prodigy(g),
        "At the pivot the text side really stops; under Prodigy the script's goes on moving.",
        27,
        "pivot",
    ),
    Difference(
        lambda g: g["snr_gamma"] is not None and g["pretrained_model_name_or_path"] != SDXL,
        "If the base predicts v, Min-SNR weights are the paper's.",
        30,
        "v-prediction",
    ),
    Difference(
        lambda g: is_bf16(g) and g["pretrained_vae_model_name_or_path"] is None,
        "Noise is added in fp32.",
        31,
        "fp32",
    ),
    Difference(is_bf16, "Sizes and crops in the time ids are not rounded to bf16.", 32, "Time ids"),
    Difference(
        is_bf16,
        "The adapter and its optimizer state are fp32; in bf16 the script's small steps are lost.",
        34,
        "fp32",
    ),
    Difference(
        lambda g: g["gradient_accumulation_steps"] > 1,
        "A shorter group at an epoch's end counts as much as a full one.",
        36,
        "mean",
    ),
    Difference(
        lambda g: bool(g["lora_unet_blocks"]) and not g["use_blora"],
        "Blocks are exact places; the script looks for the name anywhere.",
        46,
        "exact",
    ),
    Difference(
        lambda g: g.has("resume_from_checkpoint"),
        "Resuming goes on at the very step, new tokens included.",
        49,
        "step",
    ),
    Difference(
        validates,
        "Validation pictures know the trained tokens; the script's last ones do not.",
        51,
        "tokens",
    ),
    Difference(
        validates,
        "They are drawn with Euler in 25 steps, the script's with DPM-Solver++.",
        52,
        "Euler",
    ),
    Difference(
        lambda g: g["report_to"] == "wandb",
        "The logged loss is the mean of a step, the rate the effective one.",
        56,
        "loss",
    ),
    Difference(
        lambda g: g["train_text_encoder"],
        "The kohya file holds UNet and text encoders; web UIs cannot use the script's.",
        59,
        "kohya",
    ),
    Difference(lambda g: g["use_dora"], "DoRA is in the kohya file too.", 60, "DoRA"),
)  # fmt: skip


def _pivot(g: Given, geometry: Geometry) -> Iterator[str]:
    if not pivots(g):
        return
    frac = g["train_text_encoder_ti_frac" if trains_tokens(g) else "train_text_encoder_frac"]
    way = "; te_mode.pivot_rounding=epoch gives that" if trains_tokens(g) else ""
    if geometry.steps is not None and geometry.script_pivot is not None:
        here, there = int(frac * geometry.steps + 0.5), geometry.script_pivot
        yield f"The pivot is at step {here}, the script's at step {there}{way}."
    else:
        yield f"The pivot is at {frac:g} of the steps, the script's at {frac:g} of the epochs{way}."


def _rates(g: Given) -> Iterator[str]:
    if not text_side_trains(g):
        return
    rate = g["text_encoder_lr"]
    if rate is None:
        yield f"--text_encoder_lr={NONE}: the script cannot read it; taken as the UNet's rate"
    elif rate == 0 and not is_prodigy(g):
        yield "--text_encoder_lr=0: means the UNet's rate to the script; here 0 would freeze"
    elif is_prodigy(g) and trains_tokens(g) and rate not in (0, g["learning_rate"]):
        given = "" if g.has("text_encoder_lr") else " (its default)"
        yield (
            f"--text_encoder_lr={rate:g}{given}: Prodigy takes equal rates only, and the script "
            f"stops at its first step; taken as --learning_rate={g['learning_rate']:g} [40]"
        )
    if g["adam_weight_decay_text_encoder"] == 0:
        yield "--adam_weight_decay_text_encoder=0: means --adam_weight_decay to the script"
