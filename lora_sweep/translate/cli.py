"""The two scripts: read arguments, translate, print the command and the notes."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from lora_sweep.errors import LoraSweepError, SettingsError
from lora_sweep.translate.diffusers.translation import FOOTER, translate_command
from lora_sweep.translate.kohya.translation import translate_file
from lora_sweep.translate.result import Note, Translation, command, notes_text

USAGE = """\
Print the command of lora_sweep that equals one of diffusers' train_dreambooth_lora_sdxl_advanced.py.

  python scripts/from_diffusers.py [--images N] "accelerate launch train_dreambooth_lora_sdxl_advanced.py --…"
  python scripts/from_diffusers.py [--images N] < train.sh

The command may be given in quotes, as words, or on stdin, as it stands in a post or a notebook.
--images N   the number of training pictures, by which epochs become steps
The command is printed to stdout, notes on what will differ to stderr.
"""  # noqa: E501
KOHYA_USAGE = """\
Print the command of lora_sweep that equals a TOML file of kohya's sdxl_train_network.py.

  python scripts/from_kohya.py [--images N] config.toml [dataset.toml]

dataset.toml is needed where config.toml neither names it nor says where the pictures are.
--images N   the number of training pictures, by which epochs become steps
The command is printed to stdout, notes on what will differ to stderr.
"""


def from_diffusers(arguments: Sequence[str] | None = None) -> int:
    """Run scripts/from_diffusers.py; returns the exit status.

    0: the command runs as it is; 1: something is to settle first; 2: nothing could be translated.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] in (["-h"], ["--help"]) or (not words and sys.stdin.isatty()):
        print(USAGE, end="")
        return 0 if words else 2
    try:
        images, words = _images(words)
        text = _as_text(words) if words and words != ["-"] else sys.stdin.read()
        return _print(translate_command(text, os.environ, images), FOOTER)
    except (LoraSweepError, UnicodeDecodeError) as error:
        return _refuse("from_diffusers", error)


def from_kohya(arguments: Sequence[str] | None = None) -> int:
    """Run scripts/from_kohya.py; returns the exit status, as from_diffusers."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] in (["-h"], ["--help"]) or not words:
        print(KOHYA_USAGE, end="")
        return 0 if words else 2
    try:
        images, words = _images(words)
        if not 1 <= len(words) <= 2:
            raise SettingsError([f"{len(words)} files; give config.toml, or it and dataset.toml"])
        paths = [Path(word) for word in words]
        return _print(translate_file(paths[0], paths[1] if paths[1:] else None, images))
    except LoraSweepError as error:
        return _refuse("from_kohya", error)


def _images(words: list[str]) -> tuple[int | None, list[str]]:
    if not words or not re.match("--images(=|$)", words[0]):
        return None, words
    _, equals, text = words[0].partition("=")
    rest = words[1:] if equals else words[2:]
    value = text if equals else "".join(words[1:2])
    if not re.fullmatch("[0-9]+", value) or int(value) < 1:
        raise SettingsError([f"--images={value}: must be a whole number of at least 1"])
    return int(value), rest


def _as_text(words: Sequence[str]) -> str:
    """One word is a pasted text; several were split by the shell, curly quotes apart."""
    if len(words) == 1:
        return words[0]
    curly = "[\u2018-\u201f]"
    return " ".join(word if re.search(curly, word) else shlex.quote(word) for word in words)


def _print(translation: Translation, footer: str = "") -> int:
    print(command(translation), flush=True)
    notes = notes_text(translation, [footer] if footer else [])
    if notes:
        print(f"\n{notes}", file=sys.stderr)
    return 1 if translation.notes.get(Note.settle) else 0


def _refuse(program: str, error: Exception) -> int:
    said = error.problems if isinstance(error, SettingsError) else [str(error)]
    print(f"{program}: nothing is translated:", file=sys.stderr)
    for problem in said:
        print(f"- {problem}", file=sys.stderr)
    return 2
