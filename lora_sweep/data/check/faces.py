"""How many faces a picture shows, by dlib's HOG detector, if the package dlib-bin is installed.

Only faces seen from the front, of at least a twelfth of the short side, are found: a second face in
profile or far behind is not.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from PIL import Image

SURE = 0.3  # the detector's score; single faces score 0.34 to 1.5, what is no face up to 0.12
UPSAMPLE = 1  # faces of 80 pixels are found at 0, of 40 at 1; the pictures' short side is 512

FaceCounter = Callable[[Image.Image], int]


def face_counter() -> FaceCounter | None:
    """A function that counts faces in an RGB picture; None where dlib is not installed."""
    if find_spec("dlib") is None:
        return None
    dlib: Any = importlib.import_module("dlib")
    detector = dlib.get_frontal_face_detector()

    def count(picture: Image.Image) -> int:
        _, scores, _ = detector.run(np.asarray(picture), UPSAMPLE, SURE)
        return len(scores)

    return count
