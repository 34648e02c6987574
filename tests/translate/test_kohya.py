"""TOML files of sd-scripts: each key of three typical ones, and what is no SDXL LoRA of theirs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from translated import said, values_of

from lora_sweep.translate.cli import from_kohya
from lora_sweep.translate.kohya.keys import KINDS, KNOWN, MISSING, NEUTRAL
from lora_sweep.translate.kohya.toml import tomllib
from lora_sweep.translate.kohya.translation import translate_file
from lora_sweep.translate.result import Note, Translation

HERE = Path(__file__).parent / "kohya"
OFF = "a value that means off"
UNET = ["to_k", "to_q", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2"]
TEXT = ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"]

Fate = Mapping[str, Any] | Note | str
"""What becomes of a key: settings, a kind of note that names it, or OFF."""

COLAB: dict[str, Fate] = {
    "unet_lr": {"optimizer.lr": 1.0},
    "text_encoder_lr": {"te_mode.name": "lora", "optimizer.te_lr": None},
    "network_dim": {"lora.rank": 8},
    "network_alpha": {"lora.alpha": 4.0},
    "network_module": {"lora.target_modules": UNET},
    "network_args": {"lora.te_target_modules": TEXT},
    "network_train_unet_only": {"te_mode.name": "lora", "te_mode.frac": 1.0},
    "learning_rate": {"optimizer.lr": 1.0},
    "lr_scheduler": {"schedule.name": "cosine_with_restarts"},
    "lr_scheduler_num_cycles": {"schedule.num_cycles": 3},
    "lr_warmup_steps": {"schedule.warmup_steps": 42},
    "optimizer_type": {"optimizer.name": "prodigy"},
    "optimizer_args": {
        "optimizer.decouple": True, "optimizer.weight_decay": 0.01, "optimizer.beta1": 0.9,
        "optimizer.beta2": 0.999, "optimizer.d_coef": 2.0, "optimizer.use_bias_correction": True,
        "optimizer.safeguard_warmup": True,
    },
    "max_grad_norm": {"train.max_grad_norm": 1.0},
    "pretrained_model_name_or_path": {
        "model.path": "/content/animagine.safetensors", "model.single_file": True,
        "model.vae": None,
    },
    "max_train_epochs": {"train.max_train_steps": 200},  # 20 pictures, 4 repeats, 4 at a time
    "train_batch_size": {"train.batch_size": 4},
    "seed": {"seed": 42},
    "max_token_length": Note.missing,
    "min_snr_gamma": {"snr.gamma": 8.0},
    "gradient_checkpointing": {"train.gradient_checkpointing": True},
    "gradient_accumulation_steps": {"train.gradient_accumulation_steps": 1},
    "mixed_precision": {"model.precision": "fp16"},
    "prior_loss_weight": Note.idle,
    "multires_noise_iterations": Note.missing,
    "save_every_n_epochs": {"train.checkpoint_every": 20},
    "save_state": {"train.checkpoints_kept": 2},
    "output_name": {"results.name": "mascot"},
    "output_dir": {"results.dir": "/content/drive/MyDrive/Loras/mascot/output"},
    **dict.fromkeys(("loss_type", "full_bf16", "full_fp16", "min_timestep", "max_timestep"), OFF),
    "v_parameterization": {"model.prediction": "auto"},
    **dict.fromkeys(("lowram", "xformers", "sdpa", "no_half_vae", "cache_latents"), Note.neutral),
    **dict.fromkeys(("max_data_loader_n_workers", "persistent_data_loader_workers"), Note.neutral),
    **dict.fromkeys(("cache_latents_to_disk", "cache_text_encoder_outputs"), Note.neutral),
    **dict.fromkeys(("multires_noise_discount", "save_precision", "save_model_as"), Note.neutral),
    **dict.fromkeys(("save_last_n_epochs", "log_prefix", "logging_dir"), Note.neutral),
    # of dataset.toml
    "resolution": {"model.resolution": 1024},
    "shuffle_caption": Note.missing,
    "keep_tokens": Note.missing,
    "flip_aug": {"dataset.flip": False},
    "caption_extension": {"dataset.caption_column": "text"},
    "enable_bucket": {"dataset.buckets": True},
    **dict.fromkeys(("bucket_no_upscale", "bucket_reso_steps", "min_bucket_reso"), OFF),
    "max_bucket_reso": OFF,
    "num_repeats": {"dataset.repeats": 4},
    "image_dir": {"dataset.path": "/content/drive/MyDrive/Loras/mascot/dataset"},
    "class_tokens": {"dataset.instance_prompt": "mascot", "dataset.abstractions": []},
}  # fmt: skip
EASY: dict[str, Fate] = {
    "caption_extension": {"dataset.caption_column": "text"},
    "flip_aug": {"dataset.flip": True},
    "image_dir": {"dataset.path": "D:/pictures/teapot"},
    "keep_tokens": Note.missing,
    "name": Note.neutral,
    "num_repeats": {"dataset.repeats": 2},
    "random_crop": {"dataset.crop": "random"},
    "shuffle_caption": OFF,
    "class_tokens": {"prior.class_prompt": "a teapot"},
    "is_reg": {"prior.name": "real", "prior.path": "D:/pictures/teapots"},
    "train_mode": Note.neutral,
    "gradient_accumulation_steps": {"train.gradient_accumulation_steps": 2},
    "gradient_checkpointing": {"train.gradient_checkpointing": False},
    "max_token_length": Note.missing,
    "max_train_steps": {"train.max_train_steps": 800},
    "mixed_precision": {"model.precision": "bf16"},
    "pretrained_model_name_or_path": {"model.path": "D:/models/sd_xl_base_1.0.safetensors"},
    "prior_loss_weight": {"prior.weight": 0.5},
    "sdxl": {"model.single_file": True},
    "seed": {"seed": 23},
    "batch_size": {"train.batch_size": 2},
    "resolution": {"model.resolution": 1024},
    "network_alpha": {"lora.alpha": None},
    "network_dim": {"lora.rank": 16},
    "network_dropout": {"lora.dropout": 0.1},
    "network_train_unet_only": {"te_mode.name": "frozen"},
    "learning_rate": {"optimizer.lr": 5e-4},
    "lr_scheduler": {"schedule.name": "polynomial"},
    "lr_scheduler_power": {"schedule.power": 2.0},
    "max_grad_norm": {"train.max_grad_norm": None},
    "min_snr_gamma": {"snr.gamma": 5.0},
    "optimizer_type": {"optimizer.name": "adamw"},
    "scale_weight_norms": Note.missing,
    "unet_lr": {"optimizer.lr": 5e-4},
    "warmup_ratio": {"schedule.warmup_steps": 40},
    "optimizer_args": {
        "optimizer.beta1": 0.9, "optimizer.beta2": 0.99, "optimizer.weight_decay": 0.1,
    },
    "enable_bucket": {"dataset.buckets": True},
    "noise_offset": {"train.noise_offset": 0.0357},
    "log_with": {"tracker.name": "wandb"},
    "log_tracker_name": {"tracker.project": "teapots"},
    "output_dir": {"results.dir": "out"},
    "output_name": {"results.name": "teapot"},
    "save_every_n_steps": {"train.checkpoint_every": 200},
    "save_last_n_steps": {"train.checkpoints_kept": 2},
    "shuffel_caption": Note.idle,
    **dict.fromkeys(("min_timestep", "max_timestep", "loss_type"), OFF),
    **dict.fromkeys(("cache_latents", "no_half_vae", "sdpa", "logging_dir"), Note.neutral),
    **dict.fromkeys(("max_data_loader_n_workers", "persistent_data_loader_workers"), Note.neutral),
    **dict.fromkeys(("bucket_reso_steps", "max_bucket_reso", "min_bucket_reso"), OFF),
    **dict.fromkeys(("wandb_api_key", "save_model_as", "save_precision"), Note.neutral),
    "save_toml": Note.neutral,
}  # fmt: skip
GUI: dict[str, Fate] = {
    "caption_extension": {"dataset.caption_column": "text"},
    "clip_skip": Note.idle,
    "enable_bucket": {"dataset.buckets": True},
    "gradient_accumulation_steps": {"train.gradient_accumulation_steps": 1},
    "gradient_checkpointing": {"train.gradient_checkpointing": True},
    "learning_rate": {"optimizer.lr": 1e-4},
    "lr_scheduler": {"schedule.name": "cosine"},
    "lr_scheduler_num_cycles": Note.idle,
    "lr_scheduler_power": Note.idle,
    "lr_warmup_steps": {"schedule.warmup_steps": 100},
    "max_grad_norm": {"train.max_grad_norm": 1.0},
    "max_train_steps": {"train.max_train_steps": 1600},
    "min_snr_gamma": {"snr.gamma": 5.0},
    "mixed_precision": {"model.precision": "bf16"},
    "network_alpha": {"lora.alpha": 16.0},
    "network_args": {"lora.te_target_modules": TEXT},
    "network_dim": {"lora.rank": 32},
    "network_module": {"lora.target_modules": UNET},
    "optimizer_args": {"optimizer.weight_decay": 0.01},  # what torch's AdamW does
    "optimizer_type": {"optimizer.name": "adamw8bit"},
    "output_dir": {"results.dir": "outputs"},
    "output_name": {"results.name": "ohwx_dog"},
    "pretrained_model_name_or_path": {"model.path": "stabilityai/stable-diffusion-xl-base-1.0"},
    "prior_loss_weight": Note.idle,
    "resolution": {"model.resolution": 1024},
    "sample_every_n_steps": {"evaluate.every": 400},
    "sample_prompts": {
        "evaluate.prompts": ["ohwx dog in a garden", "ohwx dog on the moon"],
        "evaluate.images_per_prompt": 1,
    },
    "save_every_n_epochs": {"train.checkpoint_every": 100},  # 20 pictures, 10 repeats, 2 at a time
    "seed": {"seed": 42},
    "text_encoder_lr": {"te_mode.name": "lora", "optimizer.te_lr": 5e-5},
    "train_batch_size": {"train.batch_size": 2},
    "train_data_dir": {
        "dataset.path": "img/10_ohwx dog", "dataset.repeats": 10,
        "dataset.instance_prompt": "ohwx dog",
    },
    "unet_lr": {"optimizer.lr": 1e-4},
    "wandb_run_name": Note.idle,
    **dict.fromkeys(("loss_type", "lr_scheduler_args", "max_timestep", "max_token_length"), OFF),
    **dict.fromkeys(("bucket_reso_steps", "max_bucket_reso", "min_bucket_reso"), OFF),
    "bucket_no_upscale": Note.missing,
    **dict.fromkeys(("cache_latents", "cache_latents_to_disk"), Note.neutral),
    **dict.fromkeys(("dynamo_backend", "epoch", "huber_c", "huber_scale"), Note.neutral),
    **dict.fromkeys(("huber_schedule", "logging_dir", "max_data_loader_n_workers"), Note.neutral),
    **dict.fromkeys(("multires_noise_discount", "no_half_vae", "noise_offset_type"), Note.neutral),
    **dict.fromkeys(("sample_sampler", "save_model_as", "save_precision"), Note.neutral),
    **dict.fromkeys(("training_comment", "vae_batch_size", "xformers"), Note.neutral),
}  # fmt: skip
FILES = {"colab": COLAB, "easy": EASY, "gui": GUI}


def keys_of(table: Mapping[str, Any]) -> Iterator[str]:
    """The keys of a TOML that hold a value; optimizer_args as a table is one."""
    for key, value in table.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            for each in value:
                yield from keys_of(each)
        elif isinstance(value, dict) and (key != "optimizer_args" or "args" in value):
            yield from keys_of(value)
        else:
            yield key


def translated(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Translation:
    """With twenty pictures, and the folder that gui.toml names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "img" / "10_ohwx dog").mkdir(parents=True)
    dataset = HERE / "dataset.toml" if name == "colab" else None
    return translate_file(HERE / f"{name}.toml", dataset, images=20)


@pytest.mark.parametrize("name", FILES)
def test_every_key_of_a_typical_file_is_set_or_spoken_of(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files = [HERE / f"{name}.toml", *([HERE / "dataset.toml"] if name == "colab" else [])]
    tables = [tomllib.loads(path.read_text(encoding="utf-8")) for path in files]
    assert {key for table in tables for key in keys_of(table)} == set(FILES[name])
    translation = translated(name, monkeypatch, tmp_path)
    values = values_of(translation)
    for key, fate in FILES[name].items():
        if isinstance(fate, Note):
            assert key in said(translation, fate), (key, fate)
        elif isinstance(fate, Mapping):
            assert {each: values[each] for each in fate} == dict(fate), key
        else:
            assert fate == OFF and key in MISSING, key
            assert key not in said(translation, Note.missing), key
    assert "0123456789abcdef" not in str(translation.notes), "the key of W&B is never shown"


def test_the_tables_of_keys_do_not_overlap() -> None:
    assert not set(KINDS) & set(NEUTRAL) and not set(KINDS) & set(MISSING)
    assert not set(NEUTRAL) & set(MISSING)
    assert len(KNOWN) > 180


SMALL = """
pretrained_model_name_or_path = "base.safetensors"
image_dir = "pictures"
max_train_steps = 100
caption_extension = ".txt"
unet_lr = 1e-4
"""


def small(tmp_path: Path, more: str = "", without: str = "") -> Translation:
    lines = [line for line in SMALL.splitlines() if not without or without not in line]
    path = tmp_path / "config.toml"
    path.write_text("\n".join([*lines, more]), encoding="utf-8")
    return translate_file(path)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("",
         {"lora.rank": 4, "lora.alpha": 1.0, "optimizer.te_lr": 2e-6, "model.precision": "fp32"}),
        ("network_alpha = 0", {"lora.alpha": None}),
        ("text_encoder_lr = 0", {"te_mode.name": "frozen"}),
        ("text_encoder_lr = [3e-5, 3e-5]", {"optimizer.te_lr": 3e-5}),
        ("network_train_text_encoder_only = true", {"optimizer.lr": 0.0, "optimizer.te_lr": 2e-6}),
        ('lr_scheduler = "linear"\nlr_warmup_steps = 0.1', {"schedule.warmup_steps": 10}),
        ('lr_scheduler = "linear"\nlr_warmup_steps = 7', {"schedule.warmup_steps": 7}),
        ('optimizer_type = "Adafactor"',
         {"optimizer.name": "adafactor", "optimizer.relative_step": True,
         "schedule.name": "constant"}),
        ('optimizer_type = "Adafactor"\n'
         'optimizer_args = ["relative_step=False", "eps=(1e-30,1e-2)"]',
         {"optimizer.relative_step": False, "optimizer.eps1": 1e-30, "optimizer.eps2": 1e-2}),
        ('optimizer_type = "PagedAdamW8bit"', {"optimizer.name": "adamw8bit"}),
        ('optimizer_type = "prodigyplus.ProdigyPlusScheduleFree"',
         {"optimizer.name": "prodigy_plus"}),
        ('optimizer_args = "weight_decay=0.05 betas=0.8,0.9"',
         {"optimizer.weight_decay": 0.05, "optimizer.beta1": 0.8, "optimizer.beta2": 0.9}),
        ('resolution = "1024,768"', {"model.resolution": 768, "dataset.buckets": False}),
        ('vae = "vae.safetensors"', {"model.vae": "vae.safetensors"}),
        ('vae = "vae.pt"', {"model.vae": None}),
        ("v_parameterization = true\nzero_terminal_snr = true",
         {"model.prediction": "v_prediction", "model.zero_terminal_snr": True}),
        ("resolution = [512, 512]", {"model.resolution": 512}),
        ('log_with = "wandb"\nwandb_run_name = "one"',
         {"tracker.name": "wandb", "tracker.run_name": "one"}),
        ("torch_compile = true", {"train.compile": True}),
        ("noise_offset = 0.1", {"train.noise_offset": 0.1}),
    ],
)  # fmt: skip
def test_a_key_means_what_it_means_to_sd_scripts(
    more: str, expected: dict[str, Any], tmp_path: Path
) -> None:
    values = values_of(small(tmp_path, more))
    assert {key: values[key] for key in expected} == expected


def test_epochs_without_the_number_of_pictures_are_steps_per_picture(tmp_path: Path) -> None:
    values = values_of(small(tmp_path, "max_train_epochs = 8\nnum_repeats = 5", "max_train_steps"))
    assert values["train.steps_per_image"] == 40 and values["train.max_train_steps"] is None
    uneven = small(tmp_path, "max_train_epochs = 3\ntrain_batch_size = 2", "max_train_steps")
    assert "--images N" in said(uneven, Note.settle)


def test_captions_of_another_ending_are_to_be_renamed_where_there_are_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "rename them" in said(small(tmp_path, without="extension"), Note.settle)
    (tmp_path / "pictures").mkdir()
    assert "rename" not in said(small(tmp_path, without="extension"), Note.settle)
    (tmp_path / "pictures" / "a.caption").write_text("a dog")
    assert "rename them" in said(small(tmp_path, without="extension"), Note.settle)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('network_module = "lycoris.kohya"\nnetwork_args = ["algo=loha"]', "LyCORIS (loha)"),
        ('network_module = "networks.oft"', "networks.oft: OFT; only plain LoRA"),
        ('network_module = "mine"', "network_module=mine: another network"),
        ('network_args = ["conv_dim=8"]', "conv_dim: LoRA on convolutions"),
        ("v2 = true", "a base of Stable Diffusion 2"),
        ("sdxl = false", "a base of Stable Diffusion 1"),
        ('t5xxl = "t5.safetensors"', "a training of Flux"),
        ('optimizer_type = "Lion"', "optimizer_type=Lion: has no counterpart"),
        ("network_dim = 'many'", "network_dim='many': must be a whole number"),
        ("seed = true", "seed=True: must be a whole number"),
        ('resolution = "big"', "resolution='big': must be a number of pixels"),
        ('in_json = "meta.json"', "captions come from metadata.jsonl"),
        ("[a]\nseed = 1\n[b]\nseed = 2", "seed: given twice, 1 and 2"),
        ("seed = ", "is not TOML"),
        ('dataset_config = "nowhere.toml"', "dataset_config=nowhere.toml: there is no such file"),
        ('[[subsets]]\nimage_dir = "a"\n[[subsets]]\nimage_dir = "b"', "2 folders of pictures"),
    ],
)
def test_what_is_no_sdxl_lora_is_one_clear_message_and_status_2(
    more: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(SMALL + more, encoding="utf-8")
    assert from_kohya([str(path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    first, *problems = printed.err.splitlines()
    assert first == "from_kohya: nothing is translated:"
    assert any(message in line for line in problems), printed.err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b'{"a": 1}', "is JSON"),
        (b"", "pretrained_model_name_or_path: missing"),
        (b'[[datasets]]\n[[datasets.subsets]]\nimage_dir="a"', "is a data set's TOML"),
    ],
)
def test_a_file_that_is_no_training_is_one_clear_message_and_status_2(
    content: bytes | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.toml"
    if content is not None:
        path.write_bytes(content)
    assert from_kohya([str(path)]) == 2
    assert message in capsys.readouterr().err


def test_the_number_of_files_and_of_pictures_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert from_kohya([]) == 2 and "config.toml" in capsys.readouterr().out
    assert from_kohya(["--help"]) == 0
    assert from_kohya(["a", "b", "c"]) == 2
    assert from_kohya(["--images", "none", "a"]) == 2


def test_the_data_sets_file_is_found_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "data.toml").write_text('[[datasets]]\n[[datasets.subsets]]\nimage_dir = "pics"\n')
    more = 'dataset_config = "/elsewhere/data.toml"'
    assert values_of(small(tmp_path, more, "image_dir"))["dataset.path"] == "pics"
