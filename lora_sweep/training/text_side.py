"""What of the text side a trial trains: new tokens, LoRA on the encoders, or all their weights."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from torch import nn

from lora_sweep.config.settings import Pivotal, Settings, TeFull, TeLora
from lora_sweep.model.adapters import Adapter, add_text_lora, remove_lora
from lora_sweep.model.base import Base
from lora_sweep.model.tokens import NewTokens, add_new_tokens, remove_new_tokens


def put_text_side(
    base: Base, settings: Settings, adapters: list[Adapter], undo: list[Callable[[], None]]
) -> tuple[NewTokens | None, dict[str, nn.Parameter]]:
    """What of the text side is trained, by te_mode; adapters are added to the list."""
    base.bring(*base.text_encoders)  # an earlier trial may have parked them
    match settings.te_mode:
        case Pivotal(num_new_tokens=count):
            tokenizers = base.tokenizers
            abstractions = settings.dataset.abstractions
            tokens = add_new_tokens(base, abstractions, count, settings.seed)
            undo.append(lambda: remove_new_tokens(base, tokens, tokenizers))
            return tokens, {f"rows.{i}": rows for i, rows in enumerate(tokens.rows)}
        case TeLora():
            pair = add_text_lora(base, settings.lora, settings.seed)
            undo.extend([lambda: remove_lora(pair[0]), lambda: remove_lora(pair[1])])
            adapters.extend(pair)
            _train_encoders(base, undo)
            return None, {
                f"{adapter.name}.{path}": parameter
                for adapter in pair
                for path, parameter in adapter.parameters().items()
                if not _unused(base, adapter.name, path)
            }
        case TeFull():
            originals = base.text_encoders
            base.text_encoder = copy.deepcopy(originals[0]).float()
            base.text_encoder_2 = copy.deepcopy(originals[1]).float()
            base.park(*originals)
            undo.append(lambda: _put_back(base, originals))
            _train_encoders(base, undo)
            return None, {
                f"{name}.{path}": parameter
                for name, encoder in zip(
                    ("text_encoder", "text_encoder_2"), base.text_encoders, strict=True
                )
                for path, parameter in encoder.named_parameters()
                if not _unused(base, name, path)
            }
        case _:
            return None, {}


def _unused(base: Base, encoder: str, path: str) -> bool:
    """Whether a parameter comes after the layer that is read, so that it never has a gradient.

    Only in the first encoder: the second's pooled vector needs all of it.
    """
    if encoder != "text_encoder":
        return False
    if "final_layer_norm" in path:
        return True
    used = base.text_encoder.config.num_hidden_layers - 1 - base.clip_skip
    return any(f"layers.{i}." in path for i in range(used, used + 1 + base.clip_skip))


def _train_encoders(base: Base, undo: list[Callable[[], None]]) -> None:
    encoders = base.text_encoders
    for encoder in encoders:
        encoder.train()

    def stop() -> None:
        for encoder in encoders:
            encoder.eval()

    undo.append(stop)


def _put_back(base: Base, originals: tuple[Any, Any]) -> None:
    base.text_encoder, base.text_encoder_2 = originals
