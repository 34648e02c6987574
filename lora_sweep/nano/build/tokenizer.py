"""A small CLIP tokenizer: byte-level BPE, so any text encodes, with merges learned from the world's
captions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTokenizer

VOCABULARY = 1216
START, END = "<|startoftext|>", "<|endoftext|>"
CLIP_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def learn_merges(captions: Iterable[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Learn BPE merges; the vocabulary is CLIP's order: bytes, bytes at a word's end, merges,
    start, end.

    The end of text has the highest id, which is what CLIP's pooling looks for.
    """
    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learner.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(CLIP_PATTERN), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - 2,
        end_of_word_suffix="</w>",
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    learner.train_from_iterator(captions, trainer)
    merges = [tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*alphabet, *(letter + "</w>" for letter in alphabet)]
    for left, right in merges:
        joined = left + right
        if joined not in words:
            words.append(joined)
    words = [*words[: VOCABULARY - 2], START, END]
    known = set(words)
    kept = [(a, b) for a, b in merges if {a, b, a + b} <= known]
    return {word: index for index, word in enumerate(words)}, kept


def build_tokenizers(captions: Iterable[str], folder: Path) -> None:
    """Write both tokenizers; as in SDXL, the first pads with the end of text and the second with
    "!".
    """
    vocabulary, merges = learn_merges(captions)
    for name, pad in (("tokenizer", END), ("tokenizer_2", "!")):
        tokenizer = CLIPTokenizer(
            vocab=vocabulary,
            merges=merges,  # type: ignore[arg-type]
            model_max_length=77,
            pad_token=pad,
        )
        tokenizer.save_pretrained(str(folder / name))
