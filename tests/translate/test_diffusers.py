"""The post's commands in the words of this project, and what is no command of the script."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from translated import composed, overrides_of, said, values_of

import lora_sweep
from lora_sweep.config import check
from lora_sweep.data.packaged_sets import PACKAGED
from lora_sweep.translate.cli import from_diffusers
from lora_sweep.translate.diffusers.flags import SCRIPT
from lora_sweep.translate.diffusers.notes import DIFFERENCES, PIVOT_ENTRY
from lora_sweep.translate.diffusers.translation import translate_command
from lora_sweep.translate.result import Note

ROOT = Path(lora_sweep.__file__).parents[1]
POST = {path.stem: path.read_text(encoding="utf-8")
        for path in sorted((Path(__file__).parent / "post").glob("*.txt"))}  # fmt: skip
GOOD = f"{SCRIPT} --pretrained_model_name_or_path=a/b --instance_data_dir=./d --instance_prompt=TOK"
SHARED = {
    "model.path": "stabilityai/stable-diffusion-xl-base-1.0",
    "model.vae": "madebyollin/sdxl-vae-fp16-fix",
    "model.resolution": 1024,
    "model.precision": "bf16",
    "dataset.name": "folder",
    "dataset.path": "./huggy_clean",
    "dataset.caption_column": "prompt",
    "dataset.instance_prompt": "a TOK emoji",
    "dataset.abstractions": ["TOK"],
    "dataset.repeats": 1,
    "dataset.holdout": "0",
    "te_mode.name": "pivotal",
    "te_mode.frac": 0.5,
    "te_mode.num_new_tokens": 2,
    "optimizer.name": "adamw",
    "optimizer.lr": 1e-4,
    "optimizer.weight_decay": 1e-4,
    "schedule.name": "constant",
    "schedule.warmup_steps": 0,
    "lora.rank": 32,
    "train.max_train_steps": 1000,
    "train.batch_size": 4,
    "train.gradient_accumulation_steps": 1,
    "train.gradient_checkpointing": True,
    "train.checkpoint_every": 2000,
    "seed": 0,
    "evaluate.prompts": ["a TOK emoji dressed as Yoda"],
    "evaluate.images_per_prompt": 4,
    "tracker.name": "wandb",
}
OWN = {
    "huggy_1": {"optimizer.te_lr": 3e-4, "snr.gamma": None, "results.dir": "results"},
    # As the post prints it, without a rate or an optimizer: the script's defaults.
    "huggy_2": {"optimizer.te_lr": 5e-6, "snr.gamma": 5.0, "results.dir": "huggy_v11"},
}


@pytest.mark.parametrize("name", POST)
def test_the_posts_command_gives_the_settings_that_it_names(name: str) -> None:
    translation = translate_command(POST[name], {})
    values = values_of(translation)
    expected = SHARED | OWN[name]
    assert {key: values[key] for key in expected} == expected
    check(composed(translation))
    assert Note.settle not in translation.notes
    assert "a space was read before" in said(translation, Note.read)
    assert said(translation, Note.idle) == (
        "--lr_warmup_steps: --lr_scheduler=constant has no warm-up"
    )


@pytest.mark.parametrize("name", POST)
def test_the_posts_command_trains_on_the_embedded_base(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "huggy_clean"
    folder.mkdir()
    listed = (PACKAGED / "huggy" / "metadata.jsonl").read_text(encoding="utf-8").splitlines()[:3]
    with (folder / "metadata.jsonl").open("w", encoding="utf-8") as metadata:
        for row in map(json.loads, listed):
            copied = shutil.copy(PACKAGED / "huggy" / row["file_name"], folder)
            row = {"file_name": Path(copied).name, "prompt": row["text"]}
            metadata.write(f"{json.dumps(row)}\n")
    words = overrides_of(translate_command(POST[name], {}))
    short = ["model=nano", "train.max_train_steps=4", "evaluate.images_per_prompt=1"]
    done = subprocess.run(
        [sys.executable, "-m", "lora_sweep", *words, *short],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    root = tmp_path / str(OWN[name]["results.dir"])
    (trial,) = (root / "runs").iterdir()
    record = json.loads((trial / "trial.json").read_text())
    assert record["state"] == "done" and record["steps"] == 4
    (sample,) = json.loads((trial / "samples" / "samples.json").read_text())
    assert sample["text"] == "a <s0><s1> emoji dressed as Yoda"
    assert (trial / "pytorch_lora_weights.safetensors").is_file()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no command; give accelerate launch"),
        ("ls -l", "ls: no training command"),
        ("python -m lora_sweep rank=4", "a command of lora_sweep already"),
        ("python -m train_dreambooth_lora_sdxl_advanced --a=b", "write the script's file name"),
        (f"accelerate launch {GOOD}; accelerate launch {GOOD}", "2 training commands"),
        ("accelerate launch train_dreambooth_lora_sdxl.py --a", "plain SDXL DreamBooth LoRA"),
        ("accelerate launch sdxl_train_network.py --a", "scripts/from_kohya.py"),
        ("python my_training.py --a", "only train_dreambooth_lora_sdxl_advanced.py of diffusers"),
        (f"{GOOD} --rankk=4", "--rankk: the script has no such flag; did you mean --rank?"),
        (f"{GOOD} --network_dim=4", "it is one of kohya's sd-scripts"),
        (f"{GOOD} --rank=four", "--rank=four: must be a whole number"),
        (f"{GOOD} --rank=0", "--rank=0: must be at least 1"),
        (f"{GOOD} --rank", "--rank: its value is missing"),
        (f"{GOOD} --rank=4 --rank=8", "--rank: given twice: 4 and 8"),
        (f"{GOOD} --center_crop=True", "--center_crop=True: it is a switch"),
        (f"{GOOD} --mixed_precision=fp8", "--mixed_precision=fp8: must be one of no, fp16, bf16"),
        (f"{GOOD} --lr_scheduler=cosin", "did you mean cosine?"),
        (f"{GOOD} --adam=1", "--adam: short for several flags"),
        (f"{GOOD} stray", "'stray' after --instance_prompt: belongs to no flag"),
        (f"{GOOD} --seed=$SEED", "$SEED is not set"),
        (f"{GOOD} --instance_prompt=\"a", "is never closed"),
        (f"{GOOD} --dataset_name=x", "only one of them"),
        (f"{GOOD} --train_text_encoder --train_text_encoder_ti", "only one of them"),
        (f"{GOOD} --with_prior_preservation", "requires --class_data_dir"),
        (f"{GOOD} --do_edm_style_training --snr_gamma=5", "--snr_gamma: the script refuses it"),
        (SCRIPT, "--instance_prompt: missing; the script requires it"),
        (f"accelerate launch --num_processes=x {GOOD}", "--num_processes=x: must be a whole"),
    ],
)  # fmt: skip
def test_what_is_no_command_of_the_script_is_one_clear_message_and_status_2(
    text: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    assert from_diffusers([text] if text else ["-"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    first, *problems = printed.err.splitlines()
    assert first == "from_diffusers: nothing is translated:"
    assert any(message in line for line in problems), printed.err


def test_every_fault_of_a_command_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert from_diffusers([f"{GOOD} --rankk=4 --seed=x --center_crop=1 --bogus 3"]) == 2
    problems = capsys.readouterr().err.splitlines()[1:]
    assert [re.split(r"[:=]", line)[0] for line in problems] == [
        "- --rankk", "- --seed", "- --center_crop", "- --bogus",
    ]  # fmt: skip


def test_a_token_is_never_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    for more in ("--hub_token=hf_abcdef", "--hub_token hf_abcdef --bogus hf_abcdef", "hf_abcdef"):
        from_diffusers([f"{GOOD} --push_to_hub {more}"])
        printed = capsys.readouterr()
        assert "abcdef" not in printed.out + printed.err


def test_words_are_taken_as_the_shell_split_them_and_stdin_as_it_stands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prompt = 'my "TOK" dog'
    words = ["accelerate", "launch", *GOOD.split()[:-1], f"--instance_prompt={prompt}"]
    assert from_diffusers(["--images", "10", *words]) == 0
    once = capsys.readouterr().out
    monkeypatch.setattr(
        sys, "stdin", io.StringIO(" \\\n".join(words).replace(prompt, f"'{prompt}'"))
    )
    assert from_diffusers(["--images=10"]) == 0
    assert capsys.readouterr().out == once
    assert "train.max_train_steps=3" in once  # one epoch of ten pictures, four at a time
    for wrong in ("0", "x", "-3"):
        assert from_diffusers([f"--images={wrong}", GOOD]) == 2


def test_what_is_to_settle_is_said_with_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = GOOD.replace("=TOK", "='a dog'")
    assert from_diffusers([f"{wrong} --train_text_encoder_ti --max_train_steps=9"]) == 1
    printed = capsys.readouterr()
    assert printed.out.startswith("python -m lora_sweep ")
    assert "To settle before it runs:\n- dataset.instance_prompt=a dog: must contain" in printed.err


def test_every_difference_is_an_entry_of_the_page_on_differences() -> None:
    page = (ROOT / "docs" / "semantics.md").read_text(encoding="utf-8")
    entries = {int(found[1]): found[2] for found in
               re.finditer(r"^(\d+)\. +(.*?)(?=\n\d+\. |\n## |\Z)", page, re.M | re.S)}  # fmt: skip
    for difference in DIFFERENCES:
        assert difference.about.lower() in entries[difference.entry].lower(), difference
    assert "pivot" in entries[PIVOT_ENTRY].lower()


def test_translating_needs_no_torch() -> None:
    code = (
        "import sys, lora_sweep.translate.cli\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'numpy'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
