"""The weights of a base that lie in memory while a phase of a trial runs. No torch.

On a GPU it is the GPU's memory, and what a phase does not need is parked outside. On a CPU parking
lets go of weights that lie mapped in a file; others stay.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from lora_sweep.config.settings import Model, Precision
from lora_sweep.model.main_memory import is_worth_keeping_free
from lora_sweep.sweep.cost.footprint import BYTES
from lora_sweep.sweep.cost.shapes import ENCODERS, BaseShapes, folder_dtype

PROCESS = {"cpu": 490 << 20, "cuda": 600 << 20}
"""Of Python and its libraries, as measured; of a CUDA context with its workspaces, as is usual."""

_IN_FILES = {Precision.fp32: "F32", Precision.bf16: "BF16", Precision.fp16: "F16"}

Parts = dict[str, int]


def resident(
    model: Model,
    base: BaseShapes,
    device: str,
    *,
    unet: bool = True,
    vae: bool = False,
    text: bool = False,
) -> Parts:
    """Bytes of the process, and of the parts of the base that are needed or stay all the same."""
    width = BYTES[model.precision]
    parts: Parts = {"process": PROCESS[device]}
    if unet or _stays(model, base, "unet", device):
        parts["UNet"] = width * base.weights["unet"]
    stay = [each for each in ENCODERS if text or _stays(model, base, each, device)]
    if stay:
        parts["text encoders"] = width * sum(base.weights[part] for part in stay)
    if vae or _stays(model, base, "vae", device):
        parts["VAE"] = BYTES[model.vae_precision] * base.weights["vae"]
    return parts


def gives_back(model: Model, base: BaseShapes, device: str) -> bool:
    """Whether freed memory is given back between the blocks of the UNet."""
    return is_worth_keeping_free(device, BYTES[model.precision] * base.weights["unet"])


def _stays(model: Model, base: BaseShapes, part: str, device: str) -> bool:
    """Whether a part is there though it is parked."""
    if device != "cpu":
        return False
    return not (gives_back(model, base, device) and _is_mapped(model, base, part))


def _is_mapped(model: Model, base: BaseShapes, part: str) -> bool:
    """Whether its weights are used as they lie in a file: nothing has to convert them."""
    if part != "vae":
        return base.dtypes.get(part) == _IN_FILES[model.precision]
    found = base.dtypes.get(part) if model.vae is None else _dtype_of_vae(model.vae)
    return found == _IN_FILES[model.vae_precision]


@lru_cache(maxsize=64)
def _dtype_of_vae(vae: str) -> str | None:
    """Of one in a folder of its own; None where that is not here."""
    try:
        return folder_dtype(Path(vae).expanduser())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # loading it says what is wrong
