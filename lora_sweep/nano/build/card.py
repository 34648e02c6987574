"""The card of the embedded base, from its measures and the settings that it was built with."""

from __future__ import annotations

from pathlib import Path

from safetensors import safe_open

from lora_sweep.nano.build import clip, corpus, pipeline, unet, vae
from lora_sweep.nano.build.measures import FLOORS, Measures
from lora_sweep.nano.build.sheet import PROMPTS

_TEXT = """\
# nano: a small SDXL

The base behind `model=nano`: SDXL's classes and wiring at a size that a CPU trains in minutes, so that LoRA,
pivotal tuning, prior preservation, sampling and measures can be tried, tested and understood anywhere. It draws
64 x 64 pictures of a small world of its own. It is not a small copy of SDXL's knowledge.

```python
from diffusers import StableDiffusionXLPipeline

pipe = StableDiffusionXLPipeline.from_pretrained("lora_sweep/nano/weights")
pipe("a happy yellow emoji wearing a top hat on a blue background", num_inference_steps=25).images[0].save("emoji.png")
```

![samples]({sheet})

The sheet's prompts, row by row:

{prompts}

## Parts

| part | class | parameters |
|---|---|---|
{parts}

Half precision, {megabytes:.1f} MB in all. As in SDXL: penultimate states of both text encoders joined, pooled vector of
the second, size and crop conditioning, zeros for empty text, scaled-linear schedule with 1,000 steps. Not as in SDXL:
VAE factor 4 (SDXL: 8), one layer per block, two UNet levels, a vocabulary of {vocabulary} tokens learned from the world's
captions (byte-level, so any text encodes).

`clip/` is the CLIP whose text tower is the second text encoder; its image tower measures pictures.

## Data

{pictures:,} pictures with {captions} captions each, drawn by `lora_sweep/nano/world`: emoji characters (moods, colours, hats,
props, heads), shapes, portraits, web pages, in several styles and backgrounds; {cropped:.0%} of them drawn larger and
cropped, so that crop coordinates mean something. One emoji combination in ten (background, body, mood, hat) is held
out. The VAE also saw {fields:,} random smooth colour fields. No picture of the packaged datasets was used.

## Training

| stage | steps | batch | peak rate |
|---|---|---|---|
| VAE: squared error of pixels and of their differences, KL x {kl:g} | {vae_steps:,} ({crop_steps:,} on 32 px crops) | {crop_batch}, then {vae_batch} | {vae_lr:g} |
| CLIP, and the first text encoder against its image tower | {clip_steps:,} | {clip_batch} | {clip_lr:g} |
| UNet and first text encoder: noise prediction, min-SNR {gamma:g}, text zeroed {zero:.0%} | {unet_steps:,} | {unet_batch} | {unet_lr:g} |

AdamW, cosine decay, running averages of VAE and UNet weights. {duration}
`python scripts/build_nano.py --work build/nano` builds it again from seed {seed}; a killed build goes on.

## Measures

By `python scripts/measure_nano.py`, on pictures and prompts that training never saw.

| measure | value | at least |
|---|---|---|
{measures}

## What it cannot do

Its world is all it knows: no photographs, no animals, no text, no places. Emoji and portraits come out best; shapes, their
relations and the insides of web pages only roughly. Words outside the world's captions are read
byte by byte and mean little until they are trained. Small things (props, glasses, menus) are blurred by a VAE with 1,024
numbers per picture.
"""  # noqa: E501

_MEASURE_WORDS = {
    "vae_psnr_world": ("VAE PSNR, 1,000 held-out world pictures", "{:.1f} dB"),
    "vae_psnr_noto": ("VAE PSNR, the 31 Noto faces of `dataset=huggy`", "{:.1f} dB"),
    "background_right": ("background colour as asked, 200 held-out emoji prompts", "{:.1%}"),
    "body_right": ("body colour as asked, same pictures", "{:.1%}"),
    "retrieval_top1": ("CLIP: picture to its caption among 32", "{:.1%}"),
}


def write_card(base: Path, measures: Measures, duration: str, sheet: str = "sheet.png") -> Path:
    """Write README.md into the base folder. `duration` says on what and how long it trained."""
    folders = [path.parent.name for path in sorted(base.glob("*/*.safetensors"))]
    total = sum(path.stat().st_size for path in base.glob("*/*.safetensors"))
    text = _TEXT.format(
        sheet=sheet,
        prompts="\n".join(f"{index}. {prompt}" for index, prompt in enumerate(PROMPTS, start=1)),
        parts="\n".join(_part(base / folder) for folder in folders),
        megabytes=total / 1e6,
        vocabulary=_vocabulary(base),
        pictures=pipeline.PICTURES,
        captions=corpus.CAPTIONS_EACH,
        cropped=corpus.CROPPED,
        fields=pipeline.SMOOTH_FIELDS,
        kl=vae.KL_WEIGHT,
        vae_steps=vae.STEPS,
        crop_steps=vae.CROP_STEPS,
        crop_batch=vae.CROP_BATCH,
        vae_batch=vae.BATCH,
        vae_lr=vae.PEAK_LR,
        clip_steps=clip.STEPS,
        clip_batch=clip.BATCH,
        clip_lr=clip.PEAK_LR,
        unet_steps=unet.STEPS,
        unet_batch=unet.BATCH,
        unet_lr=unet.PEAK_LR,
        gamma=unet.GAMMA,
        zero=unet.ZERO_TEXT,
        duration=duration,
        seed=pipeline.SEED,
        measures="\n".join(
            f"| {words} | {shown.format(getattr(measures, name))} "
            f"| {shown.format(getattr(FLOORS, name))} |"
            for name, (words, shown) in _MEASURE_WORDS.items()
        ),
    )
    path = base / "README.md"
    path.write_text(text, encoding="utf-8")
    return path


def _part(folder: Path) -> str:
    import json
    from math import prod

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    kind = config.get("_class_name") or config["architectures"][0]
    (weights,) = folder.glob("*.safetensors")
    with safe_open(weights, "pt") as file:
        count = sum(prod(file.get_slice(key).get_shape()) for key in file.keys())  # noqa: SIM118
    return f"| `{folder.name}` | {kind} | {count:,} |"


def _vocabulary(base: Path) -> str:
    from transformers import CLIPTokenizer

    return f"{len(CLIPTokenizer.from_pretrained(str(base / 'tokenizer'))):,}"
