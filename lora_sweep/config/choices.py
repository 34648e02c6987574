"""Settings that are one of a few words."""

from __future__ import annotations

from enum import Enum


class Precision(Enum):
    """Number format of the frozen base; trained weights and optimizer state are always fp32."""

    fp32 = "fp32"
    bf16 = "bf16"
    fp16 = "fp16"


class Pooling(Enum):
    """Position whose state becomes the pooled text vector of the second encoder.

    `diffusers` is what diffusers computes from the text encoder's own config: for SDXL the highest
    token id, which is the last new token in pivotal training. `eos` is the true end of the text
    (ComfyUI, A1111).
    """

    diffusers = "diffusers"
    eos = "eos"


class Prediction(Enum):
    """What the UNet predicts; `auto` is what the base's files say, and epsilon where they say
    nothing.
    """

    auto = "auto"
    epsilon = "epsilon"
    v_prediction = "v_prediction"


class Crop(Enum):
    random = "random"
    center = "center"


class Interpolation(Enum):
    lanczos = "lanczos"
    bicubic = "bicubic"
    bilinear = "bilinear"


class PivotRounding(Enum):
    """`exact`: step round(frac * steps). `epoch`: the start of epoch int(frac * epochs), as in
    diffusers.
    """

    exact = "exact"
    epoch = "epoch"


class Embedder(Enum):
    """What turns pictures into vectors for `subject`, `diversity` and `copying`.

    `auto` is the packaged CLIP with model=nano and evaluate.clip elsewhere; where that cannot be
    had, these measures are left empty with the reason, while any other choice is refused. `none`
    measures no pictures, nor `prompt`.
    """

    auto = "auto"
    none = "none"
    clip = "clip"
    dinov2 = "dinov2"
    efficientnet = "efficientnet"
    face = "face"


class Device(Enum):
    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
