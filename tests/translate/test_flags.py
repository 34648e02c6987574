"""Each of the script's 81 flags: what it sets in the composed command, or what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from translated import overrides_of, said, values_of

from lora_sweep.translate.diffusers.flags import FLAGS, SCRIPT
from lora_sweep.translate.diffusers.translation import translate_command
from lora_sweep.translate.result import Note, Translation

LAUNCH = f"accelerate launch {SCRIPT}"
REQUIRED = {
    "pretrained_model_name_or_path": "--pretrained_model_name_or_path=owner/base",
    "instance_prompt": '--instance_prompt="a TOK dog"',
    "instance_data_dir": "--instance_data_dir=./dogs",
}
TI = "--train_text_encoder_ti"
FULL = "--train_text_encoder"
PRODIGY = "--optimizer=prodigy --learning_rate=1.0"
PRIOR = "--with_prior_preservation --class_data_dir=./many --class_prompt='a dog'"


class Case(NamedTuple):
    """A flag as given, with what it needs; the settings that follow, or words of a note."""

    flag: str
    words: str
    settings: dict[str, Any] = {}  # noqa: RUF012 - of a tuple, which cannot change
    note: Note | None = None
    about: str = ""


CASES = (
    Case("pretrained_model_name_or_path", "--pretrained_model_name_or_path=o/b",
         {"model.path": "o/b"}),
    Case("pretrained_model_name_or_path", "--pretrained_model_name_or_path=./b.safetensors",
         {"model.path": "./b.safetensors", "model.single_file": True}, Note.said, "no single file"),
    Case("pretrained_vae_model_name_or_path", "--pretrained_vae_model_name_or_path=o/v",
         {"model.vae": "o/v"}),
    Case("pretrained_vae_model_name_or_path", "", {"model.vae": None}),
    Case("revision", "--revision=abc", {"model.revision": "abc"}),
    Case("variant", "--variant=fp16", {"model.variant": "fp16"}),
    Case("dataset_name", "--dataset_name=LinoyTsaban/3d_icon",
         {"dataset.name": "hub", "dataset.path": "LinoyTsaban/3d_icon", "dataset.holdout": "0"}),
    Case("dataset_name", "--dataset_name=./icons",
         {"dataset.name": "folder", "dataset.path": "./icons"}),
    Case("dataset_config_name", "--dataset_name=a/b --dataset_config_name=c",
         {"dataset.name": "hub", "dataset.config_name": "c"}),
    Case("instance_data_dir", "--instance_data_dir=./cats",
         {"dataset.name": "folder", "dataset.path": "./cats", "dataset.caption_column": None}),
    Case("cache_dir", "--dataset_name=a/b --cache_dir=/c", {}, Note.missing, "HF_HOME"),
    Case("cache_dir", "--cache_dir=/c", {}, Note.idle, "--dataset_name only"),
    Case("image_column", "--dataset_name=a/b --image_column=picture",
         {"dataset.image_column": "picture"}),
    Case("image_column", "--image_column=picture", {}, Note.idle, "read without captions"),
    Case("caption_column", "--dataset_name=a/b --caption_column=prompt",
         {"dataset.caption_column": "prompt"}),
    Case("caption_column", "--dataset_name=a/b", {"dataset.caption_column": None}),
    Case("repeats", "--repeats=3", {"dataset.repeats": 3}),
    Case("class_data_dir", PRIOR, {"prior.name": "generated"}, Note.said, "has no pictures here"),
    Case("class_data_dir", "--class_data_dir=./many", {"prior.name": "none"}, Note.idle,
         "they need"),
    Case("instance_prompt", "--instance_prompt='my \"TOK\", it''s'",
         {"dataset.instance_prompt": 'my "TOK", its', "dataset.abstractions": ["TOK"]}),
    Case("instance_prompt", "--instance_prompt='a photo of sks dog'",
         {"dataset.abstractions": ["sks"]}),
    Case("instance_prompt", "--instance_prompt='a red backpack'", {"dataset.abstractions": []},
         Note.advice, "dataset.abstractions"),
    Case("token_abstraction", f"{TI} --token_abstraction='TOK, BAG'",
         {"dataset.abstractions": ["TOK", "BAG"]},
         Note.differs, "whole words"),
    Case("token_abstraction", "--token_abstraction=BAG", {}, Note.idle, "--train_text_encoder_ti"),
    Case("num_new_tokens_per_abstraction", f"{TI} --num_new_tokens_per_abstraction=3",
         {"te_mode.num_new_tokens": 3}),
    Case("class_prompt", PRIOR, {"prior.class_prompt": "a dog"}),
    Case("validation_prompt", "--validation_prompt='TOK in space'",
         {"evaluate.prompts": ["TOK in space"], "evaluate.sample_steps": 25}),
    Case("validation_prompt", "", {"evaluate.prompts": []}),
    Case("num_validation_images", "--validation_prompt=TOK --num_validation_images=7",
         {"evaluate.images_per_prompt": 7}),
    Case("validation_epochs", "--validation_prompt=TOK --validation_epochs=5 --max_train_steps=100",
         {"evaluate.every": 15}, Note.said, "15 steps with 10 pictures"),
    Case("validation_epochs", "--validation_epochs=5", {}, Note.idle, "no --validation_prompt"),
    Case("do_edm_style_training", "--do_edm_style_training", {}, Note.missing, "not the same"),
    Case("with_prior_preservation", PRIOR, {"prior.name": "generated", "prior.sample_steps": 50}),
    Case("prior_loss_weight", f"{PRIOR} --prior_loss_weight=0.5", {"prior.weight": 0.5}),
    Case("num_class_images", f"{PRIOR} --num_class_images=150", {"prior.num_class_images": 150}),
    Case("output_dir", "--output_dir=out/my_dog",
         {"results.dir": "out/my_dog", "results.name": "my_dog"}),
    Case("seed", "--seed=7", {"seed": 7}),
    Case("seed", "", {"seed": 0}, Note.differs, "left to chance"),
    Case("resolution", "--resolution=768", {"model.resolution": 768}),
    Case("center_crop", "--center_crop", {"dataset.crop": "center"}),
    Case("random_flip", "--random_flip", {"dataset.flip": True}),
    Case("train_text_encoder", FULL,
         {"te_mode.name": "lora", "te_mode.frac": 1.0, "optimizer.te_lr": 5e-6}),
    Case("train_batch_size", "--train_batch_size=2", {"train.batch_size": 2}),
    Case("sample_batch_size", f"{PRIOR} --sample_batch_size=8", {"prior.sample_batch_size": 8}),
    Case("num_train_epochs", "--num_train_epochs=20", {"train.max_train_steps": 60}, Note.said,
         "60 steps"),
    Case("num_train_epochs", "--num_train_epochs=20 --max_train_steps=9",
         {"train.max_train_steps": 9},
         Note.idle, "--max_train_steps wins"),
    Case("max_train_steps", "--max_train_steps=1234", {"train.max_train_steps": 1234}),
    Case("checkpointing_steps", "--checkpointing_steps=50", {"train.checkpoint_every": 50}),
    Case("checkpoints_total_limit", "--checkpoints_total_limit=5", {"train.checkpoints_kept": 5}),
    Case("resume_from_checkpoint", "--resume_from_checkpoint=latest", {}, Note.said,
         "same command again"),
    Case("gradient_accumulation_steps", "--gradient_accumulation_steps=4",
         {"train.gradient_accumulation_steps": 4}),
    Case("gradient_checkpointing", "--gradient_checkpointing",
         {"train.gradient_checkpointing": True}),
    Case("gradient_checkpointing", "", {"train.gradient_checkpointing": False}),
    Case("learning_rate", "--learning_rate=3e-5", {"optimizer.lr": 3e-5}),
    Case("clip_skip", f"{TI} --clip_skip=1", {"model.clip_skip": 1}),
    Case("clip_skip", "--clip_skip=1", {"model.clip_skip": 0}, Note.idle,
         "text encoders are frozen"),
    Case("text_encoder_lr", f"{TI} --text_encoder_lr=3e-4", {"optimizer.te_lr": 3e-4}),
    Case("text_encoder_lr", f"{TI} --text_encoder_lr=None", {"optimizer.te_lr": None}, Note.said,
         "cannot read"),
    Case("text_encoder_lr", f"{TI} --text_encoder_lr=0", {"optimizer.te_lr": None}, Note.said,
         "would freeze"),
    Case("text_encoder_lr", f"{TI} {PRODIGY}", {"optimizer.te_lr": None}, Note.said,
         "(its default)"),
    Case("text_encoder_lr", "--text_encoder_lr=3e-4", {}, Note.idle, "no text encoder is trained"),
    Case("scale_lr",
         "--scale_lr --learning_rate=1e-5 --train_batch_size=2 --gradient_accumulation_steps=3",
         {"optimizer.lr": 6e-5}, Note.said, "times 6"),
    Case("lr_scheduler", "--lr_scheduler=cosine --max_train_steps=900",
         {"schedule.name": "cosine", "schedule.warmup_steps": 500}),
    Case("snr_gamma", "--snr_gamma=5.0", {"snr.gamma": 5.0}),
    Case("snr_gamma", "--snr_gamma=2.5", {"snr.gamma": 2.5}),
    Case("lr_warmup_steps", "--lr_scheduler=linear --lr_warmup_steps=20 --max_train_steps=900",
         {"schedule.warmup_steps": 20}),
    Case("lr_warmup_steps", "--lr_warmup_steps=20", {"schedule.warmup_steps": 0}, Note.idle,
         "no warm-up"),
    Case("lr_num_cycles",
         "--lr_scheduler=cosine_with_restarts --lr_num_cycles=4 --max_train_steps=900",
         {"schedule.num_cycles": 4}),
    Case("lr_num_cycles", "--lr_num_cycles=4", {"schedule.num_cycles": 1}, Note.idle, "has cycles"),
    Case("lr_power", "--lr_scheduler=polynomial --lr_power=2 --max_train_steps=900",
         {"schedule.power": 2.0}),
    Case("lr_power", "--lr_power=2", {"schedule.power": 1.0}, Note.idle, "has a power"),
    Case("dataloader_num_workers", "--dataloader_num_workers=4", {}, Note.missing,
         "nothing is loaded"),
    Case("train_text_encoder_ti", TI, {"te_mode.name": "pivotal", "te_mode.frac": 0.5}),
    Case("train_text_encoder_ti_frac", f"{TI} --train_text_encoder_ti_frac=0.25",
         {"te_mode.frac": 0.25}),
    Case("train_text_encoder_frac", f"{FULL} --train_text_encoder_frac=0.75",
         {"te_mode.frac": 0.75}),
    Case("train_text_encoder_frac", "--train_text_encoder_frac=0.75", {}, Note.idle,
         "--train_text_encoder"),
    Case("optimizer", PRODIGY, {"optimizer.name": "prodigy", "optimizer.lr": 1.0}),
    Case("optimizer", "--optimizer=Lion", {"optimizer.name": "adamw"}, Note.said, "takes AdamW"),
    Case("use_8bit_adam", "--use_8bit_adam", {"optimizer.name": "adamw8bit"}),
    Case("use_8bit_adam", f"{PRODIGY} --use_8bit_adam", {"optimizer.name": "prodigy"}, Note.idle,
         "Prodigy"),
    Case("adam_beta1", "--adam_beta1=0.8", {"optimizer.beta1": 0.8}),
    Case("adam_beta2", f"{PRODIGY} --adam_beta2=0.99", {"optimizer.beta2": 0.99}),
    Case("adam_beta2", "", {"optimizer.beta2": 0.999}),
    Case("prodigy_beta3", f"{PRODIGY} --prodigy_beta3=0.5", {"optimizer.beta3": 0.5}),
    Case("prodigy_beta3", "--prodigy_beta3=0.5", {}, Note.idle, "the optimizer is AdamW"),
    Case("prodigy_decouple", f"{PRODIGY} --prodigy_decouple=False", {"optimizer.decouple": True},
         Note.idle, "optimizer.decouple=false"),
    Case("prodigy_use_bias_correction", f"{PRODIGY} --prodigy_use_bias_correction=''",
         {"optimizer.use_bias_correction": False}),
    Case("prodigy_safeguard_warmup", f"{PRODIGY} --prodigy_safeguard_warmup=False",
         {"optimizer.safeguard_warmup": True}, Note.idle, "optimizer.safeguard_warmup=false"),
    Case("adam_weight_decay", f"{PRODIGY} --adam_weight_decay=0.01",
         {"optimizer.weight_decay": 0.01}),
    Case("adam_weight_decay", "", {"optimizer.weight_decay": 1e-4}),
    Case("adam_weight_decay_text_encoder", f"{TI} --adam_weight_decay_text_encoder=1e-3",
         {"optimizer.te_weight_decay": 1e-3}),
    Case("adam_weight_decay_text_encoder", f"{TI} --adam_weight_decay_text_encoder=0",
         {"optimizer.te_weight_decay": None}, Note.said, "means --adam_weight_decay"),
    Case("adam_epsilon", "--adam_epsilon=1e-6", {"optimizer.eps": 1e-6}),
    Case("max_grad_norm", "--max_grad_norm=0.5", {"train.max_grad_norm": 0.5}),
    Case("push_to_hub", "--push_to_hub", {}, Note.said,
         "lora_sweep.results.push <its id> --repo owner/name"),
    Case("hub_model_id", "--push_to_hub --hub_model_id=me/dog", {}, Note.said, "--repo me/dog"),
    Case("hub_model_id", "--hub_model_id=me/dog", {}, Note.idle, "they need --push_to_hub"),
    Case("hub_token", "--push_to_hub --hub_token=hf_secret", {}, Note.said, "is not repeated here"),
    Case("logging_dir", "--logging_dir=log", {}, Note.missing, "metrics.jsonl"),
    Case("allow_tf32", "--allow_tf32", {"train.allow_tf32": True}),
    Case("report_to", "--report_to=wandb", {"tracker.name": "wandb"}),
    Case("report_to", "--report_to=tensorboard", {"tracker.name": "none"}, Note.missing,
         "metrics.jsonl"),
    Case("report_to", "--report_to=comet_ml", {"tracker.name": "none"}, Note.missing, "no tracker"),
    Case("mixed_precision", "--mixed_precision=bf16", {"model.precision": "bf16"}, Note.differs,
         "fp32"),
    Case("mixed_precision", "", {"model.precision": "fp32"}, Note.said,
         "accelerate's own settings"),
    Case("prior_generation_precision", f"{PRIOR} --prior_generation_precision=fp16", {},
         Note.missing, "model.precision"),
    Case("local_rank", "--local_rank=0", {}, Note.idle, "launcher"),
    Case("enable_xformers_memory_efficient_attention",
         "--enable_xformers_memory_efficient_attention",
         {}, Note.missing, "attention"),
    Case("noise_offset", "--noise_offset=0.05", {"train.noise_offset": 0.05}),
    Case("rank", "--rank=32", {"lora.rank": 32}),
    Case("rank", "", {"lora.rank": 4, "lora.alpha": None}),
    Case("lora_dropout", "--lora_dropout=0.1", {"lora.dropout": 0.1}),
    Case("use_dora", "--use_dora", {"lora.use_dora": True}),
    Case("lora_unet_blocks", "--lora_unet_blocks='unet.up_blocks.0.attentions.0, unet.mid_block'",
         {"lora.blocks": ["up_blocks.0.attentions.0", "mid_block"]}, Note.differs, "exact places"),
    Case("use_blora", "--use_blora",
         {"lora.blocks": ["up_blocks.0.attentions.0", "up_blocks.0.attentions.1"]}),
    Case("use_blora", "--use_blora --lora_unet_blocks=unet.mid_block", {}, Note.idle,
         "--use_blora wins"),
    Case("cache_latents", "--cache_latents", {}, Note.said, "always cached"),
    Case("image_interpolation_mode", "--image_interpolation_mode=bicubic",
         {"dataset.interpolation": "bicubic"}),
    Case("image_interpolation_mode", "--image_interpolation_mode=box",
         {"dataset.interpolation": "lanczos"},
         Note.missing, "lanczos is taken"),
)  # fmt: skip


def translated(words: str) -> Translation:
    """Of a command with the script's required flags, unless the words give them; ten pictures."""
    given = [text for flag, text in REQUIRED.items() if f"--{flag}=" not in words]
    if "--dataset_name=" in words:
        given.remove(REQUIRED["instance_data_dir"])
    return translate_command(" ".join([LAUNCH, *given, words]), {}, images=10)


def test_every_flag_of_the_script_has_a_case() -> None:
    assert {case.flag for case in CASES} == set(FLAGS) and len(FLAGS) == 81


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.flag} {case.words}"[:60])
def test_a_flag_becomes_its_setting_or_is_spoken_of(case: Case) -> None:
    translation = translated(case.words)
    values = values_of(translation)
    assert {name: values[name] for name in case.settings} == case.settings
    if case.note is not None:
        assert case.about in said(translation, case.note)


def test_a_setting_is_named_only_where_its_choice_does_not_give_it() -> None:
    words = f"{TI} --rank=16 --mixed_precision=bf16 --gradient_checkpointing"
    names = [word.partition("=")[0] for word in overrides_of(translated(words))]
    assert not {"rank", "model.precision", "train.gradient_checkpointing", "te_mode"} & set(names)


def test_class_pictures_that_are_there_are_taken(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    values = values_of(translated(PRIOR.replace("./many", str(tmp_path))))
    assert values["prior.name"] == "real" and values["prior.path"] == str(tmp_path)
    assert values["prior.num_class_images"] == 100


def test_several_processes_become_accumulation() -> None:
    words = " ".join(REQUIRED.values())
    launch = LAUNCH.replace("launch", "launch --num_processes 2 --mixed_precision=fp16")
    translation = translate_command(f"{launch} {words} --gradient_accumulation_steps=3", {}, 10)
    values = values_of(translation)
    assert values["train.gradient_accumulation_steps"] == 6
    assert values["model.precision"] == "fp16"
    assert "2 processes" in said(translation, Note.said)


@pytest.mark.parametrize(
    ("words", "steps", "pivot"),
    [
        ("--train_batch_size=4 --max_train_steps=1000", 1000, 501),
        ("--train_batch_size=4 --num_train_epochs=11", 33, 15),
        ("--train_batch_size=1 --repeats=2 --max_train_steps=100", 100, 40),
        ("--train_batch_size=2 --gradient_accumulation_steps=2 --num_train_epochs=4", 12, 6),
    ],
)
def test_length_and_pivot_are_counted_as_the_script_counts(
    words: str, steps: int, pivot: int
) -> None:
    """With ten pictures, by hand: S = ceil(ceil(10 R / B) / GA), pivot int(E / 2) S."""
    translation = translated(f"{TI} {words}")
    assert values_of(translation)["train.max_train_steps"] == steps
    here = int(0.5 * steps + 0.5)
    expected = f"The pivot is at step {here}, the script's at step {pivot}"
    assert expected in said(translation, Note.differs)


def test_epochs_without_the_number_of_pictures_are_steps_per_picture() -> None:
    words = " ".join([LAUNCH, *REQUIRED.values(), "--num_train_epochs=100 --train_batch_size=4"])
    values = values_of(translate_command(words, {}))
    assert values["train.steps_per_image"] == 25 and values["train.max_train_steps"] is None
    uneven = translate_command(words.replace("=100", "=30"), {})
    assert "--images N" in said(uneven, Note.settle)
