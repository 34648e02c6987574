"""Build the embedded base from nothing: `python scripts/build_nano.py --work build/nano`.

Takes about two hours on two cores; a killed build goes on when the command is given again.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for the build's files")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    from lora_sweep.nano.build.pipeline import build

    base = build(arguments.work)
    print(f"the base is in {base}")


if __name__ == "__main__":
    main()
