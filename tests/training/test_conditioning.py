"""The text of each batch: rows, abstractions, lookups."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lora_sweep.data.cache import Cache
from lora_sweep.model.base import Base
from lora_sweep.model.text import encode_captions
from lora_sweep.model.tokens import NewTokens, add_new_tokens, remove_new_tokens
from lora_sweep.training.conditioning import Conditioner

CAPTIONS = ("a TOK icon", "a dog", "a TOK icon", "the moon")


@contextmanager
def counted(base: Base) -> Iterator[list[int]]:
    """The number of rows of each call of an encoder."""
    rows: list[int] = []

    def count(module: torch.nn.Module, args: tuple[torch.Tensor, ...], output: object) -> None:
        rows.append(len(args[0]))

    hooks = [encoder.register_forward_hook(count) for encoder in base.text_encoders]
    try:
        yield rows
    finally:
        for hook in hooks:
            hook.remove()


@pytest.fixture
def tokens(base: Base) -> Iterator[NewTokens]:
    tokenizers = base.tokenizers
    tokens = add_new_tokens(base, ["TOK"], 2, seed=0)
    yield tokens
    remove_new_tokens(base, tokens, tokenizers)


def test_rows_are_the_captions_with_abstractions_replaced(base: Base, tokens: NewTokens) -> None:
    conditioner = Conditioner(base, CAPTIONS, tokens.replacements)
    with torch.no_grad():
        found = conditioner([3, 0, 1, 2])
        expected = encode_captions(
            base, ["the moon", "a <s0><s1> icon", "a dog", "a <s0><s1> icon"]
        )
    torch.testing.assert_close(found.prompt_BLD, expected.prompt_BLD)
    torch.testing.assert_close(found.pooled_BP, expected.pooled_BP)


def test_a_caption_that_occurs_twice_in_a_batch_is_encoded_once_and_has_both_gradients(
    base: Base, tokens: NewTokens
) -> None:
    conditioner = Conditioner(base, CAPTIONS, tokens.replacements)
    with counted(base) as rows:
        conditioner([0, 2, 0]).prompt_BLD.square().sum().backward()
    assert rows == [1, 1]
    found = [row.grad.clone() for row in tokens.rows if row.grad is not None]
    for row in tokens.rows:
        row.grad = None
    encode_captions(base, ["a <s0><s1> icon"] * 3).prompt_BLD.square().sum().backward()
    for grad, row in zip(found, tokens.rows, strict=True):
        assert row.grad is not None
        torch.testing.assert_close(grad, row.grad, rtol=1e-4, atol=1e-4 * float(grad.abs().max()))


def test_once_fixed_captions_are_looked_up(base: Base) -> None:
    conditioner = Conditioner(base, CAPTIONS, {})
    with torch.no_grad():
        before = conditioner([2, 1, 3])
    conditioner.fix()
    with counted(base) as rows:
        after = conditioner([2, 1, 3])
    assert rows == [] and not after.prompt_BLD.requires_grad
    torch.testing.assert_close(after.prompt_BLD, before.prompt_BLD)
    torch.testing.assert_close(after.pooled_BP, before.pooled_BP)


def test_a_fixed_embedding_does_not_depend_on_the_other_captions(base: Base) -> None:
    alone, together = Conditioner(base, CAPTIONS[1:2], {}), Conditioner(base, CAPTIONS, {})
    alone.fix()
    together.fix()
    assert torch.equal(alone([0]).prompt_BLD, together([1]).prompt_BLD)
    assert torch.equal(alone([0]).pooled_BP, together([1]).pooled_BP)


def test_embeddings_of_untouched_encoders_are_shared_between_trials(
    base: Base, tmp_path: Path
) -> None:
    cache, plain = Cache(tmp_path), Conditioner(base, CAPTIONS, {})
    plain.fix()
    with counted(base) as rows:
        Conditioner(base, CAPTIONS, {}).fix(cache, "this base")
        assert len(rows) == 2 * 3, "three different captions, two encoders"
        second = Conditioner(base, CAPTIONS[::-1], {})
        second.fix(cache, "this base")
        assert len(rows) == 2 * 3
        Conditioner(base, CAPTIONS, {}).fix(cache, "another base")
        assert len(rows) == 4 * 3
        other_precision = replace(base, dtype=torch.bfloat16)
        Conditioner(other_precision, CAPTIONS, {}).fix(cache, "this base")
        assert len(rows) == 6 * 3
    assert torch.equal(second([0, 1]).prompt_BLD, plain([3, 2]).prompt_BLD)


def test_embeddings_of_a_trained_text_side_are_kept_together_and_for_that_state_alone(
    base: Base, tokens: NewTokens, tmp_path: Path
) -> None:
    cache = Cache(tmp_path)

    def fixed(state: str) -> Conditioner:
        conditioner = Conditioner(base, CAPTIONS, tokens.replacements)
        conditioner.fix(cache, "this base", state)
        return conditioner

    with counted(base) as rows:
        first = fixed("a state")
        assert rows == [1] * 2 * 3, "three different captions, two encoders, one by one"
        second = fixed("a state")
        assert len(rows) == 2 * 3
        fixed("another state")
        assert len(rows) == 4 * 3
    assert len(list(tmp_path.rglob("*.safetensors"))) == 2
    assert torch.equal(first([3, 0]).prompt_BLD, second([3, 0]).prompt_BLD)
    assert torch.equal(first([3, 0]).pooled_BP, second([3, 0]).pooled_BP)
