"""Which training command a text holds: the launcher before the script, the words after it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from lora_sweep.errors import SettingsError
from lora_sweep.translate.diffusers.flags import SCRIPT
from lora_sweep.translate.diffusers.shell import read_text

OTHER_SCRIPTS = {
    "train_dreambooth_lora_sdxl.py": "diffusers' plain SDXL DreamBooth LoRA script",
    "train_dreambooth_lora.py": "diffusers' DreamBooth LoRA script for Stable Diffusion 1 and 2",
    "train_dreambooth.py": "diffusers' DreamBooth script, which trains no LoRA",
    "train_dreambooth_lora_sd15_advanced.py": "the advanced script for Stable Diffusion 1.5",
    "train_dreambooth_lora_flux_advanced.py": "the advanced script for Flux",
    "train_dreambooth_lora_flux.py": "diffusers' DreamBooth LoRA script for Flux",
    "train_dreambooth_lora_sd3.py": "diffusers' DreamBooth LoRA script for Stable Diffusion 3",
    "train_text_to_image_lora_sdxl.py": "diffusers' text-to-image LoRA script for SDXL",
    "train_text_to_image_lora.py": "diffusers' text-to-image LoRA script",
    "train_text_to_image_sdxl.py": "diffusers' text-to-image script, which trains no LoRA",
    "textual_inversion_sdxl.py": "diffusers' textual inversion script",
    "sdxl_train_network.py": "kohya's sd-scripts; scripts/from_kohya.py reads its TOML files",
    "train_network.py": "kohya's sd-scripts for Stable Diffusion 1 and 2",
    "flux_train_network.py": "kohya's sd-scripts for Flux",
    "sdxl_train.py": "kohya's sd-scripts, whole-model training of SDXL",
}
LAUNCHERS = re.compile(
    r"(accelerate|accelerate-launch|torchrun|deepspeed|python[0-9.]*|py|uv|poetry)"
)
LAUNCHER_FLAGS = ("mixed_precision", "num_processes", "nproc_per_node", "num_machines", "multi_gpu")


@dataclass
class Call:
    """One call of the script: what the launcher was told, the words after the script's name."""

    words: list[str]
    launcher: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def read_call(text: str, environment: Mapping[str, str]) -> Call:
    """Find the script's call in a pasted text. Raises SettingsError where there is none, or two."""
    read = read_text(text, environment)
    if read.problems:
        raise SettingsError(read.problems)
    calls = [(words, _script_at(words)) for words in read.statements]
    found = [(words, at) for words, at in calls if at is not None]
    if len(found) > 1:
        names = ", ".join(_name(words, at) for words, at in found)
        raise SettingsError([f"{len(found)} training commands ({names}); give one at a time"])
    if not found:
        raise SettingsError([_no_command(read.statements)])
    words, at = found[0]
    if (name := _name(words, at)) != SCRIPT and at >= 0:
        raise SettingsError([_other_script(name)])
    others = [words[0] for words, at in calls if at is None]
    if others:
        read.remarks.append(f"other commands were passed over: {', '.join(dict.fromkeys(others))}")
    return Call(words[at + 1 :], _launcher(words[: max(at, 0)]), read.remarks)


def _script_at(words: Sequence[str]) -> int | None:
    """Position of the script's name; -1 where the words begin with flags, None where no script."""
    if re.match("--|[\u2013\u2014]", words[0]):
        return -1
    scripts = [at for at, word in enumerate(words) if word.endswith(".py") and "=" not in word]
    launched = LAUNCHERS.fullmatch(_basename(words[0])) is not None
    return scripts[0] if scripts and (launched or scripts[0] == 0) else None


def _name(words: Sequence[str], at: int) -> str:
    return _basename(words[at]) if at >= 0 else "flags without a script"


def _basename(path: str) -> str:
    return re.split(r"[/\\]", path)[-1]


def _other_script(name: str) -> str:
    close = get_close_matches(name, [SCRIPT, *OTHER_SCRIPTS], n=1, cutoff=0.9)
    what = OTHER_SCRIPTS.get(name)
    if what is None and close and close[0] in OTHER_SCRIPTS:
        what = f"perhaps {OTHER_SCRIPTS[close[0]]} under another name"
    elif what is None and close:
        what = f"perhaps a copy of the script; call it {SCRIPT} if it has the same flags"
    said = f"this seems to be {what}" if what else "which is not known here"
    return f"{name}: {said}; only {SCRIPT} of diffusers is translated"


def _no_command(statements: Sequence[Sequence[str]]) -> str:
    first = [words[0] for words in statements]
    if not first:
        return f"there is no command; give accelerate launch {SCRIPT} --… in quotes, or on stdin"
    for words in statements:
        if "lora_sweep" in words:
            return "this is a command of lora_sweep already"
        module = words[words.index("-m") + 1] if "-m" in words[:-1] else ""
        if module.endswith(SCRIPT.removesuffix(".py")):
            return f"python -m {module}: write the script's file name, {SCRIPT}, in its place"
    return f"{', '.join(dict.fromkeys(first))}: no training command; it calls {SCRIPT}"


def _launcher(words: Sequence[str]) -> dict[str, str]:
    """What accelerate or torchrun was told and matters: precision and the number of processes."""
    told: dict[str, str] = {}
    for at, word in enumerate(words):
        name, equals, value = word.removeprefix("--").partition("=")
        name = name.replace("-", "_")
        if word.startswith("--") and name in LAUNCHER_FLAGS:
            following = words[at + 1] if at + 1 < len(words) else ""
            told[name] = value if equals else "" if following.startswith("--") else following
    return told
