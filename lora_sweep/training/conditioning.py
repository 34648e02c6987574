"""The text of each batch: encoded at every step while it trains, looked up once it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from lora_sweep.data.cache import Cache
from lora_sweep.data.captions import replace_abstractions
from lora_sweep.model.base import Base
from lora_sweep.model.text import TextEmbedding, encode_captions, encode_ids, tokenise


class Conditioner:
    """Maps caption numbers to text embeddings."""

    def __init__(
        self, base: Base, captions: Sequence[str], replacements: Mapping[str, str]
    ) -> None:
        self.base = base
        self.captions = [replace_abstractions(caption, replacements) for caption in captions]
        self.unique = sorted(set(self.captions))
        number = {caption: index for index, caption in enumerate(self.unique)}
        self.caption_of_row = torch.tensor([number[caption] for caption in self.captions])
        self.ids = tokenise(base, self.unique)
        self.fixed: TextEmbedding | None = None

    def __call__(self, rows: Sequence[int]) -> TextEmbedding:
        """Embeddings of the captions of the given rows, in order."""
        captions_B = self.caption_of_row[list(rows)]
        if self.fixed is not None:
            return self.fixed.rows(captions_B.to(self.base.device))
        # A caption that occurs twice in a batch is encoded once.
        unique, inverse_B = captions_B.unique(return_inverse=True)
        index = unique.to(self.base.device)
        encoded = encode_ids(self.base, (self.ids[0][index], self.ids[1][index]))
        return encoded.rows(inverse_B.to(self.base.device))

    @torch.no_grad()
    def fix(self, cache: Cache | None = None, identity: str | None = None) -> None:
        """Encode every caption once; from now on they are looked up.

        With a cache and an identity (of base, clip_skip and pooling: only for encoders that nothing
        has trained), embeddings are shared with other trials.
        """
        with self.base.at_hand(*self.base.text_encoders):
            embedded = [self._encode(caption, cache, identity) for caption in self.unique]
        self.fixed = TextEmbedding(
            torch.cat([each.prompt_BLD for each in embedded]),
            torch.cat([each.pooled_BP for each in embedded]),
        )

    def _encode(self, caption: str, cache: Cache | None, identity: str | None) -> TextEmbedding:
        # One caption at a time, so that an embedding does not depend on the others.
        def encode() -> dict[str, Tensor]:
            encoded = encode_captions(self.base, [caption])
            return {"prompt": encoded.prompt_BLD, "pooled": encoded.pooled_BP}

        if cache is None or identity is None:
            tensors = encode()
        else:
            key = {
                "caption": caption,
                "text": identity,
                "device": self.base.device.type,
                "dtype": str(self.base.dtype),
            }
            tensors = cache.get_or_make("text", key, encode)
        device = self.base.device
        return TextEmbedding(tensors["prompt"].to(device), tensors["pooled"].to(device))
