"""python -m lora_sweep.results.report FOLDER ...: report.html, or the table in the terminal."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lora_sweep.errors import LoraSweepError
from lora_sweep.results.report.sources import find
from lora_sweep.results.report.text import print_text
from lora_sweep.results.report.write import write_page

PROGRAM = "python -m lora_sweep.results.report"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the report or print the table; 0 when that was done, 2 when the input is wrong."""
    asked = _parser().parse_args(arguments)
    try:
        found = find(asked.folders)
        if asked.text:
            print_text(found)
        else:
            print(write_page(found, asked.out or found.place / "report.html"))
    except LoraSweepError as error:
        print(f"lora_sweep: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Show what a sweep came to.")
    parser.add_argument(
        "folders",
        nargs="+",
        type=Path,
        metavar="FOLDER",
        help="a sweep (results/multirun/DATE/TIME), trials (results/runs/ID ...), or all trials "
        "of a results folder (results)",
    )
    parser.add_argument("--text", action="store_true", help="print the table, write nothing")
    parser.add_argument(
        "--out", type=Path, help="the file to write (default: report.html in the folder)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
