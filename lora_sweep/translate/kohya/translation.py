"""A TOML of sd-scripts' SDXL network training as the equal command here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from lora_sweep.errors import SettingsError
from lora_sweep.translate.kohya.data import only_subset, pictures
from lora_sweep.translate.kohya.given import Keys, read_keys, shown
from lora_sweep.translate.kohya.keys import MISSING, NEUTRAL
from lora_sweep.translate.kohya.run import output, samples
from lora_sweep.translate.kohya.toml import Config, read_config
from lora_sweep.translate.kohya.training import Geometry, adapter, training
from lora_sweep.translate.result import Note, Translation, settled

OTHER_NETWORKS = {
    "lycoris.kohya": "LyCORIS ({algo})",
    "networks.dylora": "DyLoRA",
    "networks.oft": "OFT",
    "networks.lora_fa": "LoRA-FA",
    "networks.loha": "LoHa",
    "networks.lokr": "LoKr",
    "networks.control_net_lllite": "ControlNet-LLLite",
}
OTHER_BASES = {
    "Flux": ("clip_l", "t5xxl", "ae", "guidance_scale", "discrete_flow_shift"),
    "Stable Diffusion 3": ("clip_g",),
    "Lumina": ("gemma2",),
}
SD1 = re.compile(
    r"v1-?[45]|sd-?v?1[._-]?[45]|sd15|stable-diffusion-1|\bnai\b|anything-?v[345]", re.I
)
CONVOLUTION = ("conv_dim", "conv_alpha", "conv_block_dims", "conv_block_alphas")


def translate_file(
    path: Path, dataset: Path | None = None, images: int | None = None
) -> Translation:
    """Translate a TOML file and its data set's; `images` is the number of pictures, if known.

    Raises SettingsError with every reason why there is nothing to translate.
    """
    config = read_config(path, dataset)
    keys = read_keys(config.arguments)
    subsets = [read_keys(subset) for subset in config.subsets]
    problems = [*keys.problems, *(line for subset in subsets for line in subset.problems)]
    problems += _other_training(keys, config)
    if problems:
        raise SettingsError(list(dict.fromkeys(problems)))
    to = Translation()
    subset = only_subset(keys, subsets, to)
    geometry = Geometry(keys, subset, any(s["is_reg"] for s in subsets), images)
    pictures(keys, subset, subsets, to)
    adapter(keys, to)
    training(keys, geometry, to)
    samples(keys, geometry, path, to)
    output(keys, geometry, to)
    _notes(keys, subsets, to)
    settled(to)
    return to


def _other_training(keys: Keys, config: Config) -> Iterator[str]:
    """Yield why this is no SDXL LoRA: another network, another base, another program."""
    module, extra = keys["network_module"], keys["network_args"]
    if module != "networks.lora":
        name = OTHER_NETWORKS.get(module, "another network").format(algo=extra.get("algo", "?"))
        yield f"network_module={module}: {name}; only plain LoRA (networks.lora) is trained here"
    if used := [name for name in CONVOLUTION if extra.get(name)]:
        yield (
            f"network_args: {', '.join(used)}: LoRA on convolutions (LoCon) is not trained here; "
            "take it out to train the attention layers alone"
        )
    base = keys["pretrained_model_name_or_path"]
    if base is None:
        yield "pretrained_model_name_or_path: missing; there is no base to train on"
    elif keys["v2"]:
        yield "v2=true: a base of Stable Diffusion 2; only SDXL is trained here"
    elif keys["sdxl"] is False or SD1.search(re.split(r"[/\\]", base)[-1]):
        yield (
            f"pretrained_model_name_or_path={base}: a base of Stable Diffusion 1; "
            "only SDXL is trained here"
        )
    for name, marks in OTHER_BASES.items():
        if found := [mark for mark in marks if config.arguments.get(mark)]:
            yield f"{', '.join(found)}: keys of a training of {name}; only SDXL is trained here"
            return


def _notes(keys: Keys, subsets: list[Keys], to: Translation) -> None:
    tables = [keys, *subsets]
    unknown = dict.fromkeys(line for table in tables for line in table.unknown)
    to.note_all(Note.idle, (f"{line}: sd-scripts knows no such key" for line in unknown))
    reasons: dict[str, list[str]] = {}
    for key, reason in NEUTRAL.items():
        if any(key in table.table for table in tables):
            reasons.setdefault(reason, []).append(key)
    for key, (off, reason) in MISSING.items():
        values = [table.table[key] for table in tables if key in table.table]
        if wrong := [value for value in values if value not in off]:
            to.note(Note.missing, f"{shown(key, wrong[0])}: {reason}")
    to.note_all(Note.neutral, (f"{', '.join(names)}: {why}" for why, names in reasons.items()))
    if keys.has("clip_skip"):
        to.note(Note.idle, f"clip_skip={keys['clip_skip']}: sd-scripts ignores it for SDXL")
    to.note_all(Note.differs, DIFFERENCES)
    if to.values["dataset.buckets"]:
        to.note(
            Note.differs, "Pictures are cut to SDXL's 41 shapes; sd-scripts makes its own list."
        )
    if keys["mixed_precision"] != "no":
        to.note(Note.differs, "What is trained is fp32; mixed precision is the base's alone.")


DIFFERENCES = (
    "Noise, timesteps, order and crops are other draws: compare results, not single losses.",
    "A starts from N(0, 1/rank), not from kaiming_uniform; B from 0, as there.",
    "A picture's latent is drawn anew from the VAE's posterior at each step; sd-scripts keeps one.",
)
