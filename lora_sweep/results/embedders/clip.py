"""CLIP (arXiv 2103.00020): pictures and texts in one space. Any CLIPModel, the packaged one too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from transformers import CLIPModel, CLIPTokenizer

from lora_sweep.errors import ModelError
from lora_sweep.results.embedders.places import Source, local_folder
from lora_sweep.results.embedders.pretrained import embed_pictures, load_pretrained, processed


class ClipEmbedder:
    """Projected embeddings of both towers."""

    def __init__(self, source: Source) -> None:
        """Raises ModelError."""
        model, self._processor, self.identity = load_pretrained(source, CLIPModel)
        self._model: Any = model
        folder = local_folder(source)
        place = source.place if folder is None else str(folder)
        try:
            self._tokenizer: Any = CLIPTokenizer.from_pretrained(place)
        except (OSError, ValueError, TypeError) as error:
            raise ModelError(
                f"evaluate.clip is {source.place!r}: it has no tokenizer ({error})"
            ) from error

    @property
    def module(self) -> nn.Module:
        return self._model

    def images(self, pictures: Sequence[Image.Image]) -> Tensor:
        """Unit picture embeddings (N, D)."""
        return embed_pictures(self._model, processed(self._processor), self._embed, pictures)

    def _embed(self, pixels_BCHW: Tensor) -> Tensor:
        pooled = self._model.vision_model(pixel_values=pixels_BCHW).pooler_output
        return self._model.visual_projection(pooled)

    @torch.no_grad()
    def texts(self, texts: Sequence[str]) -> Tensor:
        """Unit text embeddings (N, D); a text is cut at the model's length."""
        length = self._model.config.text_config.max_position_embeddings
        tokens = self._tokenizer(
            list(texts),
            padding="max_length",
            truncation=True,
            max_length=length,
            return_tensors="pt",
        ).to(next(self._model.parameters()).device)
        # The mask as transformers' own get_text_features gets it.
        pooled = self._model.text_model(
            input_ids=tokens.input_ids, attention_mask=tokens.attention_mask
        ).pooler_output
        return F.normalize(self._model.text_projection(pooled).float(), dim=-1).cpu()
