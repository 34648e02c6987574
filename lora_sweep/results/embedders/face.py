"""Face identity by dlib: who is in the picture, whatever else it shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from lora_sweep.errors import ModelError
from lora_sweep.files import sha256_of

FEATURES = 128
SMALLEST_SIDE = 320
"""Smaller pictures are enlarged to this: the detector finds no face below 80 pixels."""


class FaceEmbedder:
    """dlib's 128 numbers of the largest face, aligned by five points; zero without a face.

    Cosines are high throughout: two pictures of one person are above about 0.93, of two people
    below it.
    """

    def __init__(self) -> None:
        """Raises ModelError when the packages' models cannot be read."""
        import dlib  # pyright: ignore[reportMissingImports]
        import face_recognition_models as models  # pyright: ignore[reportMissingImports]

        points = Path(models.pose_predictor_five_point_model_location())
        network = Path(models.face_recognition_model_location())
        api: Any = dlib
        try:
            self._detector = api.get_frontal_face_detector()
            self._points = api.shape_predictor(str(points))
            self._network = api.face_recognition_model_v1(str(network))
        except RuntimeError as error:
            raise ModelError(f"evaluate.embedder is face: {error}") from error
        self.identity = f"face:{sha256_of(points)}:{sha256_of(network)}"

    @property
    def module(self) -> nn.Module | None:
        return None

    def images(self, pictures: Sequence[Image.Image]) -> Tensor:
        """Unit face embeddings (N, 128); zero rows for pictures without a face."""
        rows = [self._face(picture.convert("RGB")) for picture in pictures]
        return F.normalize(torch.tensor(np.stack(rows), dtype=torch.float32), dim=-1)

    def _face(self, picture: Image.Image) -> np.ndarray:
        scale = max(1.0, SMALLEST_SIDE / min(picture.size))
        size = (round(picture.width * scale), round(picture.height * scale))
        pixels = np.asarray(picture.resize(size, Image.Resampling.LANCZOS))
        found = self._detector(pixels, 0)
        if not found:
            return np.zeros(FEATURES)
        largest = max(found, key=lambda box: box.area())
        return np.array(
            self._network.compute_face_descriptor(pixels, self._points(pixels, largest))
        )
