"""Captioning models in miniature, random but true to their kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import (
    BertTokenizer,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessor,
    BlipProcessor,
    CLIPImageProcessor,
    GitConfig,
    GitForCausalLM,
    GitProcessor,
)

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = "a dog cat woman smiling on the grass with red hat emoji in space".split()  # noqa: SIM905
SIDE = 32
TEXT: dict[str, Any] = {
    "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
    "max_position_embeddings": 64, "bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0,
    "vocab_size": len(SPECIAL) + len(WORDS),
}  # fmt: skip
VISION: dict[str, Any] = {
    "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
    "image_size": SIDE, "patch_size": 16,
}  # fmt: skip


def save_blip(folder: Path) -> Path:
    """A BLIP and its processor."""
    text = TEXT | {"encoder_hidden_size": 16, "sep_token_id": 3, "projection_dim": 8}
    config = BlipConfig(
        text_config=text, vision_config=VISION | {"projection_dim": 8},
        projection_dim=8, image_text_hidden_size=8,
    )  # fmt: skip
    torch.manual_seed(1)
    BlipForConditionalGeneration(config).save_pretrained(folder)
    images = BlipImageProcessor(size={"height": SIDE, "width": SIDE})
    BlipProcessor(images, _tokenizer(folder)).save_pretrained(folder)
    return folder


def save_git(folder: Path) -> Path:
    """A GIT and its processor."""
    torch.manual_seed(1)
    GitForCausalLM(GitConfig(vision_config=VISION, **TEXT)).save_pretrained(folder)
    images = CLIPImageProcessor(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
    )
    GitProcessor(images, _tokenizer(folder)).save_pretrained(folder)
    return folder


def _tokenizer(folder: Path) -> BertTokenizer:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "vocab.txt"
    path.write_text("\n".join([*SPECIAL, *WORDS]), encoding="utf-8")
    return BertTokenizer(str(path))
