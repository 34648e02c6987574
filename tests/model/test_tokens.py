"""New tokens: their rows, ids, gradients, and the memory that they do not need."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from lora_sweep.config.settings import Prodigy
from lora_sweep.errors import ModelError
from lora_sweep.model.base import Base
from lora_sweep.model.text import encode_captions, tokenise
from lora_sweep.model.tokens import (
    ExtendedEmbedding,
    NewTokens,
    add_new_tokens,
    remove_new_tokens,
    token_names,
)
from lora_sweep.training.flat import FlatGroup
from lora_sweep.training.prodigy import FlatProdigy


@pytest.fixture
def tokens(base: Base) -> Iterator[NewTokens]:
    tokenizers = base.tokenizers
    tokens = add_new_tokens(base, ["TOK", "KOT"], 3, seed=0)
    yield tokens
    remove_new_tokens(base, tokens, tokenizers)


def table_of(encoder: nn.Module) -> nn.Module:
    return getattr(encoder, "text_model", encoder).embeddings.token_embedding  # type: ignore[no-any-return]


def test_every_abstraction_becomes_tokens_that_are_numbered_on() -> None:
    assert token_names(["TOK", "KOT"], 2) == {"TOK": ["<s0>", "<s1>"], "KOT": ["<s2>", "<s3>"]}


def test_ids_continue_the_vocabulary_of_both_tokenizers(base: Base, tokens: NewTokens) -> None:
    assert tokens.replacements == {"TOK": "<s0><s1><s2>", "KOT": "<s3><s4><s5>"}
    for ids, tokenizer in zip(
        tokenise(base, ["a <s0><s1><s2> <s5>"]), base.tokenizers, strict=True
    ):
        count = len(tokenizer) - 6
        assert [i for i in ids[0].tolist() if i >= count] == [
            count,
            count + 1,
            count + 2,
            count + 5,
        ]


def test_only_the_new_rows_are_parameters(base: Base, tokens: NewTokens) -> None:
    trainable = [
        name
        for encoder in base.text_encoders
        for name, p in encoder.named_parameters()
        if p.requires_grad
    ]
    assert [name.rpartition("embeddings.")[2] for name in trainable] == ["token_embedding.rows"] * 2
    assert [tuple(rows.shape) for rows in tokens.rows] == [(6, 64), (6, 96)]
    encode_captions(base, ["a <s0><s1> dog"]).prompt_BLD.square().sum().backward()
    for rows, encoder in zip(tokens.rows, base.text_encoders, strict=True):
        assert rows.grad is not None and rows.grad[:2].any() and not rows.grad[2:].any()
        assert all(p.grad is None for p in encoder.parameters() if p is not rows)
        rows.grad = None


def test_rows_start_with_the_deviation_of_the_table(base: Base) -> None:
    tokenizers = base.tokenizers
    tokens = add_new_tokens(base, ["TOK"], 200, seed=3)
    remove_new_tokens(base, tokens, tokenizers)
    for rows, encoder in zip(tokens.rows, base.text_encoders, strict=True):
        scaled = rows.detach() / base_table(encoder).weight.std()
        n = scaled.numel()
        assert abs(float(scaled.mean())) < 4 / math.sqrt(n), "four standard errors"
        assert abs(float(scaled.var()) - 1) < 4 * math.sqrt(2 / n), "four standard errors"


def base_table(encoder: nn.Module) -> nn.Embedding:
    table = table_of(encoder)
    assert isinstance(table, nn.Embedding)
    return table


def test_rows_are_a_function_of_seed_and_encoder(base: Base) -> None:
    def draw(seed: int) -> list[torch.Tensor]:
        tokenizers = base.tokenizers
        tokens = add_new_tokens(base, ["TOK"], 2, seed)
        remove_new_tokens(base, tokens, tokenizers)
        return [rows.detach().clone() for rows in tokens.rows]

    first = draw(0)
    torch.manual_seed(123)
    assert all(torch.equal(a, b) for a, b in zip(first, draw(0), strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first, draw(1), strict=True))
    assert not torch.equal(first[0].flatten()[:64], first[1].flatten()[:64])


def test_old_ids_give_the_rows_of_the_table_and_new_ids_the_new_rows() -> None:
    table = nn.Embedding(10, 4).requires_grad_(False)
    rows = torch.randn(2, 4)
    embedding = ExtendedEmbedding(table, rows)
    ids = torch.tensor([[0, 9, 10], [11, 10, 3]])
    whole = torch.cat([table.weight, rows])
    assert torch.equal(embedding(ids), whole[ids])


def test_gradients_are_those_of_the_new_rows_of_a_whole_trainable_table(
    base: Base, tokens: NewTokens
) -> None:
    """The oracle is what the script does: one plain table, extended, all of it trainable."""
    captions = ["a <s0><s1><s2> dog", "a <s3><s4><s5> beside <s0><s1><s2>", "a dog"]
    weight = torch.randn(3, 77, 160, generator=torch.Generator().manual_seed(0))

    def loss() -> torch.Tensor:
        text = encode_captions(base, captions)
        return (text.prompt_BLD * weight).sum() + text.pooled_BP.square().sum()

    loss().backward()
    ours = [rows.grad.clone() for rows in tokens.rows if rows.grad is not None]
    wholes = []
    for encoder, embedding in zip(base.text_encoders, tokens.embeddings, strict=True):
        values = torch.cat([embedding.table.weight.detach(), embedding.rows.detach()])
        wholes.append(nn.Embedding.from_pretrained(values, freeze=False))
        holder: Any = getattr(encoder, "text_model", encoder)
        holder.embeddings.token_embedding = wholes[-1]
    loss().backward()
    for grad, whole, embedding in zip(ours, wholes, tokens.embeddings, strict=True):
        count = embedding.table.num_embeddings
        torch.testing.assert_close(grad, whole.weight.grad[count:], rtol=1e-6, atol=1e-6)
        assert whole.weight.grad[:count].any(), "the table's own rows had gradients, too"


def test_16_bit_tables_are_extended_by_fp32_rows() -> None:
    table = nn.Embedding(10, 4).requires_grad_(False).bfloat16()
    embedding = ExtendedEmbedding(table, torch.randn(2, 4))
    found = embedding(torch.tensor([[10, 1]]))
    assert found.dtype == torch.bfloat16 and embedding.rows.dtype == torch.float32
    found.float().sum().backward()
    assert embedding.rows.grad is not None and embedding.rows.grad.tolist() == [
        [1.0] * 4,
        [0.0] * 4,
    ]


def test_normalising_multiplies_by_a_tenth_power_of_the_ratio_of_deviations(
    tokens: NewTokens,
) -> None:
    # Line 1018 of the script, one scalar for all new rows of an encoder.
    with torch.no_grad():
        tokens.rows[0].mul_(3)
    before = [rows.detach().clone() for rows in tokens.rows]
    tokens.normalise()
    for rows, old, std in zip(tokens.rows, before, tokens.table_stds, strict=True):
        expected = old * (std / old.std()) ** 0.1
        torch.testing.assert_close(rows.detach(), expected, rtol=1e-6, atol=0)


def test_repeated_normalising_pulls_the_deviation_to_the_tables(tokens: NewTokens) -> None:
    with torch.no_grad():
        tokens.rows[0].mul_(5)
        tokens.rows[1].mul_(0.2)
    for _ in range(100):
        tokens.normalise()
    for rows, std in zip(tokens.rows, tokens.table_stds, strict=True):
        assert float(rows.detach().std()) == pytest.approx(std, rel=1e-3)


def test_afterwards_tables_and_tokenizers_are_the_bases_own(base: Base) -> None:
    tokenizers, tables = base.tokenizers, [table_of(e) for e in base.text_encoders]
    tokens = add_new_tokens(base, ["TOK"], 2, seed=0)
    assert len(base.tokenizer) == len(tokenizers[0]) + 2, "the base's tokenizer itself is untouched"
    remove_new_tokens(base, tokens, tokenizers)
    assert base.tokenizers == tokenizers
    assert [table_of(e) for e in base.text_encoders] == tables


def test_a_tokenizer_that_knows_a_new_token_is_refused_and_the_base_left_as_it_was(
    base: Base,
) -> None:
    tokenizers, count = base.tokenizers, len(base.tokenizer_2)
    knowing = copy.deepcopy(base.tokenizer_2)
    knowing.add_tokens(["<s1>"], special_tokens=True)
    base.tokenizer_2 = knowing
    try:
        ids = rf"\[{count + 1}, {count}\]"
        with pytest.raises(ModelError, match=rf"<s0>, <s1>.*model\.path their ids are {ids}"):
            add_new_tokens(base, ["TOK"], 2, seed=0)
        assert all(isinstance(table_of(encoder), nn.Embedding) for encoder in base.text_encoders)
        assert base.tokenizers == (tokenizers[0], knowing)
    finally:
        base.tokenizer, base.tokenizer_2 = tokenizers


def test_training_sdxls_new_rows_needs_no_state_for_its_vocabulary() -> None:
    """The script keeps 1.5 GiB of Prodigy state for these 16 KiB."""
    # One number, seen 49,408 times the width: the table itself is not what is measured.
    tables = [
        nn.Embedding(49408, w, _weight=torch.zeros(1).expand(49408, w)).requires_grad_(False)
        for w in (768, 1280)
    ]
    one, two = (ExtendedEmbedding(t, 0.02 * torch.randn(2, t.embedding_dim)) for t in tables)
    tokens = NewTokens(("<s0>", "<s1>"), {"TOK": "<s0><s1>"}, (one, two), (0.02, 0.02))
    rows = {f"rows.{i}": rows for i, rows in enumerate(tokens.rows)}
    group = FlatGroup("text", rows, 1.0, 0.0)
    prodigy = FlatProdigy([group], Prodigy())
    ids = torch.tensor([[0, 49407, 49408, 49409]])
    (one(ids).square().sum() + two(ids).square().sum()).backward()
    prodigy.step(1.0)
    held = [group.vector, group.gradient, *prodigy.tensors().values()]
    assert sum(t.numel() * t.element_size() for t in held) < 5 * 2**20
    assert all(table.weight.grad is None for table in tables)
    assert group.gradient.any()
