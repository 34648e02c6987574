"""Flags of validation, checkpoints, logging and output as settings."""

from __future__ import annotations

import re

from lora_sweep.config.ranges import FILE_NAME, is_taken_name
from lora_sweep.translate.diffusers.arguments import Given
from lora_sweep.translate.diffusers.training import Geometry
from lora_sweep.translate.result import Note, Translation


def validation_and_output(g: Given, geometry: Geometry, to: Translation) -> None:
    """Set evaluate, tracker, results and checkpoints."""
    _validation(g, geometry, to)
    to.set("train.checkpoint_every", g["checkpointing_steps"])
    if g["checkpoints_total_limit"] is not None:
        to.set("train.checkpoints_kept", g["checkpoints_total_limit"])
    to.choose("tracker", "wandb" if g["report_to"] in ("wandb", "all") else "none")
    if g.has("output_dir"):
        _output(g["output_dir"], to)
    _without_counterpart(g, to)


def _validation(g: Given, geometry: Geometry, to: Translation) -> None:
    if g["validation_prompt"] is None:
        to.choose("evaluate", "off")
        return
    to.set("evaluate.prompts", [g["validation_prompt"]])
    to.set("evaluate.images_per_prompt", g["num_validation_images"])
    to.set("evaluate.sample_steps", 25)  # as of the script's last pictures
    each, epochs = geometry.steps_per_epoch, g["validation_epochs"]
    if each is None:
        if g.has("validation_epochs"):
            to.note(
                Note.said,
                f"--validation_epochs={epochs}: pictures come at the end only, because an epoch's "
                "length is not known; say --images N before the command, or add evaluate.every",
            )
        return
    steps = geometry.steps or 0
    if epochs * each < steps:
        to.set("evaluate.every", epochs * each)
        to.note(
            Note.said,
            f"--validation_epochs={epochs}: {epochs * each} steps with {geometry.images} pictures",
        )


def _output(path: str, to: Translation) -> None:
    to.set("results.dir", path)
    name = re.split(r"[/\\]", path.rstrip("/\\"))[-1]
    if FILE_NAME[1](name) and not is_taken_name(name):
        to.set("results.name", name)
    to.note(
        Note.said,
        f"--output_dir={path}: the trial has a folder of its own in {path}/runs; give many trials "
        "one results.dir to compare them",
    )


MISSING = {
    "cache_dir": "downloads go where HF_HOME says",
    "enable_xformers_memory_efficient_attention": "torch's own attention is as fast",
    "dataloader_num_workers": "pictures are encoded once, before training; nothing is loaded",
    "do_edm_style_training": "EDM-style training is left out, so this trial is not the same",
    "logging_dir": "metrics lie beside the trial's weights, in metrics.jsonl",
}
"""Flags that set nothing here, with the reason."""


def _without_counterpart(g: Given, to: Translation) -> None:
    for flag, reason in MISSING.items():
        if g.has(flag):
            to.note(Note.missing, f"--{flag}: {reason}")
    if g["report_to"] not in ("tensorboard", "wandb"):
        kept = "tracker=wandb is taken" if g["report_to"] == "all" else "no tracker is taken"
        to.note(
            Note.missing, f"--report_to={g['report_to']}: {kept}; metrics.jsonl is always there"
        )
    elif g["report_to"] == "tensorboard" and g.has("report_to"):
        to.note(Note.missing, "--report_to=tensorboard: metrics.jsonl is always there")
    if g["push_to_hub"]:
        repo = g["hub_model_id"] or "owner/name"
        to.note(
            Note.said,
            f"--push_to_hub: when the trial is done, python -m lora_sweep.results.push <its id> "
            f"--repo {repo}",
        )
        if g.has("hub_token"):
            to.note(
                Note.said,
                "--hub_token: is not repeated here; log in with hf auth login, or set HF_TOKEN",
            )
    if g.has("cache_latents"):
        to.note(Note.said, "--cache_latents: latents are always cached here")
    if g.has("resume_from_checkpoint"):
        to.note(
            Note.said,
            "--resume_from_checkpoint: give the same command again; checkpoints of the script "
            "cannot be read",
        )
    if g.has("prior_generation_precision") and g["with_prior_preservation"]:
        to.note(
            Note.missing,
            f"--prior_generation_precision={g['prior_generation_precision']}: the base draws class "
            "pictures in model.precision",
        )
