"""Print the command here that equals one of diffusers' script: `python scripts/from_diffusers.py "…"`.

`python scripts/from_diffusers.py --help` says more.
"""  # noqa: E501

from __future__ import annotations

import sys

from lora_sweep.translate.cli import from_diffusers

if __name__ == "__main__":
    sys.exit(from_diffusers())
