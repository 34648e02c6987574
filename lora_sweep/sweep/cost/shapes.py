"""How large a base and an adapter on it are, by the headers of the base's files."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from lora_sweep.config.settings import Lora, Model
from lora_sweep.nano import WEIGHTS

PARTS = ("unet", "text_encoder", "text_encoder_2", "vae")
ENCODERS = ("text_encoder", "text_encoder_2")
Shapes = Mapping[str, tuple[int, ...]]  # of a part's tensors, by their names

SDXL_HUB_NAMES = ("stabilityai/stable-diffusion-xl-base-1.0",)
SDXL_WEIGHTS = {
    "unet": 2_567_463_684,
    "text_encoder": 123_060_480,
    "text_encoder_2": 694_659_840,
    "vae": 83_653_863,
}
"""Numbers in the parts of SDXL base 1.0, by its model card and files."""


@dataclass(frozen=True)
class LoraSize:
    """A LoRA on one part of the base."""

    modules: int  # layers that get one
    per_rank: int  # numbers in both matrices, per rank
    outputs: int  # of all layers together: what DoRA adds

    def numbers(self, lora: Lora) -> int:
        """Trained numbers."""
        return self.per_rank * lora.rank + (self.outputs if lora.use_dora else 0)


SDXL_LORA = {
    "unet": LoraSize(560, 1_451_520, 691_200),
    "text_encoder": LoraSize(48, 73_728, 36_864),
    "text_encoder_2": LoraSize(128, 327_680, 163_840),
}
"""LoRA on SDXL's attention projections: to_k, to_q, to_v, to_out.0; q_, k_, v_ and out_proj."""


@dataclass(frozen=True)
class BaseShapes:
    """What is known of a base without loading it."""

    weights: Mapping[str, int]  # numbers in each part
    shapes: Mapping[str, Shapes] | None  # None: only SDXL's published numbers are known
    layers: Mapping[str, int]  # of the text encoders
    vae_factor: int
    latent_channels: int
    text_width: int  # of both encoders together
    bytes_on_disk: int | None  # None: the files are not here
    folder: Path | None = None  # of the configs; None: SDXL's own hold
    dtypes: Mapping[str, str] = field(default_factory=dict)  # in each part's files, if it is one

    @property
    def at_hand(self) -> bool:
        """Whether the base can be loaded without a download."""
        return self.bytes_on_disk is not None

    def lora(self, part: str, settings: Lora) -> LoraSize | None:
        """The LoRA that the settings put on a part; None where that cannot be known."""
        targets = settings.target_modules if part == "unet" else settings.te_target_modules
        blocks = settings.blocks if part == "unet" else None
        if self.shapes is None:
            usual = Lora()
            expected = usual.target_modules if part == "unet" else usual.te_target_modules
            is_usual = set(targets) == set(expected) and blocks is None
            return SDXL_LORA[part] if is_usual else None
        return _lora(self.shapes[part], targets, blocks)

    def used_layers(self, clip_skip: int) -> int:
        """Layers of the first encoder whose output is read: what comes after never trains."""
        return self.layers["text_encoder"] - 1 - clip_skip

    def encoder_numbers(self, part: str, clip_skip: int) -> int | None:
        """Numbers that te_mode=full trains in an encoder."""
        if self.shapes is None:
            return self.weights[part]
        unused = [f"layers.{i}." for i in range(self.used_layers(clip_skip), self.layers[part])]
        unused.append("final_layer_norm")
        return sum(
            math.prod(shape)
            for name, shape in self.shapes[part].items()
            if part != "text_encoder" or not any(word in name for word in unused)
        )

    def table_widths(self) -> tuple[int, int]:
        """Widths of the two token tables; (0, 0) where they are not known."""
        if self.shapes is None:
            return (768, 1280)
        found = [
            next(
                (s[1] for n, s in self.shapes[p].items() if n.endswith("token_embedding.weight")), 0
            )
            for p in ENCODERS
        ]
        return found[0], found[1]


SDXL = BaseShapes(
    weights=SDXL_WEIGHTS,
    shapes=None,
    layers={"text_encoder": 12, "text_encoder_2": 32},
    vae_factor=8,
    latent_channels=4,
    text_width=2048,
    bytes_on_disk=None,
)


@lru_cache(maxsize=64)
def base_shapes(model: Model) -> BaseShapes | None:
    """What is known of the base that the settings name; None where that is nothing.

    Looks at local files and at the local hub cache; nothing is downloaded.
    """
    folder = WEIGHTS if model.path == "nano" else Path(model.path).expanduser()
    try:
        if folder.is_dir():
            return _of_folder(folder)
        if folder.is_file():
            # Named as Stability AI named them: sizes are SDXL's, the adapter's names differ.
            return replace(SDXL, bytes_on_disk=folder.stat().st_size)
        if (snapshot := _hub_snapshot(model)) is not None:
            return _of_folder(snapshot)
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return None  # loading it says what is wrong
    return SDXL if model.path in SDXL_HUB_NAMES else None


def _hub_snapshot(model: Model) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    index = try_to_load_from_cache(model.path, "model_index.json", revision=model.revision)
    if not isinstance(index, str):
        return None
    folder = Path(index).parent
    complete = all(any((folder / part).glob("*.safetensors")) for part in PARTS)
    return folder if complete else None


def _of_folder(folder: Path) -> BaseShapes:
    shapes: dict[str, Shapes] = {}
    dtypes: dict[str, str] = {}
    on_disk = 0
    for part in PARTS:
        files = _weight_files(folder / part)
        headers = [_header(file) for file in files]
        on_disk += sum(file.stat().st_size for file in files)
        shapes[part] = {name: shape for each in headers for name, shape in _shapes(each).items()}
        if not shapes[part]:
            raise ValueError(f"{folder / part} has no weights")
        if (dtype := _one_dtype(headers)) is not None:
            dtypes[part] = dtype
    vae, unet = _config(folder, "vae"), _config(folder, "unet")
    return BaseShapes(
        weights={part: sum(map(math.prod, each.values())) for part, each in shapes.items()},
        shapes=shapes,
        layers={part: int(_config(folder, part)["num_hidden_layers"]) for part in ENCODERS},
        vae_factor=2 ** (len(vae["block_out_channels"]) - 1),
        latent_channels=int(vae["latent_channels"]),
        text_width=int(unet["cross_attention_dim"]),
        bytes_on_disk=on_disk,
        folder=folder,
        dtypes=dtypes,
    )


def folder_dtype(folder: Path) -> str | None:
    """The type that all weights in a folder have, as safetensors names it: "F32", "BF16"; None
    where they have several, or there are none.
    """
    return _one_dtype([_header(file) for file in _weight_files(folder)])


def _one_dtype(headers: Iterable[Mapping[str, Any]]) -> str | None:
    found = {entry["dtype"] for header in headers for entry in header.values()}
    return found.pop() if len(found) == 1 else None


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes in a safetensors file; the weights themselves are not read."""
    return _shapes(_header(path))


def _shapes(header: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(entry["shape"]) for name, entry in header.items()}


def _header(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > os.fstat(file.fileno()).st_size:
            raise ValueError(f"{path} is not a safetensors file")
        header: dict[str, Any] = json.loads(file.read(length))
    header.pop("__metadata__", None)
    return header


def _weight_files(folder: Path) -> list[Path]:
    """Repositories hold the same weights in several precisions: those without a mark, or else the
    first mark.
    """
    files = sorted(folder.glob("*.safetensors"))
    marks = {file: ".".join(file.name.split("-of-")[-1].split(".")[1:-1]) for file in files}
    chosen = min(marks.values(), default="")
    return [file for file, mark in marks.items() if mark == chosen]


def _config(folder: Path, part: str) -> dict[str, Any]:
    return json.loads((folder / part / "config.json").read_bytes())


def _lora(
    shapes: Shapes, targets: tuple[str, ...], blocks: tuple[str, ...] | None
) -> LoraSize | None:
    modules = per_rank = outputs = 0
    for name, shape in shapes.items():
        module, _, kind = name.rpartition(".")
        if kind != "weight" or len(shape) not in (2, 4):
            continue
        if not any(module == end or module.endswith(f".{end}") for end in targets):
            continue
        if blocks is not None and not any(
            module.startswith(f"{block.removeprefix('unet.')}.") for block in blocks
        ):
            continue
        modules += 1
        per_rank += math.prod(shape[1:]) + shape[0]
        outputs += shape[0]
    return LoraSize(modules, per_rank, outputs) if modules else None
