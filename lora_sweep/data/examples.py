"""Examples: pictures with captions, and the hash of their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

Split = Literal["train", "heldout"]


@dataclass(frozen=True)
class Example:
    """One picture and its caption."""

    path: Path
    caption: str
    digest: str  # SHA-256 of the picture file
    split: Split
    size_HW: tuple[int, int]  # pixels, after turning upright


@dataclass(frozen=True)
class Examples:
    """The pictures of a dataset: those trained on, and those kept back for val_loss."""

    name: str
    train: tuple[Example, ...]
    heldout: tuple[Example, ...]

    @cached_property
    def content_hash(self) -> str:
        """The hash of pictures, captions and split, in order; no path or name is in it."""
        return content_hash((*self.train, *self.heldout))


def content_hash(examples: Iterable[Example]) -> str:
    """SHA-256, hex, over the ordered (digest, caption, split) of the examples."""
    rows = [[example.digest, example.caption, example.split] for example in examples]
    text = json.dumps(rows, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
