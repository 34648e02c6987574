"""How many tokens a caption has, and which words fall off the end; needs no transformers.

SDXL's encoders see 77 tokens, start and end of text among them. Which words become how many tokens
depends on the tokenizer: CLIP's own, or that of the embedded base, which knows few words and cuts
the others into letters.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from lora_sweep.data.captions import contains_abstraction
from lora_sweep.errors import DataError
from lora_sweep.nano import WEIGHTS

MAX_TOKENS = 77
START_AND_END = 2
NEW_TOKENS = 2  # that an abstraction becomes in te_mode=pivotal, unless set otherwise
SDXL = "stabilityai/stable-diffusion-xl-base-1.0"
NANO = "nano"
MERGES_FILE = "bpe_simple_vocab_16e6.txt.gz"  # as OpenAI's CLIP and its packages have it
MERGES_COUNT = 48_894
PACKAGES = ("open_clip", "clip")
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
    """The tokenizer that is named, or the best at hand: CLIP's where it is on this machine.

    Without a name: SDXL's from the hub's local cache, else the one of an installed CLIP package,
    else the embedded base's. Raises DataError when a named one cannot be read.
    """
    if given is not None:
        return _named(given)
    if (cached := _from_cache()) is not None:
        return cached
    for package in PACKAGES:
        spec = find_spec(package)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            merges = Path(folder) / MERGES_FILE
            if merges.is_file():
                return TokenCounter(_from_openai(merges), f"CLIP, from {package}")
    return _named(NANO)


def _named(given: str) -> TokenCounter:
    if given == NANO:
        path = WEIGHTS / "tokenizer" / "tokenizer.json"
        return TokenCounter(Tokenizer.from_file(str(path)), "the embedded base, model=nano")
    path = Path(given).expanduser()
    try:
        if path.name.endswith(".txt.gz"):
            return TokenCounter(_from_openai(path), str(path))
        if path.exists():
            return TokenCounter(_from_path(path), str(path))
        return TokenCounter(_from_hub(given), given)
    # tokenizers raises Exception itself; the hub client has many kinds of its own.
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(
            [
                f"--tokenizer {given}: cannot be read ({reason}); allowed are {NANO}, a folder "
                f"with vocab.json and merges.txt or tokenizer.json, {MERGES_FILE}, or a hub name "
                f"such as {SDXL}"
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


def _from_cache() -> TokenCounter | None:
    from huggingface_hub import try_to_load_from_cache

    names = ("tokenizer/vocab.json", "tokenizer/merges.txt")
    files = [path for name in names if isinstance(path := try_to_load_from_cache(SDXL, name), str)]
    if len(files) != len(names):
        return None
    return TokenCounter(
        _from_files(Path(files[0]), Path(files[1])), f"{SDXL}, from the local cache"
    )


def _from_files(vocabulary: Path, merges: Path) -> Any:
    lines = merges.read_text(encoding="utf-8").splitlines()
    pairs = [line.split() for line in lines if line.strip() and not line.startswith("#version")]
    vocab: dict[str, int] = json.loads(vocabulary.read_text(encoding="utf-8"))
    return _clip_tokenizer(vocab, [(left, right) for left, right in pairs])


def _from_openai(path: Path) -> Any:
    """CLIP's vocabulary from its list of merges, in the order of OpenAI's simple_tokenizer.py."""
    lines = gzip.decompress(path.read_bytes()).decode("utf-8").split("\n")[1 : MERGES_COUNT + 1]
    merges = [(left, right) for left, right in (line.split() for line in lines)]
    alphabet = _byte_letters()
    words = [*alphabet, *(f"{letter}</w>" for letter in alphabet)]
    words += ["".join(pair) for pair in merges]
    words += ["<|startoftext|>", "<|endoftext|>"]
    return _clip_tokenizer({word: index for index, word in enumerate(words)}, merges)


def _byte_letters() -> list[str]:
    """A letter for each byte, as GPT-2 has them: printable bytes first, then the others."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return [*map(chr, printable), *(chr(256 + index) for index in range(len(others)))]


def _clip_tokenizer(vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> Any:
    """As transformers' CLIPTokenizer builds it, without start and end."""
    tokenizer: Any = Tokenizer(
        models.BPE(
            vocab=vocabulary,
            merges=merges,
            continuing_subword_prefix="",
            end_of_word_suffix="</w>",
            fuse_unk=False,
            unk_token="<|endoftext|>",
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
