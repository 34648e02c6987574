"""Captions to conditioning: what `StableDiffusionXLPipeline.encode_prompt` gives, for batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lora_sweep.model.base import Base


@dataclass(frozen=True)
class TextEmbedding:
    """`prompt_BLD`: penultimate states of both encoders joined; `pooled_BP`: the second's projected
    vector.
    """

    prompt_BLD: Tensor
    pooled_BP: Tensor

    def rows(self, index_B: Tensor) -> TextEmbedding:
        """The embedding of the given rows, in order, repeats allowed."""
        return TextEmbedding(self.prompt_BLD[index_B], self.pooled_BP[index_B])


def tokenise(base: Base, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Token ids (B, 77) for both encoders, with start and end of text, cut at 77.

    The script leaves start and end out unless it trains new tokens (line 1280); inference never
    does.
    """
    ids = [
        tokenizer(
            list(captions),
            padding="max_length",
            max_length=tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        ).input_ids.to(base.device)
        for tokenizer in base.tokenizers
    ]
    return ids[0], ids[1]


def encode_ids(base: Base, ids: tuple[Tensor, Tensor]) -> TextEmbedding:
    """Encode token ids, with gradient where anything of the text side is trained."""
    layer = -(base.clip_skip + 2)  # SDXL counts from the penultimate layer
    first = base.text_encoder(ids[0], output_hidden_states=True)
    second = base.text_encoder_2(ids[1], output_hidden_states=True)
    states = torch.cat([first.hidden_states[layer], second.hidden_states[layer]], dim=-1)
    return TextEmbedding(states, second.text_embeds)


def encode_captions(base: Base, captions: Sequence[str]) -> TextEmbedding:
    """Encode captions as they stand; abstractions must have been replaced before."""
    return encode_ids(base, tokenise(base, captions))


def zero_embedding(like: TextEmbedding) -> TextEmbedding:
    """SDXL's unconditional text: all zeros (force_zeros_for_empty_prompt)."""
    return TextEmbedding(torch.zeros_like(like.prompt_BLD), torch.zeros_like(like.pooled_BP))
