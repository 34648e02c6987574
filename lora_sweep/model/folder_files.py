"""Which files of a diffusers folder of an SDXL are read, and which of them are missing. No torch.

Works on lists of names, so that a repository can be looked at before anything is downloaded.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

SDXL_FOLDER = Path(__file__).parent / "sdxl"
"""SDXL's own configs, for bases that bring none."""

WEIGHTS = {
    "unet": "diffusion_pytorch_model",
    "vae": "diffusion_pytorch_model",
    "text_encoder": "model",
    "text_encoder_2": "model",
}
"""Parts with weights, and how the names of their files begin."""

TOKENIZERS = ("tokenizer", "tokenizer_2")
SCHEDULER = "scheduler/scheduler_config.json"
INDEX = "model_index.json"

# model.safetensors, model.fp16.safetensors, model.fp16-00001-of-00002.safetensors, and the old
# model-00001-of-00002.fp16.safetensors
_WEIGHTS_NAME = re.compile(
    r"(?P<stem>\w+?)(?P<one>\.\w+)?(?:-\d{5}-of-(?P<count>\d{5}))?(?P<other>\.\w+)?\.safetensors"
)


def parts_without(vae: str | None) -> tuple[str, ...]:
    """Parts whose weights are read: the VAE's only where no other takes its place."""
    return tuple(part for part in WEIGHTS if part != "vae" or vae is None)


def read_files(names: Collection[str], variant: str | None, parts: Sequence[str]) -> list[str]:
    """Of a folder's files those that loading these parts reads.

    A part that has no weights of the variant is read without one, as diffusers does.
    """
    chosen = [name for name in (INDEX, SCHEDULER) if name in names]
    chosen += _inside(names, TOKENIZERS, (".json", ".txt"))
    for part in parts:
        chosen += _inside(names, [part], (".json",))
        chosen += weight_files(names, part, variant) or weight_files(names, part, None)
    return sorted(set(chosen))


def missing_files(names: Collection[str], variant: str | None, parts: Sequence[str]) -> list[str]:
    """What is not there of what loading these parts reads."""
    missing = [name for name in (INDEX, SCHEDULER) if name not in names]
    for part in parts:
        if f"{part}/config.json" not in names:
            missing.append(f"{part}/config.json")
        weights = weight_files(names, part, variant) or weight_files(names, part, None)
        if not _complete(weights):
            mark = f".{variant}" if variant else ""
            missing.append(f"{part}/{WEIGHTS[part]}{mark}.safetensors")
    for part in TOKENIZERS:
        both = {f"{part}/vocab.json", f"{part}/merges.txt"} <= set(names)
        if f"{part}/tokenizer.json" not in names and not both:
            missing.append(f"{part}/vocab.json and {part}/merges.txt")
    return missing


def weight_files(names: Collection[str], part: str, variant: str | None) -> list[str]:
    """A part's weights in one variant: one file, or all of those that it is cut into."""
    found: list[str] = []
    for name in sorted(names):
        folder, _, file = name.rpartition("/")
        match = _WEIGHTS_NAME.fullmatch(file) if folder == part else None
        if match is None or match["stem"] != WEIGHTS[part]:
            continue
        mark = match["one"] or match["other"]
        if (mark.removeprefix(".") if mark else None) == variant:
            found.append(name)
    return found


def variants(names: Collection[str], part: str) -> list[str]:
    """The variants that a part's weights come in; "none" for those without a mark."""
    found: set[str] = set()
    for name in names:
        folder, _, file = name.rpartition("/")
        match = _WEIGHTS_NAME.fullmatch(file) if folder == part else None
        if match is not None and match["stem"] == WEIGHTS[part]:
            found.add((match["one"] or match["other"] or ".none").removeprefix("."))
    return sorted(found)


def files_of(folder: Path) -> set[str]:
    """Names of the files of a folder and its parts, with `/` between."""
    found = [*folder.glob("*"), *folder.glob("*/*")]
    return {path.relative_to(folder).as_posix() for path in found if path.is_file()}


def _inside(names: Collection[str], folders: Sequence[str], endings: tuple[str, ...]) -> list[str]:
    return [n for n in names if n.rpartition("/")[0] in folders and n.endswith(endings)]


def _complete(weights: Sequence[str]) -> bool:
    if not weights:
        return False
    counts = [_WEIGHTS_NAME.fullmatch(name.rpartition("/")[2]) for name in weights]
    counted = [int(match["count"]) for match in counts if match is not None and match["count"]]
    return not counted or len(counted) == counted[0]
