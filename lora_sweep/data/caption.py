"""`python -m lora_sweep.data.caption <folder>`: captions for pictures that have none, by a model.

They go into metadata.jsonl. Exit status: 0; 1 when a picture could not be read; 2 when nothing can
be captioned; 130 when interrupted, with what was done written.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lora_sweep.data.captions import contains_abstraction
from lora_sweep.data.terminal import printable
from lora_sweep.errors import DataError, LoraSweepError, SettingsError
from lora_sweep.quiet import quiet_libraries

if TYPE_CHECKING:
    from PIL import Image

    from lora_sweep.data.captioner import Captioner
    from lora_sweep.data.captions_file import CaptionsFile
    from lora_sweep.data.check.tokens import TokenCounter

DEFAULT_MODEL = "Salesforce/blip-image-captioning-base"
SHORT_SIDE = 512  # pixels; captioning models see fewer
SAVE_SECONDS = 30


def main(arguments: Sequence[str] | None = None) -> int:
    """Caption the folder that the command line names, and print each caption."""
    given = _parser().parse_args(arguments)
    try:
        return _caption(given)
    except LoraSweepError as error:
        told = isinstance(error, DataError | SettingsError)
        for problem in error.problems if told else (str(error),):
            print(f"lora_sweep: {printable(problem)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("lora_sweep: interrupted; run the command again to go on", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lora_sweep.data.caption",
        description="Write captions of a folder's pictures into its metadata.jsonl. Captions that "
        "are there stay.",
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help=f"a folder or hub name; default {DEFAULT_MODEL}"
    )
    parser.add_argument(
        "--abstraction",
        default="TOK",
        metavar="WORD",
        help='the word that stands for the subject; "" for none; default TOK',
    )
    parser.add_argument(
        "--prefix", metavar="TEXT", help='what every caption begins with; default "WORD, "'
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="caption pictures that have a caption, too"
    )
    parser.add_argument("--caption-column", default="text", help="of metadata.jsonl; default text")
    parser.add_argument("--batch-size", type=int, default=4, help="pictures at a time; default 4")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    return parser


def _caption(given: argparse.Namespace) -> int:
    prefix = _prefix(given.prefix, given.abstraction)
    if given.batch_size < 1:
        raise SettingsError([f"--batch-size {given.batch_size}: must be at least 1"])
    from lora_sweep.data.captions_file import open_captions

    file = open_captions(given.folder.expanduser(), given.caption_column)
    wanted = list(file.pictures) if given.overwrite else file.uncaptioned()
    if given.overwrite and file.sidecars:
        first = file.pictures[next(iter(file.sidecars))].with_suffix(".txt")
        raise DataError(
            [f"{first} is a caption of its own; remove the .txt files before --overwrite"]
        )
    kept = len(file.pictures) - len(wanted)
    if not wanted:
        print(f"all {kept} pictures have a caption; --overwrite makes new ones")
        return 0
    quiet_libraries()
    import torch  # imported late, so that refusals come fast

    from lora_sweep.data.captioner import load_captioner
    from lora_sweep.data.check.tokens import find_tokenizer

    device = _device(given.device, torch.cuda.is_available())
    captioner = load_captioner(given.model, torch.device(device))
    words = [given.abstraction] if given.abstraction.strip() else []
    done, unread = _write(
        file, wanted, captioner, prefix, words, find_tokenizer(None), given.batch_size
    )
    print(f"{done} captions written to {file.path}; {kept} pictures had one and keep it")
    return 1 if unread else 0


def _prefix(given: str | None, abstraction: str) -> str:
    """What captions begin with; raises SettingsError where the abstraction would be in none."""
    word = abstraction.strip()
    prefix = (f"{word}, " if word else "") if given is None else given
    if word and not contains_abstraction(prefix, word):
        raise SettingsError(
            [
                f"--prefix {prefix!r}: must contain {word}, without which a caption teaches the "
                'new tokens nothing; --abstraction "" is for training without'
            ]
        )
    return prefix


def _device(asked: str, has_gpu: bool) -> str:
    if asked == "cuda" and not has_gpu:
        raise SettingsError(["--device cuda: torch finds no CUDA GPU here; must be auto or cpu"])
    return "cuda" if has_gpu and asked != "cpu" else "cpu"


def _write(
    file: CaptionsFile,
    wanted: Sequence[str],
    captioner: Captioner,
    prefix: str,
    abstractions: Sequence[str],
    tokens: TokenCounter,
    batch_size: int,
) -> tuple[int, int]:
    """Caption and save, now and then and at the end, whatever happens; returns how many, and how
    many pictures could not be read.
    """
    made: dict[str, str] = {}
    unread: list[str] = []
    saved = time.monotonic()
    try:
        for batch in _batches(file, wanted, batch_size, unread):
            texts = captioner.describe([picture for _, picture in batch])
            for (name, _), text in zip(batch, texts, strict=True):
                made[name] = shortened(prefix + text, abstractions, tokens)
                print(f"{printable(name)}: {printable(made[name])}", flush=True)
            if time.monotonic() - saved > SAVE_SECONDS:
                file.put(made)
                saved = time.monotonic()
    finally:
        if made:
            file.put(made)
    return len(made), len(unread)


def shortened(caption: str, abstractions: Sequence[str], tokens: TokenCounter) -> str:
    """The caption without the words that no text encoder sees."""
    lost = tokens.words_lost(caption, abstractions)
    return caption[: len(caption) - len(lost)].strip()


def _batches(
    file: CaptionsFile, names: Sequence[str], size: int, unread: list[str]
) -> Iterator[list[tuple[str, Image.Image]]]:
    from lora_sweep.data.images import read_preview

    batch: list[tuple[str, Image.Image]] = []
    for name in names:
        try:
            batch.append((name, read_preview(file.pictures[name], SHORT_SIDE)[0]))
        except DataError as error:
            unread.append(name)
            print(f"lora_sweep: {printable(error.problems[0])}", file=sys.stderr)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


if __name__ == "__main__":
    sys.exit(main())
