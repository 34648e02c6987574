"""The interface that all embedders have, and opening one by its source."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

from PIL import Image
from torch import Tensor, nn

from lora_sweep.config.settings import Embedder
from lora_sweep.results.embedders.places import Source

BATCH = 16
"""Pictures embedded at a time."""


class PictureEmbedder(Protocol):
    """Embeds pictures.

    `identity` tells everything that an embedding depends on beside the picture, so that embeddings
    can be cached; `module` is what has to be on the device, if it has one.
    """

    @property
    def identity(self) -> str: ...

    @property
    def module(self) -> nn.Module | None: ...

    def images(self, pictures: Sequence[Image.Image]) -> Tensor:
        """Embeddings (N, D) on the CPU, fp32, of unit length, or zero where nothing was found."""
        ...


class TextEmbedder(PictureEmbedder, Protocol):
    """Embeds texts as well, so that a picture can be compared with its prompt."""

    def texts(self, texts: Sequence[str]) -> Tensor:
        """Embeddings (N, D) on the CPU, fp32, of unit length."""
        ...


@lru_cache(maxsize=2)
def open_embedder(source: Source) -> PictureEmbedder:
    """Load an embedder, once in a process; raises ModelError where it cannot be loaded."""
    match source.kind:
        case Embedder.clip:
            return open_text_embedder(source)
        case Embedder.dinov2:
            from lora_sweep.results.embedders.dinov2 import Dinov2Embedder

            return Dinov2Embedder(source)
        case Embedder.efficientnet:
            from lora_sweep.results.embedders.efficientnet import EfficientNetEmbedder

            return EfficientNetEmbedder()
        case Embedder.face:
            from lora_sweep.results.embedders.face import FaceEmbedder

            return FaceEmbedder()
        case Embedder.auto | Embedder.none:
            raise ValueError(f"{source.kind} is resolved before anything is opened")


@lru_cache(maxsize=1)
def open_text_embedder(source: Source) -> TextEmbedder:
    """Load a CLIP, once in a process; raises ModelError where it cannot be loaded."""
    from lora_sweep.results.embedders.clip import ClipEmbedder

    return ClipEmbedder(source)
