"""A captioning model, such as BLIP: pictures to sentences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from lora_sweep.errors import ModelError

BEAMS = 3
LONGEST = 40  # new tokens


class Captioner:
    """Describes pictures; the same picture always alike, since nothing is drawn at random."""

    def __init__(self, processor: Any, model: Any, device: torch.device) -> None:
        self._processor, self._model, self._device = processor, model, device

    @torch.no_grad()
    def describe(self, pictures: Sequence[Image.Image]) -> list[str]:
        """A line for each RGB picture, as the model writes it."""
        inputs = self._processor(images=list(pictures), return_tensors="pt")
        pixels = inputs["pixel_values"].to(self._device, self._model.dtype)
        ids = self._model.generate(
            pixel_values=pixels, max_new_tokens=LONGEST, num_beams=BEAMS, do_sample=False
        )
        texts: list[str] = self._processor.batch_decode(ids, skip_special_tokens=True)
        return [" ".join(text.split()) for text in texts]


def load_captioner(name: str, device: torch.device) -> Captioner:
    """Load a model from a folder or the hub; raises ModelError with what to do where it cannot."""
    place = Path(name).expanduser()
    local = place.exists()
    source = str(place) if local else name
    try:
        processor: Any = AutoProcessor.from_pretrained(source)
        # Weights that are no safetensors are read by torch as tensors alone: no code can run.
        model: Any = AutoModelForImageTextToText.from_pretrained(source)
    # transformers, tokenizers and the hub's client have errors of many kinds.
    except Exception as error:
        raise ModelError(_explained(name, local, error)) from error
    if not hasattr(processor, "image_processor") or getattr(processor, "chat_template", None):
        raise ModelError(f"--model {name}: it answers questions; a captioning model is expected")
    # fp32 on the CPU, where 16 bits are slow; a GPU has them.
    dtype = torch.float16 if device.type == "cuda" else torch.float32
    return Captioner(processor, model.eval().to(device, dtype), device)


def _explained(name: str, local: bool, error: Exception) -> str:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if local:
        return (
            f"--model {name}: it cannot be loaded as a captioning model ({reason}); allowed is a "
            "folder with a BLIP or GIT model and its processor, as transformers saves them"
        )
    return (
        f"--model {name}: it is not in the local cache, and the hub does not give it ({reason}); "
        f"where there is a network, run `hf download {name} --local-dir captioner`, copy that "
        "folder here, and say --model captioner"
    )
