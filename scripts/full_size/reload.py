"""An exported adapter in a pipeline of diffusers: `python reload.py BASE TRIAL PIXELS`.

Both files are loaded, one after the other, and must give the same weights on all modules, which are
those of the file; then a picture is drawn in two steps.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionXLPipeline
from safetensors.torch import load_file
from torch import Tensor


def adapters(pipeline: StableDiffusionXLPipeline) -> dict[str, Tensor]:
    """What is loaded on all three models."""
    models: dict[str, Any] = {
        "unet": pipeline.unet,
        "text_encoder": pipeline.text_encoder,
        "text_encoder_2": pipeline.text_encoder_2,
    }
    return {
        f"{part}.{name}".replace(".default_0", ""): parameter.detach().float().clone()
        for part, model in models.items()
        for name, parameter in model.named_parameters()
        if "lora_" in name
    }


@torch.no_grad()
def main() -> None:
    base, trial, pixels = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    pipeline = StableDiffusionXLPipeline.from_pretrained(
        base, torch_dtype=torch.bfloat16, use_safetensors=True, add_watermarker=False
    )
    pipeline.set_progress_bar_config(disable=True)
    loaded: list[dict[str, Tensor]] = []
    for name in ("pytorch_lora_weights.safetensors", "lora.safetensors"):
        pipeline.load_lora_weights(str(trial), weight_name=name)
        loaded.append(adapters(pipeline))
        if name != "lora.safetensors":
            pipeline.unload_lora_weights()
    assert loaded[0].keys() == loaded[1].keys()
    assert all(torch.equal(loaded[0][name], loaded[1][name]) for name in loaded[0])
    stored = load_file(trial / "pytorch_lora_weights.safetensors")
    assert len(stored) == len(loaded[0]), f"{len(stored)} in the file, {len(loaded[0])} loaded"
    total = sum(float(value.bfloat16().double().abs().sum()) for value in stored.values())
    found = sum(float(value.double().abs().sum()) for value in loaded[0].values())
    assert math.isclose(total, found, rel_tol=1e-3), (total, found)
    if (rows := trial / "lora_emb.safetensors").is_file():
        vectors: dict[str, Any] = load_file(rows)
        tokens = ["<s0>", "<s1>"]
        pipeline.load_textual_inversion(
            vectors["clip_l"],
            tokens,
            tokenizer=pipeline.tokenizer,
            text_encoder=pipeline.text_encoder,
        )
        pipeline.load_textual_inversion(
            vectors["clip_g"],
            tokens,
            tokenizer=pipeline.tokenizer_2,
            text_encoder=pipeline.text_encoder_2,
        )
    picture: Any = pipeline(
        "a <s0><s1> emoji", height=pixels, width=pixels, num_inference_steps=2
    ).images[0]  # type: ignore[union-attr]
    assert picture.size == (pixels, pixels)
    print(f"both files load: {len(loaded[0]):,} matrices, the same in both; a picture is drawn")


if __name__ == "__main__":
    main()
