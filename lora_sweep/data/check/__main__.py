"""`python -m lora_sweep.data.check <folder>`: what is wrong with the pictures of a training set.

Exit status: 0 when the set was checked, 1 with --strict when something was found, 2 when it cannot
be checked, 130 when interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lora_sweep.data.terminal import Progress, patience, printable
from lora_sweep.errors import DataError, LoraSweepError

if TYPE_CHECKING:
    from lora_sweep.data.check.run import Checked
    from lora_sweep.data.folder import Entry

LINES_OF_A_KIND = 10
WITHOUT_FACES = "faces were not counted: dlib is not installed; pip install dlib-bin"


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the set that the command line names, print what was found, and write the sheet."""
    asked = _parser().parse_args(arguments)
    try:
        return _check(asked)
    except LoraSweepError as error:
        problems = error.problems if isinstance(error, DataError) else (str(error),)
        for problem in problems:
            print(f"lora_sweep: {printable(problem)}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lora_sweep.data.check",
        description="Report what is wrong with the pictures and captions of a training set.",
        epilog="Exit status: 0; 1 with --strict and a finding; 2 when the set cannot be checked.",
    )
    parser.add_argument("folder", help="a folder of pictures, or the name of a packaged set")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if anything is found")
    parser.add_argument(
        "--resolution", type=int, default=1024, help="pixels that it is trained at; default 1024"
    )
    parser.add_argument(
        "--abstraction",
        action="append",
        metavar="WORD",
        help='the word that stands for the subject; may be repeated, "" for none; default TOK',
    )
    parser.add_argument("--caption-column", default="text", help="of metadata.jsonl; default text")
    parser.add_argument("--instance-prompt", help="caption of pictures that have none")
    parser.add_argument(
        "--tokenizer",
        help="nano, a folder, or a hub name; default: that of SDXL",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--sheet",
        type=Path,
        help="where the contact sheet goes; default <folder's name>-check.html",
    )
    where.add_argument("--no-sheet", action="store_true", help="write no contact sheet")
    return parser


def _check(arguments: argparse.Namespace) -> int:
    if arguments.resolution < 1:
        raise DataError([f"--resolution {arguments.resolution}: must be at least 1"])
    with patience("reading the list of pictures …"):
        folder, entries, problems = _find(arguments.folder, arguments.caption_column)
    sheet = None if arguments.no_sheet else _sheet_path(arguments, folder)
    from lora_sweep.data.check.faces import face_counter
    from lora_sweep.data.check.run import Asked, check_set
    from lora_sweep.data.check.tokens import find_tokenizer

    words = ["TOK"] if arguments.abstraction is None else arguments.abstraction
    asked = Asked(
        arguments.resolution,
        tuple(word for word in words if word.strip()),
        arguments.instance_prompt,
        find_tokenizer(arguments.tokenizer),
        face_counter(),
    )
    checked = check_set(folder, entries, problems, asked, Progress(len(entries)))
    summary = [f"{checked.num_looked} of {len(entries)} pictures were checked"]
    summary.append(f"tokens are those of {asked.tokens.name}")
    if asked.faces is None:
        summary.append(WITHOUT_FACES)
    _report(checked, summary)
    if sheet is not None:
        from lora_sweep.data.check.page import write_sheet

        print(f"contact sheet: {printable(str(write_sheet(sheet, checked, summary)))}")
    if checked.num_looked < len(entries):
        return 130
    return 1 if arguments.strict and checked.findings.total else 0


def _find(given: str, caption_column: str) -> tuple[Path, list[Entry], list[str]]:
    """The folder of the set, its pictures, and what is wrong with their list; raises DataError."""
    from lora_sweep.config.settings import Dataset
    from lora_sweep.data.folder import folder_entries, holds_pictures
    from lora_sweep.data.packaged_sets import PACKAGED, packaged_names

    path, problems = Path(given).expanduser().absolute(), list[str]()
    if not path.exists() and given in packaged_names():
        # A set with named subsets is checked whole.
        path, caption_column = PACKAGED / given, Dataset().caption_column or "text"
    if not path.is_dir():
        what = "is not a folder" if path.exists() else "does not exist"
        known = ", ".join(packaged_names())
        raise DataError([f"{given} {what}; allowed are a folder, or a packaged set: {known}"])
    try:
        train = path / "train"  # as of Hugging Face's ImageFolder
        folder = train if not holds_pictures(path) and train.is_dir() else path
    except OSError as error:
        raise DataError([f"{path} cannot be read: {error.strerror or error}"]) from error
    entries = folder_entries(folder, caption_column, problems)
    if not entries:
        raise DataError(problems or [f"{given} holds no pictures"])
    return folder, entries, problems


def _sheet_path(arguments: argparse.Namespace, folder: Path) -> Path:
    sheet: Path = arguments.sheet or Path(f"{folder.name}-check.html")
    if sheet.expanduser().resolve().is_relative_to(folder.resolve()):
        raise DataError(
            [
                f"{sheet} would lie in {folder}, where training takes every file for a picture; "
                "give --sheet a place outside, or --no-sheet"
            ]
        )
    return sheet.expanduser()


def _report(checked: Checked, summary: Sequence[str]) -> None:
    from lora_sweep.data.check.findings import Kind

    print("\n".join([f"{printable(checked.name)}:", *(f"  {line}" for line in summary)]))
    findings = checked.findings
    print(f"  {findings.total} finding{'' if findings.total == 1 else 's'}")
    for kind in Kind:
        count = findings.counts[kind]
        if not count:
            continue
        print(f"\n{kind.title} ({count}): {kind.reason}")
        for found in findings.of_kind(kind)[:LINES_OF_A_KIND]:
            place = "" if found.picture is None else f"{checked.where(found.picture)}: "
            print(f"  {printable(place + found.text)}")
        if count > LINES_OF_A_KIND:
            print(f"  and {count - LINES_OF_A_KIND} more")


if __name__ == "__main__":
    sys.exit(main())
