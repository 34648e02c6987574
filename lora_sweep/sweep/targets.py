"""What a trial's settings name of its base, checked before the base is loaded."""

from __future__ import annotations

from functools import lru_cache

from lora_sweep.config.settings import Lora, Model, Settings, TeLora
from lora_sweep.model.adapters import unknown_targets
from lora_sweep.sweep.cost.shapes import ENCODERS, Shapes, base_shapes

LAYER_DIMENSIONS = (2, 4)  # of the weights of linear layers and convolutions


def target_problems(settings: Settings) -> list[str]:
    """Layers and blocks that the settings name and the base has not got.

    Nothing where the base's files are not on this machine: loading it says so then.
    """
    return list(_problems(settings.model, settings.lora, isinstance(settings.te_mode, TeLora)))


# Trials of a sweep differ in little of this.
@lru_cache(maxsize=1024)
def _problems(model: Model, lora: Lora, text_encoders: bool) -> tuple[str, ...]:
    base = base_shapes(model)
    if base is None or base.shapes is None:
        return ()
    encoders = [_layers(base.shapes[part]) for part in ENCODERS] if text_encoders else []
    return tuple(unknown_targets(lora, _layers(base.shapes["unet"]), encoders))


def _layers(shapes: Shapes) -> list[str]:
    """Names of the layers that PEFT can put a LoRA on."""
    return [
        name.removesuffix(".weight")
        for name, shape in shapes.items()
        if name.endswith(".weight") and len(shape) in LAYER_DIMENSIONS
    ]
