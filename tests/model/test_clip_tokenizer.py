"""CLIP's vocabulary, rebuilt from the packaged merges: the very bytes of SDXL's own files."""

from __future__ import annotations

import hashlib
import json

from lora_sweep.data.clip_words import merges_file, vocabulary
from lora_sweep.model.clip_tokenizer import sdxl_tokenizers

# Of stabilityai/stable-diffusion-xl-base-1.0, tokenizer/merges.txt and tokenizer/vocab.json.
MERGES = "9fd691f7c8039210e0fced15865466c65820d09b63988b0174bfe25de299051a"
VOCABULARY = "e089ad92ba36837a0d31433e555c8f45fe601ab5c221d4f607ded32d9f7a4349"


def test_merges_and_vocabulary_are_sdxls_byte_by_byte() -> None:
    assert hashlib.sha256(merges_file()).hexdigest() == MERGES
    text = json.dumps(vocabulary(), sort_keys=True, indent=2, ensure_ascii=False) + "\n"
    assert hashlib.sha256(text.encode()).hexdigest() == VOCABULARY


def test_both_tokenizers_cut_at_77_and_fill_up_as_sdxls_do() -> None:
    first, second = sdxl_tokenizers()
    cat = [49406, 320, 1125, 539, 320, 2368, 49407]
    for tokenizer, filling in ((first, 49407), (second, 0)):
        assert len(tokenizer) == 49408
        assert (tokenizer.bos_token_id, tokenizer.eos_token_id) == (49406, 49407)
        ids = tokenizer("A photo of a CAT", padding="max_length", max_length=77).input_ids
        assert ids == [*cat, *[filling] * 70]
        long = tokenizer("cat " * 100, truncation=True).input_ids
        assert len(long) == 77 and long[-1] == 49407
