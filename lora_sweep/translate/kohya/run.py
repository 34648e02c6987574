"""Keys of samples, checkpoints, logging and output as settings."""

from __future__ import annotations

import re
from pathlib import Path

from lora_sweep.config.ranges import FILE_NAME, is_taken_name
from lora_sweep.translate.kohya.given import Keys
from lora_sweep.translate.kohya.training import Geometry
from lora_sweep.translate.result import Note, Translation


def samples(keys: Keys, geometry: Geometry, config: Path, to: Translation) -> None:
    """Set evaluate from sample_prompts, a file whose lines are a prompt and --options."""
    named = keys["sample_prompts"]
    if named is None:
        to.choose("evaluate", "off")
        for key in ("sample_every_n_steps", "sample_every_n_epochs"):
            if keys.has(key):
                to.note(Note.idle, f"{key}: there are no sample_prompts")
        return
    beside = config.parent / re.split(r"[/\\]", named)[-1]
    file = next((path for path in (Path(named).expanduser(), beside) if path.is_file()), None)
    prompts = _prompts(file) if file is not None and file.suffix == ".txt" else []
    if not prompts:
        to.choose("evaluate", "off")
        to.note(
            Note.settle,
            f"sample_prompts={named}: there is no such .txt file here with prompts in it; add "
            "evaluate=default \"evaluate.prompts=['…']\"",
        )
        return
    to.set("evaluate.prompts", prompts)
    to.set("evaluate.images_per_prompt", 1)
    to.note(Note.said, f"sample_prompts: the prompts of {named}, without their --options")
    every = keys["sample_every_n_steps"]
    epochs, each = keys["sample_every_n_epochs"], geometry.steps_per_epoch
    if epochs and each is not None:
        every = epochs * each
    elif epochs:
        to.note(
            Note.said,
            f"sample_every_n_epochs={epochs}: at the end only, because an epoch's length is not "
            "known; say --images N, or add evaluate.every",
        )
    steps = to.values.get("train.max_train_steps")
    if every and (steps is None or every < steps):
        to.set("evaluate.every", every)


def _prompts(file: Path) -> list[str]:
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    texts = [re.split(r"\s--\w", line, maxsplit=1)[0].strip() for line in lines]
    return [text for text in texts if text and not text.startswith("#")]


def output(keys: Keys, geometry: Geometry, to: Translation) -> None:
    """Set checkpoints, tracker and results."""
    every = keys["save_every_n_steps"]
    epochs, each = keys["save_every_n_epochs"], geometry.steps_per_epoch
    if every is None and epochs and each is not None:
        every = epochs * each
    elif every is None and epochs:
        to.note(
            Note.said,
            f"save_every_n_epochs={epochs}: a checkpoint every 500 steps, because an epoch's "
            "length is not known; say --images N, or add train.checkpoint_every",
        )
    if every:
        to.set("train.checkpoint_every", every)
        to.note(
            Note.differs,
            "Checkpoints are for resuming; only the last weights become files for other programs.",
        )
    if keys["save_last_n_steps"] and every:
        to.set("train.checkpoints_kept", max(keys["save_last_n_steps"] // every, 1))
    if keys["save_state"]:
        to.note(Note.said, "save_state: every checkpoint holds all that resuming needs")
    to.choose("tracker", "wandb" if keys["log_with"] in ("wandb", "all") else "none")
    if to.choices["tracker"] == "wandb":
        to.set("tracker.project", keys["log_tracker_name"] or "lora-sweep")
        to.set("tracker.run_name", keys["wandb_run_name"])
    elif keys["log_with"] is not None:
        to.note(Note.missing, f"log_with={keys['log_with']}: metrics.jsonl is always there")
    for key in ("log_tracker_name", "wandb_run_name"):
        if keys.has(key) and to.choices["tracker"] != "wandb":
            to.note(Note.idle, f"{key}: log_with is not wandb")
    _places(keys, to)


def _places(keys: Keys, to: Translation) -> None:
    if keys.has("output_dir"):
        folder = keys["output_dir"]
        to.set("results.dir", folder)
        to.note(
            Note.said, f"output_dir={folder}: the trial has a folder of its own in {folder}/runs"
        )
    name = keys["output_name"]
    if name is None:
        return
    if FILE_NAME[1](name) and not is_taken_name(name):
        to.set("results.name", name)
        return
    to.note(Note.missing, f"output_name={name}: results.name takes {FILE_NAME[0]}; lora is taken")
