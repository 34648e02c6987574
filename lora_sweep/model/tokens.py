"""Pivotal tuning's new tokens: rows beside the frozen embedding table, the only text parameters
trained.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPTokenizer

from lora_sweep.draws import normal
from lora_sweep.errors import ModelError
from lora_sweep.model.base import Base
from lora_sweep.randomness import Stream


class ExtendedEmbedding(nn.Module):
    """A frozen token table with new trainable rows after its end.

    The script makes the whole table a parameter and puts the old rows back after each step (lines
    996-1021); here only the new rows exist for the optimizer.
    """

    def __init__(self, table: nn.Embedding, rows_ND: Tensor) -> None:
        super().__init__()
        self.table = table
        self.rows = nn.Parameter(rows_ND)

    def forward(self, ids_BL: Tensor) -> Tensor:
        """Embeddings (B, L, D) in the table's dtype; ids past the table's end are new rows."""
        count = self.table.num_embeddings
        known = self.table(ids_BL.clamp(max=count - 1))
        new = F.embedding((ids_BL - count).clamp(min=0), self.rows).to(known.dtype)
        return torch.where((ids_BL >= count).unsqueeze(-1), new, known)


@dataclass(frozen=True)
class NewTokens:
    """The new tokens of a trial, their rows in both encoders, and what each abstraction becomes."""

    names: tuple[str, ...]  # ("<s0>", "<s1>"), in the order of the rows
    replacements: Mapping[str, str]  # {"TOK": "<s0><s1>"}
    embeddings: tuple[ExtendedEmbedding, ExtendedEmbedding]
    table_stds: tuple[float, float]

    @property
    def rows(self) -> list[nn.Parameter]:
        """The trainable rows: (N, 768) and (N, 1280) for SDXL."""
        return [embedding.rows for embedding in self.embeddings]

    @torch.no_grad()
    def normalise(self) -> None:
        """Pull each encoder's rows towards its table's standard deviation (script lines 1014-1019).

        rows <- rows * (std_table / std_rows) ** 0.1, one scalar for all rows of an encoder.
        """
        for embedding, std in zip(self.embeddings, self.table_stds, strict=True):
            embedding.rows.mul_((std / embedding.rows.std()) ** 0.1)


def token_names(abstractions: Sequence[str], num_new_tokens: int) -> dict[str, list[str]]:
    """Abstraction i becomes <s{i*n}> ... <s{i*n+n-1}>."""
    n = num_new_tokens
    return {
        abstraction: [f"<s{i * n + k}>" for k in range(n)]
        for i, abstraction in enumerate(abstractions)
    }


def add_new_tokens(
    base: Base, abstractions: Sequence[str], num_new_tokens: int, seed: int
) -> NewTokens:
    """Put new tokens into both tokenizers and encoders of the base, until `remove_new_tokens`.

    Rows start as N(0, std of the table), drawn from the token_init stream (script lines 916-963).
    Raises ModelError when the base knows the new tokens already.
    """
    names = token_names(abstractions, num_new_tokens)
    flat = [name for tokens in names.values() for name in tokens]
    tokenizers, embeddings, stds = [], [], []
    for index, encoder in enumerate(base.text_encoders):
        table = _embeddings(encoder).token_embedding
        std = float(table.weight.float().std())
        rows = std * normal((len(flat), table.embedding_dim), seed, Stream.token_init, index)
        tokenizers.append(_with_tokens(base.tokenizers[index], flat, table.num_embeddings))
        embeddings.append(ExtendedEmbedding(table, rows.to(base.device)))
        stds.append(std)
    # Only now, so that a refusal above leaves the base as it was.
    for encoder, embedding in zip(base.text_encoders, embeddings, strict=True):
        _embeddings(encoder).token_embedding = embedding
    base.tokenizer, base.tokenizer_2 = tokenizers
    replacements = {abstraction: "".join(tokens) for abstraction, tokens in names.items()}
    return NewTokens(tuple(flat), replacements, (embeddings[0], embeddings[1]), (stds[0], stds[1]))


def remove_new_tokens(
    base: Base, tokens: NewTokens, tokenizers: tuple[CLIPTokenizer, CLIPTokenizer]
) -> None:
    """Give the base its own tables and tokenizers back."""
    for encoder, embedding in zip(base.text_encoders, tokens.embeddings, strict=True):
        _embeddings(encoder).token_embedding = embedding.table
    base.tokenizer, base.tokenizer_2 = tokenizers


def _embeddings(encoder: nn.Module) -> Any:
    """The module that holds the token table; in the second encoder it lies one level deeper."""
    return getattr(encoder, "text_model", encoder).embeddings


def _with_tokens(tokenizer: CLIPTokenizer, names: Sequence[str], first: int) -> CLIPTokenizer:
    extended = copy.deepcopy(tokenizer)
    extended.add_tokens(list(names), special_tokens=True)
    ids = extended.convert_tokens_to_ids(list(names))
    if ids != list(range(first, first + len(names))):
        raise ModelError(
            f"te_mode=pivotal adds the tokens {', '.join(names)} after the {first} rows of the "
            f"text encoder's table, but in the tokenizer of model.path their ids are {ids}; "
            "allowed: a base whose tokenizer knows none of them and has as many tokens as the "
            "table rows"
        )
    return extended
