"""Print the command here that equals a TOML of sd-scripts: `python scripts/from_kohya.py config.toml`.

`python scripts/from_kohya.py --help` says more.
"""  # noqa: E501

from __future__ import annotations

import sys

from lora_sweep.translate.cli import from_kohya

if __name__ == "__main__":
    sys.exit(from_kohya())
