"""The text of each batch: encoded at every step while it trains, looked up once it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from lora_sweep.data.cache import Cache, Json
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
            return self.fixed.rows(self.base.send(captions_B))
        # A caption that occurs twice in a batch is encoded once.
        unique, inverse_B = captions_B.unique(return_inverse=True)
        index = self.base.send(unique)
        encoded = encode_ids(self.base, (self.ids[0][index], self.ids[1][index]))
        return encoded.rows(self.base.send(inverse_B))

    @torch.no_grad()
    def fix(
        self, cache: Cache | None = None, identity: str | None = None, trained: str | None = None
    ) -> None:
        """Encode every caption once; from now on they are looked up.

        With a cache and an identity (of base, clip_skip and pooling) they are kept for other
        trials: caption by caption for encoders that nothing has trained, which other pictures may
        want too; all together for those trained to a state, whose digest is `trained`.
        """
        one = partial(self._kept, cache, identity)
        with self.base.at_hand(*self.base.text_encoders):
            if trained is None:
                embedded = [one({"caption": each}, [each]) for each in self.unique]
            else:
                embedded = [one({"captions": self.unique, "trained": trained}, self.unique)]
        self.fixed = TextEmbedding(
            torch.cat([each.prompt_BLD for each in embedded]),
            torch.cat([each.pooled_BP for each in embedded]),
        )

    def _kept(
        self,
        cache: Cache | None,
        identity: str | None,
        key: Mapping[str, Json],
        captions: Sequence[str],
    ) -> TextEmbedding:
        """Embeddings of some captions, from the cache where they are there."""

        def encode() -> dict[str, Tensor]:
            # One caption at a time, so that an embedding does not depend on the others.
            encoded = [encode_captions(self.base, [caption]) for caption in captions]
            return {
                "prompt": torch.cat([each.prompt_BLD for each in encoded]),
                "pooled": torch.cat([each.pooled_BP for each in encoded]),
            }

        if cache is None or identity is None:
            tensors = encode()
        else:
            device, dtype = self.base.device.type, str(self.base.dtype)
            key = {**key, "text": identity, "device": device, "dtype": dtype}
            tensors = cache.get_or_make("text", key, encode)
        device = self.base.device
        return TextEmbedding(tensors["prompt"].to(device), tensors["pooled"].to(device))
