"""Flags of the base, the pictures, the text side and the adapter as settings."""

from __future__ import annotations

import re
from pathlib import Path

from lora_sweep.translate.diffusers.arguments import Given
from lora_sweep.translate.result import Note, Translation

PRECISIONS = {"no": "fp32", "fp32": "fp32", "fp16": "fp16", "bf16": "bf16"}
INTERPOLATIONS = ("lanczos", "bicubic", "bilinear")
USUAL_WORDS = ("TOK", "sks", "ohwx")
"""What examples and guides call the subject."""
B_LORA = ["up_blocks.0.attentions.0", "up_blocks.0.attentions.1"]


def base_and_data(g: Given, launcher_precision: str | None, to: Translation) -> None:
    """Set model and dataset; `launcher_precision` is what accelerate launch was told."""
    _base(g, launcher_precision, to)
    _pictures(g, to)
    _captions(g, to)


def is_local(path: str) -> bool:
    """Whether a path names a place here and not a repository of the hub."""
    hub_name = re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", path)
    return hub_name is None or Path(path).exists()


def _base(g: Given, launcher_precision: str | None, to: Translation) -> None:
    path = g["pretrained_model_name_or_path"]
    single_file = path.endswith((".safetensors", ".ckpt"))
    to.choose("model", "sdxl_file" if single_file else "sdxl")
    if single_file:
        to.note(Note.said, f"{path}: the script reads no single file; model=sdxl_file does")
    to.set("model.path", path)
    to.set("model.vae", g["pretrained_vae_model_name_or_path"])
    to.set("model.revision", g["revision"])
    to.set("model.variant", g["variant"])
    to.set("model.resolution", g["resolution"])
    precision = g["mixed_precision"] or launcher_precision
    if precision is None:
        to.note(
            Note.said,
            "--mixed_precision is not given, and accelerate's own settings cannot be seen here: "
            "fp32; for another add model.precision=bf16",
        )
    elif precision not in PRECISIONS:
        to.note(Note.missing, f"--mixed_precision={precision} of accelerate launch: fp32 is taken")
    to.set("model.precision", PRECISIONS.get(precision or "no", "fp32"))
    to.set("train.gradient_checkpointing", g["gradient_checkpointing"])
    if g["train_text_encoder"] or g["train_text_encoder_ti"]:
        to.set("model.clip_skip", g["clip_skip"] or 0)


def _pictures(g: Given, to: Translation) -> None:
    name, folder = g["dataset_name"], g["instance_data_dir"]
    local = folder is not None or (is_local(name) and g["dataset_config_name"] is None)
    to.choose("dataset", "folder" if local else "hub")
    to.set("dataset.path", folder if folder is not None else name)
    if name is not None:
        to.set("dataset.config_name", g["dataset_config_name"])
        to.set("dataset.image_column", g["image_column"])
    to.set("dataset.repeats", g["repeats"])
    to.set("dataset.holdout", 0)
    to.set("dataset.crop", "center" if g["center_crop"] else "random")
    to.set("dataset.flip", g["random_flip"])
    interpolation = g["image_interpolation_mode"]
    if interpolation in INTERPOLATIONS:
        to.set("dataset.interpolation", interpolation)
    else:
        allowed = ", ".join(INTERPOLATIONS)
        to.note(
            Note.missing,
            f"--image_interpolation_mode={interpolation}: there are {allowed}; lanczos is taken",
        )


def _captions(g: Given, to: Translation) -> None:
    column = g["caption_column"] if g["dataset_name"] is not None else None
    to.set("dataset.caption_column", column)
    to.set("dataset.instance_prompt", g["instance_prompt"])
    words = _abstractions(g)
    to.set("dataset.abstractions", words)
    if not words:
        to.note(
            Note.advice,
            "dataset.abstractions=[…] names the word that stands for the subject in your captions; "
            "measures and card use it",
        )


def _abstractions(g: Given) -> list[str]:
    """The words that become new tokens; without new tokens, the usual ones in the prompt."""
    if g["train_text_encoder_ti"]:
        return "".join(g["token_abstraction"].split()).split(",")
    return [word for word in USUAL_WORDS if re.search(rf"\b{word}\b", g["instance_prompt"])]


def text_side_and_adapter(g: Given, to: Translation) -> None:
    """Set te_mode and lora."""
    if g["train_text_encoder_ti"]:
        to.choose("te_mode", "pivotal")
        to.set("te_mode.num_new_tokens", g["num_new_tokens_per_abstraction"])
        to.set("te_mode.frac", min(g["train_text_encoder_ti_frac"], 1.0))
    elif g["train_text_encoder"]:
        to.choose("te_mode", "lora")
        to.set("te_mode.frac", min(g["train_text_encoder_frac"], 1.0))
    else:
        to.choose("te_mode", "frozen")
    to.set("lora.rank", g["rank"])
    to.set("lora.dropout", g["lora_dropout"])
    to.set("lora.use_dora", g["use_dora"])
    if g["use_blora"]:
        to.set("lora.blocks", B_LORA)
        to.note(Note.said, "--use_blora: these two blocks are lora.blocks")
    elif g["lora_unet_blocks"]:
        # the script drops the first part of a name, whatever it is (line 884)
        blocks = [block.strip() for block in g["lora_unet_blocks"].split(",")]
        to.set("lora.blocks", [block.removeprefix("unet.") for block in blocks])
