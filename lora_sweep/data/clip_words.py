"""CLIP's vocabulary, which SDXL's encoders share, from the packaged merges. No transformers."""

from __future__ import annotations

import gzip
from functools import lru_cache
from pathlib import Path

MERGES = Path(__file__).parents[1] / "model" / "sdxl" / "merges.txt.gz"
"""They lie with SDXL's configs."""

START, END = "<|startoftext|>", "<|endoftext|>"
SIZE = 49_408
"""Of the vocabulary."""


@lru_cache(maxsize=1)
def merges() -> tuple[str, ...]:
    """The merges in order, each two parts with a space between."""
    return tuple(merges_file().decode().splitlines()[1:])


def merges_file() -> bytes:
    """merges.txt as transformers has it."""
    return gzip.decompress(MERGES.read_bytes())


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
