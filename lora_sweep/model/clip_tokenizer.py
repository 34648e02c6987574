"""CLIP's tokenizer from the packaged merges: what a checkpoint in one file does not bring."""

from __future__ import annotations

import gzip
from functools import lru_cache
from pathlib import Path
from typing import Any

from transformers import CLIPTokenizer

SDXL_FOLDER = Path(__file__).parent / "sdxl"
"""SDXL's configs, and the merges."""

START, END = "<|startoftext|>", "<|endoftext|>"
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


@lru_cache(maxsize=1)
def merges() -> tuple[str, ...]:
    """The merges in order, each two parts with a space between."""
    return tuple(merges_file().decode().splitlines()[1:])


def merges_file() -> bytes:
    """merges.txt as transformers has it."""
    return gzip.decompress((SDXL_FOLDER / "merges.txt.gz").read_bytes())


def vocabulary() -> dict[str, int]:
    """Token to id, in CLIP's order: bytes, bytes at a word's end, merges, start, end."""
    letters = _byte_letters()
    ends = [f"{letter}</w>" for letter in letters]
    merged = [merge.replace(" ", "") for merge in merges()]
    return {token: index for index, token in enumerate([*letters, *ends, *merged, START, END])}


def _byte_letters() -> list[str]:
    """A letter for each byte, as GPT-2 has them: itself where it can be printed, else the next of
    those from 256 on.
    """
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = len(set(range(256)) - set(printable))
    return [chr(code) for code in (*printable, *range(256, 256 + others))]
