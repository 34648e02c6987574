"""CLIP's tokenizer from the packaged merges: what a checkpoint in one file does not bring."""

from __future__ import annotations

from typing import Any

from transformers import CLIPTokenizer

from lora_sweep.data.clip_words import END, START, merges, vocabulary

LENGTH = 77  # of a caption, start and end included
PADDING = (END, "!")
"""What fills a caption up, for SDXL's first and second encoder."""


def sdxl_tokenizers() -> tuple[CLIPTokenizer, CLIPTokenizer]:
    """Both tokenizers of SDXL, in the encoders' order; they differ in their padding alone."""
    first, second = (_tokenizer(padding) for padding in PADDING)
    return first, second


def _tokenizer(padding: str) -> CLIPTokenizer:
    pairs: Any = [tuple(merge.split(" ")) for merge in merges()]
    return CLIPTokenizer(
        vocab=vocabulary(),
        merges=pairs,
        bos_token=START,
        eos_token=END,
        unk_token=END,
        pad_token=padding,
        model_max_length=LENGTH,
    )
