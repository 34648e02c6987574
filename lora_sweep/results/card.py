"""README.md of a trial: what it is, and how to use its files in diffusers, ComfyUI and A1111."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lora_sweep.files import atomic_write
from lora_sweep.results.store import DIFFUSERS_WEIGHTS, TrialFolder

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~])")
PIPELINE = "StableDiffusionXLPipeline"
NANO = "nano"  # as a base: the embedded one, wherever lora_sweep is installed
TAGS = ("text-to-image", "diffusers", "lora", "stable-diffusion-xl", "template:sd-lora")


@dataclass(frozen=True)
class SamplePicture:
    """A picture in the trial's folder; `prompt` as the pipeline got it, with the trigger."""

    path: Path
    prompt: str
    seed: int


@dataclass(frozen=True)
class CardFacts:
    """What a card tells; strings may be anything a user wrote."""

    name: str  # results.name
    base: str  # what from_pretrained or from_single_file is given
    resolution: int  # pixels
    single_file: bool = False
    revision: str | None = None
    variant: str | None = None
    vae: str | None = None
    trigger: str = ""  # what stands for the subject in a prompt
    tokens: tuple[str, ...] = ()  # new tokens in the order of the rows (te_mode=pivotal)
    full_text_encoders: bool = False  # te_mode=full
    pooling_at_eos: bool = False
    clip_skip: int = 0
    dora: bool = False
    noise: Mapping[str, Any] = field(default_factory=dict)  # what the scheduler has to be told
    seed: int = 0  # of the snippet's picture; the first validation picture's
    sample_steps: int = 25
    guidance_scale: float = 5.0
    repo: str | None = None  # name on the hub, for a card that lies there
    settings: Mapping[str, Any] = field(default_factory=dict)  # nested or dotted
    scores: Mapping[str, float | None] = field(default_factory=dict)
    samples: Sequence[SamplePicture] = ()

    @property
    def prompt(self) -> str:
        """A prompt to begin with."""
        if self.samples:
            return self.samples[0].prompt
        return f"a picture of {self.trigger}" if self.trigger else "a picture"


def write_card(folder: TrialFolder, facts: CardFacts) -> Path:
    """Write the trial's README.md; raises StoreError."""
    atomic_write(folder.card, render_card(folder, facts))
    return folder.card


def render_card(folder: TrialFolder, facts: CardFacts) -> str:
    """The card's text: YAML front matter, then Markdown in which user-written text is inert."""
    scores = {name: "-" if v is None else f"{v:.4g}" for name, v in facts.scores.items()}
    sections = [
        f"---\n{_front_matter(folder, facts)}---\n",
        f"# {markdown(facts.name)}\n",
        f"A LoRA for SDXL, trained on {markdown(facts.base)} by lora_sweep.\n",
        f"Write {markdown(facts.trigger)} in a prompt for the subject.\n" if facts.trigger else "",
        "".join(_picture(folder, sample) for sample in facts.samples),
        f"## diffusers\n\n```python\n{diffusers_snippet(folder, facts)}```\n",
        _other_tools(facts),
        _table("Measures", "measure", scores),
        _table("Settings", "setting", flatten(facts.settings)),
    ]
    return "\n".join(section for section in sections if section)


def _front_matter(folder: TrialFolder, facts: CardFacts) -> str:
    values: dict[str, Any] = {"library_name": "diffusers", "tags": list(TAGS)}
    # The hub takes only names of its own here; a path of this machine would be refused.
    if HUB_NAME.fullmatch(facts.base) and not Path(facts.base).exists():
        values["base_model"] = facts.base
    if facts.trigger:
        values["instance_prompt"] = facts.trigger
    if facts.samples:
        values["widget"] = [
            {"text": sample.prompt, "output": {"url": _relative(folder, sample.path)}}
            for sample in facts.samples
        ]
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=10_000)


def diffusers_snippet(folder: TrialFolder, facts: CardFacts) -> str:
    """Python that loads the trial and draws a picture, on a GPU or without one.

    With a card's first sample it is that very picture, up to rounding.
    """
    lines = [
        *_imports(facts),
        "",
        f"folder = {facts.repo!r}"
        if facts.repo
        else f"folder = {str(folder.path.resolve())!r}  # where this file is",
        'device = "cuda" if torch.cuda.is_available() else "cpu"',
        'dtype = torch.float16 if device == "cuda" else torch.float32',
        *_pipeline(facts),
        f'pipe.load_lora_weights(folder, weight_name="{DIFFUSERS_WEIGHTS}")',
        *_text_side(folder, facts),
        f"prompt = {facts.prompt!r}",
        f"size = {facts.resolution}",
        "image = pipe(",
        f"    prompt, width=size, height=size{_clip_skip(facts)},",
        f"    num_inference_steps={facts.sample_steps}, guidance_scale={facts.guidance_scale},",
        f'    generator=torch.Generator("cpu").manual_seed({facts.seed}),',
        ").images[0]",
        'image.save("image.png")',
    ]
    return "\n".join(lines) + "\n"


def _imports(facts: CardFacts) -> list[str]:
    names = [*(["AutoencoderKL"] if facts.vae else []), "EulerDiscreteScheduler", PIPELINE]
    lines = ["import torch", f"from diffusers import {', '.join(names)}"]
    if facts.repo and _reads_files(facts):
        lines.append("from huggingface_hub import hf_hub_download")
    if facts.base == NANO:
        lines.append("from lora_sweep.nano import WEIGHTS")
    if _reads_files(facts):
        lines.append("from safetensors.torch import load_file")
    return lines


def _reads_files(facts: CardFacts) -> bool:
    return bool(facts.tokens) or facts.full_text_encoders


def _pipeline(facts: CardFacts) -> list[str]:
    loader = "from_single_file" if facts.single_file else "from_pretrained"
    chosen = {"revision": facts.revision, "variant": facts.variant}
    arguments = ["str(WEIGHTS)" if facts.base == NANO else repr(facts.base)]
    arguments += [f"{key}={value!r}" for key, value in chosen.items() if value]
    lines: list[str] = []
    if facts.vae:
        of_file = facts.vae.endswith(".safetensors")
        vae_loader = "from_single_file" if of_file else "from_pretrained"
        lines.append(f"vae = AutoencoderKL.{vae_loader}({facts.vae!r}).to(device, dtype)")
        arguments.append("vae=vae")
    lines.append(f"pipe = {PIPELINE}.{loader}({', '.join(arguments)})")
    told = "".join(f", {key}={value!r}" for key, value in facts.noise.items())
    return [
        *lines,
        f"pipe.scheduler = EulerDiscreteScheduler.from_config(pipe.scheduler.config{told})",
        # Not as an argument of the loader: its name there differs between versions of diffusers.
        "pipe.to(device, dtype)",
    ]


def _clip_skip(facts: CardFacts) -> str:
    return f", clip_skip={facts.clip_skip}" if facts.clip_skip else ""


def _text_side(folder: TrialFolder, facts: CardFacts) -> list[str]:
    lines: list[str] = []
    if facts.full_text_encoders:
        file = _file(facts, 'f"{part}.safetensors"', 'f"{folder}/{part}.safetensors"')
        lines += [
            'for part in ("text_encoder", "text_encoder_2"):',
            "    encoder = getattr(pipe, part)",
            f"    weights = load_file({file})",
            '    if not hasattr(encoder, "text_model"):  # transformers 5',
            '        weights = {k.removeprefix("text_model."): v for k, v in weights.items()}',
            "    encoder.load_state_dict(weights)",
        ]
    if facts.tokens:
        name = folder.embeddings(facts.name).name
        path = f"folder + {'/' + name!r}"
        lines += [
            f"rows = load_file({_file(facts, repr(name), path)})",
            f"tokens = {list(facts.tokens)!r}",
            "pipe.load_textual_inversion(",
            '    rows["clip_l"], tokens, tokenizer=pipe.tokenizer, text_encoder=pipe.text_encoder',
            ")",
            "pipe.load_textual_inversion(",
            '    rows["clip_g"], tokens, tokenizer=pipe.tokenizer_2, '
            "text_encoder=pipe.text_encoder_2",
            ")",
        ]
    if facts.pooling_at_eos:
        lines.append("pipe.text_encoder_2.text_model.eos_token_id = pipe.tokenizer_2.eos_token_id")
    return lines


def _file(facts: CardFacts, name: str, path: str) -> str:
    """Code for the place of one of the trial's files: downloaded, or beside the card."""
    return f"hf_hub_download(folder, {name})" if facts.repo else path


def _other_tools(facts: CardFacts) -> str:
    name = markdown(facts.name)
    lines = [
        "## ComfyUI and A1111\n",
        f"- ComfyUI: put `{facts.name}.safetensors` into `models/loras`; load it with Load LoRA.",
        f"- A1111: put it into `models/Lora` and write `<lora:{facts.name}:1>` in the prompt.",
    ]
    if facts.tokens:
        new = markdown("".join(facts.tokens))
        lines += [
            f"- Put `{facts.name}_emb.safetensors` into `models/embeddings` (ComfyUI) or "
            f"`embeddings` (A1111). Where a prompt for diffusers has {new}, write "
            f"`embedding:{facts.name}_emb` in ComfyUI, `{facts.name}_emb` in A1111.",
        ]
    if facts.full_text_encoders:
        lines.append(
            "- The text encoders were trained whole: in ComfyUI load `text_encoder.safetensors` "
            "and `text_encoder_2.safetensors` with DualCLIPLoader (type sdxl). A1111 cannot."
        )
    if facts.dora:
        lines.append(
            "- This is a DoRA. diffusers applies it as it was trained; A1111 and some versions of "
            "ComfyUI normalise over another axis or the base weights, and give other pictures. "
            f"diffusers drops the DoRA part of {name}\\.safetensors: use `{DIFFUSERS_WEIGHTS}`."
        )
    return "\n".join(lines) + "\n"


def _picture(folder: TrialFolder, sample: SamplePicture) -> str:
    prompt = markdown(sample.prompt)
    return f"![{prompt}]({_relative(folder, sample.path)})\n\n*{prompt}* (seed {sample.seed})\n\n"


def _relative(folder: TrialFolder, path: Path) -> str:
    """The path as seen from the card."""
    inside = path.is_relative_to(folder.path)
    return (path.relative_to(folder.path) if inside else path).as_posix()


def _table(title: str, head: str, rows: Mapping[str, Any]) -> str:
    if not rows:
        return ""
    body = "".join(f"| {markdown(key)} | {markdown(value)} |\n" for key, value in rows.items())
    return f"## {title}\n\n| {head} | value |\n|---|---|\n{body}"


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one level of dotted names."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def markdown(value: Any) -> str:
    """Any value as one line of inert Markdown: no markup, HTML, link or table cell can begin."""
    text = " ".join(str(value).split())
    return html.escape(MARKDOWN.sub(r"\\\1", text), quote=False)
