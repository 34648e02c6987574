"""What the script itself refuses before it trains (lines 842-866, 1326-1333)."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from lora_sweep.config.ranges import SCHEDULES
from lora_sweep.translate.diffusers.arguments import Given


def refused_by_script(g: Given) -> Iterator[str]:
    """Yield each combination of flags that the script raises for."""
    if g["dataset_name"] is None and g["instance_data_dir"] is None:
        yield "neither --dataset_name nor --instance_data_dir: the script requires one of them"
    if g["dataset_name"] is not None and g["instance_data_dir"] is not None:
        yield "--dataset_name and --instance_data_dir: the script takes only one of them"
    if g["train_text_encoder"] and g["train_text_encoder_ti"]:
        yield "--train_text_encoder and --train_text_encoder_ti: the script takes only one of them"
    if g["with_prior_preservation"]:
        for name in ("class_data_dir", "class_prompt"):
            if g[name] is None:
                yield f"--with_prior_preservation: the script then requires --{name}"
    if g["report_to"] == "wandb" and g["hub_token"] is not None:
        yield "--hub_token: the script refuses it with --report_to=wandb; log in with hf auth login"
    if g["do_edm_style_training"] and g["snr_gamma"] is not None:
        yield "--snr_gamma: the script refuses it with --do_edm_style_training"
    if (name := g["lr_scheduler"]) not in SCHEDULES:
        close = get_close_matches(name, SCHEDULES, n=1)
        meant = f"; did you mean {close[0]}?" if close else ""
        yield f"--lr_scheduler={name}: must be one of {', '.join(SCHEDULES)}{meant}"
    at_least_1 = ("repeats", "train_batch_size", "gradient_accumulation_steps", "rank")
    for name in at_least_1:
        if g[name] < 1:
            yield f"--{name}={g[name]}: must be at least 1"
