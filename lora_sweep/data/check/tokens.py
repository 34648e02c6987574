"""How many tokens a caption has, and which words fall off the end; needs no transformers.

SDXL's encoders see 77 tokens, start and end of text among them. Which words become how many tokens
depends on the tokenizer: CLIP's, which SDXL has, or that of the embedded base, which knows few
words and cuts the others into letters.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from lora_sweep.data.captions import contains_abstraction
from lora_sweep.data.clip_words import END, merges, vocabulary
from lora_sweep.errors import DataError
from lora_sweep.nano import WEIGHTS

MAX_TOKENS = 77
START_AND_END = 2
NEW_TOKENS = 2  # that an abstraction becomes in te_mode=pivotal, unless set otherwise
NANO = "nano"
PATTERN = (
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)


class TokenCounter:
    """Counts as a text encoder's tokenizer does; `name` says whose."""

    def __init__(self, tokenizer: Any, name: str) -> None:
        self.name = name
        self._tokenizer = tokenizer

    def count(self, caption: str) -> int:
        """Tokens of a caption, with start and end."""
        return len(self._tokenizer.encode(caption, add_special_tokens=False).ids) + START_AND_END

    def words_lost(self, caption: str, abstractions: Sequence[str]) -> str:
        """The end of the caption that no encoder sees; "" when all of it is seen.

        A word that is cut in two is lost. An abstraction takes as many tokens as pivotal training
        puts in its place, if those are more than its own.
        """
        encoded = self._tokenizer.encode(caption, add_special_tokens=False)
        room = MAX_TOKENS - START_AND_END - self._tokens_more(caption, abstractions)
        if len(encoded.ids) <= room:
            return ""
        start = encoded.offsets[max(room, 0)][0]
        while start > 0 and not caption[start - 1].isspace():
            start -= 1
        return caption[start:]

    def _tokens_more(self, caption: str, abstractions: Sequence[str]) -> int:
        used = [each for each in abstractions if contains_abstraction(caption, each)]
        return sum(max(0, NEW_TOKENS - (self.count(each) - START_AND_END)) for each in used)


def find_tokenizer(given: str | None) -> TokenCounter:
    """The tokenizer that is named, else SDXL's. Raises DataError when it cannot be read."""
    if given is None:
        pairs = [(left, right) for left, right in (merge.split(" ") for merge in merges())]
        return TokenCounter(_clip_tokenizer(vocabulary(), pairs), "SDXL")
    if given == NANO:
        path = WEIGHTS / "tokenizer" / "tokenizer.json"
        return TokenCounter(Tokenizer.from_file(str(path)), "the embedded base, model=nano")
    path = Path(given).expanduser()
    try:
        return TokenCounter(_from_path(path) if path.exists() else _from_hub(given), given)
    # tokenizers raises Exception itself; the hub client has many kinds of its own.
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(
            [
                f"--tokenizer {given}: cannot be read ({reason}); allowed are {NANO}, a folder "
                "with vocab.json and merges.txt or tokenizer.json, or a base's name on the hub"
            ]
        ) from error


def _from_path(path: Path) -> Any:
    if path.is_file():
        return Tokenizer.from_file(str(path))
    for folder in (path, path / "tokenizer"):
        if (folder / "tokenizer.json").is_file():
            return Tokenizer.from_file(str(folder / "tokenizer.json"))
        if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
            return _from_files(folder / "vocab.json", folder / "merges.txt")
    raise FileNotFoundError("it holds neither tokenizer.json nor vocab.json and merges.txt")


def _from_hub(name: str) -> Any:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    try:
        files = [
            hf_hub_download(name, f"tokenizer/{file}") for file in ("vocab.json", "merges.txt")
        ]
    except EntryNotFoundError:
        files = [hf_hub_download(name, file) for file in ("vocab.json", "merges.txt")]
    return _from_files(Path(files[0]), Path(files[1]))


def _from_files(vocab_file: Path, merges_file: Path) -> Any:
    lines = merges_file.read_text(encoding="utf-8").splitlines()
    pairs = [line.split() for line in lines if line.strip() and not line.startswith("#version")]
    vocab: dict[str, int] = json.loads(vocab_file.read_text(encoding="utf-8"))
    return _clip_tokenizer(vocab, [(left, right) for left, right in pairs])


def _clip_tokenizer(vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> Any:
    """As transformers' CLIPTokenizer builds it, without start and end."""
    tokenizer: Any = Tokenizer(
        models.BPE(
            vocab=vocabulary,
            merges=merges,
            continuing_subword_prefix="",
            end_of_word_suffix="</w>",
            fuse_unk=False,
            unk_token=END,
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    return tokenizer
