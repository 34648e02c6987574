"""The files that a finished trial left, put on a base again: adapter, new tokens, text encoders."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from lora_sweep.config.settings import Pivotal, TeFull, TeLora
from lora_sweep.errors import StoreError
from lora_sweep.model.adapters import Adapter, add_text_lora, add_unet_lora, remove_lora
from lora_sweep.model.base import Base
from lora_sweep.model.tokens import add_new_tokens, remove_new_tokens
from lora_sweep.results.export import DORA_KEY, PEFT_KEY
from lora_sweep.results.finished import FinishedTrial
from lora_sweep.results.kohya import with_text_model

SPELT = {"lora_A.weight": "down.weight", "lora_B.weight": "up.weight"}


@contextmanager
def weights_on(base: Base, trial: FinishedTrial) -> Iterator[Mapping[str, str]]:
    """Have the trial's weights on the base, as they were when it was done.

    Yields what each abstraction is in a prompt; empty without new tokens. Afterwards the base is as
    before. Raises StoreError where a file is missing or does not fit.
    """
    undo: list[Callable[[], None]] = []
    try:
        with torch.no_grad():
            replacements = _put_on(base, trial, undo)
        yield replacements
    finally:
        while undo:
            undo.pop()()


def _put_on(base: Base, trial: FinishedTrial, undo: list[Callable[[], None]]) -> Mapping[str, str]:
    settings, file = trial.settings, trial.folder.diffusers_weights
    tensors = _read(file)
    adapters = [add_unet_lora(base, settings.lora, settings.seed)]
    undo.append(lambda: remove_lora(adapters[0]))
    if isinstance(settings.te_mode, TeLora):
        pair = add_text_lora(base, settings.lora, settings.seed)
        undo.extend([lambda: remove_lora(pair[0]), lambda: remove_lora(pair[1])])
        adapters.extend(pair)
    for adapter in adapters:
        _fill(adapter, tensors, file)
        adapter.module.eval()
    match settings.te_mode:
        case Pivotal(num_new_tokens=count):
            tokenizers, abstractions = base.tokenizers, settings.dataset.abstractions
            tokens = add_new_tokens(base, abstractions, count, settings.seed)
            undo.append(lambda: remove_new_tokens(base, tokens, tokenizers))
            file = trial.folder.embeddings(settings.results.name)
            rows = _read(file)
            for parameter, key in zip(tokens.rows, ("clip_l", "clip_g"), strict=True):
                parameter.copy_(_fitting(rows, key, parameter.shape, file))
            return tokens.replacements
        case TeFull():
            originals = base.text_encoders
            undo.append(lambda: _put_back(base, originals))
            base.text_encoder = _filled(originals[0], trial.folder.text_encoder)
            base.text_encoder_2 = _filled(originals[1], trial.folder.text_encoder_2)
        case _:
            pass
    return {}


def _put_back(base: Base, originals: tuple[Any, Any]) -> None:
    base.text_encoder, base.text_encoder_2 = originals


def _read(file: Path) -> dict[str, Tensor]:
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise StoreError(
            f"{file} cannot be read: {error}; remove the trial's trial.json and run its command "
            "again to make it anew"
        ) from error


def _fill(adapter: Adapter, tensors: Mapping[str, Tensor], file: Path) -> None:
    """Load an adapter from the file that diffusers reads; the inverse of export.to_diffusers."""
    state = adapter.state_dict()
    adapter.load(
        {
            key: _fitting(tensors, _diffusers_key(adapter.name, key), value.shape, file)
            for key, value in state.items()
        }
    )


def _diffusers_key(part: str, peft_key: str) -> str:
    match = PEFT_KEY.fullmatch(peft_key)
    if match is None:
        raise ValueError(f"{peft_key} is not a LoRA key of PEFT")
    unet = part == "unet"
    module = f"{part}.{match['module'] if unet else with_text_model(match['module'])}"
    if match["part"] not in SPELT:
        return f"{module}.{DORA_KEY[part]}"
    return f"{module}.{'lora' if unet else 'lora_linear_layer'}.{SPELT[match['part']]}"


def _filled(encoder: Any, file: Path) -> Any:
    """A copy of a text encoder with all its weights from a file."""
    tensors, filled = _read(file), copy.deepcopy(encoder)
    for key, value in filled.state_dict().items():
        value.copy_(_fitting(tensors, with_text_model(key), value.shape, file))
    return filled


def _fitting(tensors: Mapping[str, Tensor], key: str, shape: torch.Size, file: Path) -> Tensor:
    """The tensor of that name; raises StoreError unless it is there and has the shape."""
    found = tensors.get(key)
    if found is None or found.shape != shape:
        what = "is missing" if found is None else f"has the shape {tuple(found.shape)}"
        raise StoreError(
            f"{file} does not fit the settings beside it: {key} {what}, {tuple(shape)} is expected"
        )
    return found
