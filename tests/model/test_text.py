"""Text conditioning, against StableDiffusionXLPipeline with the same live modules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import (
    StableDiffusionXLPipeline,
)

from lora_sweep.config.settings import Model, Pooling
from lora_sweep.model.base import Base, load_base
from lora_sweep.model.text import TextEmbedding, encode_captions, tokenise, zero_embedding
from lora_sweep.model.tokens import add_new_tokens, remove_new_tokens

CAPTIONS = [
    "a dog",
    "",
    "a red circle beside a house, under the moon",
    "a dog " * 60,
]


def pipeline_of(base: Base) -> StableDiffusionXLPipeline:
    return StableDiffusionXLPipeline(
        vae=base.vae,
        text_encoder=base.text_encoder,
        text_encoder_2=base.text_encoder_2,
        tokenizer=base.tokenizer,
        tokenizer_2=base.tokenizer_2,
        unet=base.unet,
        scheduler=base.scheduler,  # type: ignore[arg-type]
        add_watermarker=False,
    )


@torch.no_grad()
def by_pipeline(base: Base, captions: list[str], clip_skip: int | None) -> TextEmbedding:
    prompt, _, pooled, _ = pipeline_of(base).encode_prompt(
        captions,  # type: ignore[arg-type]  # a list is allowed
        device=base.device,
        num_images_per_prompt=1,
        do_classifier_free_guidance=False,
        clip_skip=clip_skip,
    )
    return TextEmbedding(prompt, pooled)


@pytest.fixture
def with_tokens(base: Base) -> Iterator[Base]:
    tokenizers = base.tokenizers
    tokens = add_new_tokens(base, ["TOK"], 2, seed=0)
    yield base
    remove_new_tokens(base, tokens, tokenizers)


@pytest.fixture(scope="module")
def eos_base() -> Base:
    return load_base(Model(pooling=Pooling.eos), torch.device("cpu"))


@pytest.mark.parametrize("clip_skip", [0, 1, 2])
def test_captions_are_encoded_as_by_the_pipeline(base: Base, clip_skip: int) -> None:
    with torch.no_grad():
        ours = encode_captions(replace(base, clip_skip=clip_skip), CAPTIONS)
    theirs = by_pipeline(base, CAPTIONS, clip_skip)
    assert torch.equal(ours.prompt_BLD, theirs.prompt_BLD)
    assert torch.equal(ours.pooled_BP, theirs.pooled_BP)
    assert ours.prompt_BLD.shape == (4, 77, 64 + 96) and ours.pooled_BP.shape == (4, 96)


def test_no_clip_skip_is_the_pipelines_default(base: Base) -> None:
    with torch.no_grad():
        ours = encode_captions(base, CAPTIONS)
    assert torch.equal(ours.prompt_BLD, by_pipeline(base, CAPTIONS, None).prompt_BLD)


@pytest.mark.parametrize("clip_skip", [0, 1])
def test_new_tokens_are_encoded_as_by_the_pipeline(with_tokens: Base, clip_skip: int) -> None:
    captions = ["a <s0><s1> icon of a dog", "a dog"]
    with torch.no_grad():
        ours = encode_captions(replace(with_tokens, clip_skip=clip_skip), captions)
    theirs = by_pipeline(with_tokens, captions, clip_skip)
    assert torch.equal(ours.prompt_BLD, theirs.prompt_BLD)
    assert torch.equal(ours.pooled_BP, theirs.pooled_BP)
    assert not torch.equal(ours.prompt_BLD[0], ours.prompt_BLD[1])


def test_ids_begin_and_end_with_the_marks_of_text_and_are_cut_at_77(base: Base) -> None:
    for ids, tokenizer in zip(tokenise(base, CAPTIONS), base.tokenizers, strict=True):
        assert ids.shape == (4, 77)
        assert all(first == tokenizer.bos_token_id for first in ids[:, 0].tolist())
        assert ids[1, 1] == tokenizer.eos_token_id
        assert ids[3, -1] == tokenizer.eos_token_id, "cut text still ends"


def test_a_caption_is_encoded_the_same_in_any_company(base: Base) -> None:
    with torch.no_grad():
        together = encode_captions(base, CAPTIONS)
        for index, caption in enumerate(CAPTIONS):
            alone = encode_captions(base, [caption])
            torch.testing.assert_close(alone.prompt_BLD[0], together.prompt_BLD[index])
            torch.testing.assert_close(alone.pooled_BP[0], together.pooled_BP[index])


def test_the_unconditional_text_is_all_zeros(base: Base) -> None:
    with torch.no_grad():
        zero = zero_embedding(encode_captions(base, CAPTIONS))
    assert zero.prompt_BLD.shape == (4, 77, 160) and not zero.prompt_BLD.any()
    assert zero.pooled_BP.shape == (4, 96) and not zero.pooled_BP.any()


def test_rows_may_be_picked_in_any_order_and_repeated(base: Base) -> None:
    with torch.no_grad():
        text = encode_captions(base, CAPTIONS)
    picked = text.rows(torch.tensor([2, 0, 2]))
    assert torch.equal(picked.prompt_BLD[2], text.prompt_BLD[2])
    assert torch.equal(picked.pooled_BP[1], text.pooled_BP[0])


@torch.no_grad()
def pooled_at(base: Base, caption: str, position: int) -> torch.Tensor:
    """The second encoder's projected last state at a position, by hand."""
    encoder = base.text_encoder_2
    last = encoder.text_model(tokenise(base, [caption])[1]).last_hidden_state
    return encoder.text_projection(last[:, position])


TWO = ["a <s0><s1> icon of a dog", "a <s0><s1> icon of the red circle"]


def test_as_diffusers_pools_text_after_the_trigger_does_not_reach_the_pooled_vector(
    with_tokens: Base,
) -> None:
    with torch.no_grad():
        text = encode_captions(with_tokens, TWO)
    assert torch.equal(text.pooled_BP[0], text.pooled_BP[1])
    assert not torch.equal(text.prompt_BLD[0], text.prompt_BLD[1])
    ids = tokenise(with_tokens, TWO[:1])[1][0]
    highest = int(ids.argmax())
    assert with_tokens.tokenizer_2.convert_ids_to_tokens(int(ids[highest])) == "<s1>"
    torch.testing.assert_close(text.pooled_BP[:1], pooled_at(with_tokens, TWO[0], highest))


def test_at_the_true_end_text_after_the_trigger_reaches_the_pooled_vector(eos_base: Base) -> None:
    tokenizers = eos_base.tokenizers
    tokens = add_new_tokens(eos_base, ["TOK"], 2, seed=0)
    try:
        with torch.no_grad():
            text = encode_captions(eos_base, TWO)
        assert not torch.equal(text.pooled_BP[0], text.pooled_BP[1])
        ids = tokenise(eos_base, TWO[:1])[1][0]
        end = ids.tolist().index(eos_base.tokenizer_2.eos_token_id)
        torch.testing.assert_close(text.pooled_BP[:1], pooled_at(eos_base, TWO[0], end))
    finally:
        remove_new_tokens(eos_base, tokens, tokenizers)


def test_without_new_tokens_both_ways_of_pooling_agree(base: Base, eos_base: Base) -> None:
    with torch.no_grad():
        one, other = (encode_captions(each, CAPTIONS) for each in (base, eos_base))
    assert torch.equal(one.pooled_BP, other.pooled_BP)
    assert torch.equal(one.prompt_BLD, other.prompt_BLD)
