"""DINOv2 (arXiv 2304.07193): embeddings that tell one subject from another of its class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image
from torch import Tensor, nn
from transformers import Dinov2Model

from lora_sweep.results.embedders.places import Source
from lora_sweep.results.embedders.pretrained import embed_pictures, load_pretrained, processed


class Dinov2Embedder:
    """The class token after the last layer norm."""

    def __init__(self, source: Source) -> None:
        """Raises ModelError."""
        model, self._processor, self.identity = load_pretrained(source, Dinov2Model)
        self._model: Any = model

    @property
    def module(self) -> nn.Module:
        return self._model

    def images(self, pictures: Sequence[Image.Image]) -> Tensor:
        """Unit picture embeddings (N, D)."""

        def embed(pixels_BCHW: Tensor) -> Tensor:
            return self._model(pixel_values=pixels_BCHW).pooler_output

        return embed_pictures(self._model, processed(self._processor), embed, pictures)
