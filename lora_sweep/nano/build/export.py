"""Writing the finished base as a diffusers folder in half precision."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import StableDiffusionXLPipeline
from transformers import CLIPImageProcessorPil, CLIPModel

from lora_sweep.nano.build import architecture
from lora_sweep.nano.build.unet import Parts


def export_base(parts: Parts, clip: CLIPModel, folder: Path) -> None:
    """Write the pipeline folder and, beside its parts, `clip/`: the CLIP whose text tower is the
    second encoder.

    Weights are rounded to fp16, which halves the folder; `from_pretrained` widens them to fp32
    again.
    """
    pipeline = StableDiffusionXLPipeline(
        vae=parts.vae,
        text_encoder=architecture.without_projection(parts.text_encoder),
        text_encoder_2=parts.text_encoder_2,
        tokenizer=parts.tokenizer,
        tokenizer_2=parts.tokenizer_2,
        unet=parts.unet,
        scheduler=architecture.build_scheduler(),  # type: ignore[arg-type]
        force_zeros_for_empty_prompt=True,
        add_watermarker=False,
    )
    modules = {
        name: getattr(pipeline, name) for name in ("vae", "text_encoder", "text_encoder_2", "unet")
    }
    copies = {
        name: {k: v.clone() for k, v in m.state_dict().items()} for name, m in modules.items()
    }
    try:
        pipeline.to(dtype=torch.float16)
        pipeline.save_pretrained(folder, safe_serialization=True)
    finally:  # the modules go on training in fp32, unrounded
        for name, module in modules.items():
            module.float().load_state_dict(copies[name])
    half = CLIPModel(clip.config)
    half.load_state_dict(clip.state_dict())
    half.half().save_pretrained(folder / "clip")
    parts.tokenizer.save_pretrained(str(folder / "clip"))
    CLIPImageProcessorPil(
        size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64}
    ).save_pretrained(folder / "clip")
    _tidy_configs(folder)


def _tidy_configs(folder: Path) -> None:
    """Drop `_name_or_path`, which names the machine that built them, and ask for fp32 when loading.

    transformers loads a model in the precision that its config names, diffusers in fp32: without
    this the text encoders of a pipeline would be fp16 beside an fp32 UNet.
    """
    for path in folder.rglob("*.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or not ({"_name_or_path", "dtype"} & set(content)):
            continue
        content.pop("_name_or_path", None)
        if "dtype" in content:
            content["dtype"] = "float32"
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
