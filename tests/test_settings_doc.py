"""docs/: every flag of diffusers' script is accounted for, and what the pages name exists."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any, cast

import pytest

import lora_sweep
from lora_sweep.config.compose import conf_dir
from lora_sweep.config.plain import type_hints
from lora_sweep.config.settings import VARIANTS, Settings

ROOT = Path(lora_sweep.__file__).parents[1]
SETTINGS_PAGE = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
SEMANTICS_PAGE = (ROOT / "docs" / "semantics.md").read_text(encoding="utf-8")
PAGES = {
    "settings.md": SETTINGS_PAGE,
    "semantics.md": SEMANTICS_PAGE,
    "README.md": (ROOT / "README.md").read_text(encoding="utf-8"),
}

# Every add_argument of train_dreambooth_lora_sdxl_advanced.py at diffusers 58eb52c.
FLAGS = """
pretrained_model_name_or_path pretrained_vae_model_name_or_path revision variant cache_dir
mixed_precision prior_generation_precision allow_tf32 enable_xformers_memory_efficient_attention
gradient_checkpointing clip_skip
dataset_name dataset_config_name instance_data_dir image_column caption_column repeats
instance_prompt resolution center_crop random_flip image_interpolation_mode train_batch_size
dataloader_num_workers cache_latents noise_offset
train_text_encoder_ti train_text_encoder_ti_frac token_abstraction num_new_tokens_per_abstraction
train_text_encoder train_text_encoder_frac
rank lora_dropout use_dora lora_unet_blocks use_blora
snr_gamma do_edm_style_training with_prior_preservation prior_loss_weight class_data_dir
class_prompt num_class_images sample_batch_size
optimizer use_8bit_adam learning_rate text_encoder_lr scale_lr lr_scheduler lr_warmup_steps
lr_num_cycles lr_power adam_beta1 adam_beta2 adam_epsilon adam_weight_decay
adam_weight_decay_text_encoder prodigy_beta3 prodigy_decouple prodigy_use_bias_correction
prodigy_safeguard_warmup max_grad_norm gradient_accumulation_steps num_train_epochs max_train_steps
seed
validation_prompt num_validation_images validation_epochs checkpointing_steps
checkpoints_total_limit resume_from_checkpoint output_dir logging_dir report_to push_to_hub
hub_token hub_model_id local_rank
""".split()  # noqa: SIM905 - 81 of them read better so

ROW = re.compile(r"^\| `--(\w+)` \| (left out|replaced by `[\w.]+`|`[\w.]+`) \| ?(.*?) ?\|$", re.M)


def all_settings() -> set[str]:
    """Every setting of every choice, by its dotted name, and every section."""
    names: set[str] = set()
    for section, hint in type_hints(Settings).items():
        names.add(section)
        if dataclasses.is_dataclass(hint):
            variants: tuple[Any, ...] = VARIANTS.get(cast(type, hint), (hint,))
            names |= {f"{section}.{f.name}" for v in variants for f in dataclasses.fields(v)}
    return names


SECTIONS = {name for name in all_settings() if "." not in name}


def quoted(page: str) -> set[str]:
    """What stands in backticks, code blocks left out, word by word."""
    prose = re.sub(r"^```.*?^```", "", page, flags=re.M | re.S)
    return {word for span in re.findall(r"`([^`\n]+)`", prose) for word in span.split()}


def test_all_81_flags_of_the_script_are_accounted_for_once() -> None:
    listed = [row[0] for row in ROW.findall(SETTINGS_PAGE)]
    assert len(FLAGS) == 81
    assert sorted(listed) == sorted(FLAGS)


def test_every_row_of_a_flag_has_the_form_of_the_table() -> None:
    assert SETTINGS_PAGE.count("\n| `--") == len(ROW.findall(SETTINGS_PAGE))


def test_what_is_left_out_or_replaced_has_a_reason() -> None:
    rows = ROW.findall(SETTINGS_PAGE)
    bare = [flag for flag, here, why in rows if not here.startswith("`") and not why.strip()]
    assert bare == []


def test_every_setting_that_takes_a_flags_place_exists() -> None:
    named = {re.sub(r"replaced by|`| ", "", here) for _, here, _ in ROW.findall(SETTINGS_PAGE)}
    assert named - {"leftout"} <= all_settings()


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_that_a_page_names_exists(page: str) -> None:
    words = quoted(PAGES[page])
    dotted = {word.partition("=")[0] for word in words if word.split(".")[0] in SECTIONS}
    named = {word for word in dotted if re.fullmatch(r"\w+\.(?!safetensors)\w+", word)}
    assert named, "the page names no setting: the pattern is wrong"
    assert named <= all_settings()


@pytest.mark.parametrize("page", PAGES)
def test_every_choice_that_a_page_names_exists(page: str) -> None:
    groups = {path.name for path in conf_dir().iterdir() if path.is_dir()}
    chosen = [word.split("=") for word in quoted(PAGES[page]) if word.count("=") == 1]
    missing = [
        f"{group}={choice}"
        for group, choices in chosen
        if group in groups
        for choice in choices.split(",")
        if choice and not (conf_dir() / group / f"{choice}.yaml").is_file()
    ]
    assert missing == []


def test_every_file_that_the_differences_name_exists() -> None:
    files = {word for word in quoted(SEMANTICS_PAGE) if re.fullmatch(r"[\w/]+\.py", word)}
    files.discard("train_dreambooth_lora_sdxl_advanced.py")
    assert len(files) > 20
    assert [file for file in sorted(files) if not (ROOT / "lora_sweep" / file).is_file()] == []


def test_the_differences_are_numbered_without_a_gap() -> None:
    numbers = [int(n) for n in re.findall(r"^(\d+)\. ", SEMANTICS_PAGE, re.M)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_flag_that_the_differences_name_is_a_flag_of_the_script() -> None:
    flags = {word.removeprefix("--").partition("=")[0] for word in quoted(SEMANTICS_PAGE)
             if word.startswith("--")}  # fmt: skip
    assert flags <= set(FLAGS)
