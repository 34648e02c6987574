"""Measure the embedded base and write its card: `python scripts/measure_nano.py`.

Takes some minutes on two cores. Ends with an error if a measure is below what the base must reach.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, help="base folder (the packaged one)")
    parser.add_argument("--corpus", type=Path, default=Path("build/nano/corpus"))
    parser.add_argument("--duration", default="", help="a sentence for the card: on what, how long")
    arguments = parser.parse_args()
    from lora_sweep.nano import WEIGHTS
    from lora_sweep.nano.build.card import write_card
    from lora_sweep.nano.build.corpus import draw_corpus
    from lora_sweep.nano.build.measures import below_floor, measure_base, write_measures
    from lora_sweep.nano.build.pipeline import HELDOUT, SEED
    from lora_sweep.nano.build.sheet import draw_sheet
    from lora_sweep.quiet import hide_progress_bars

    hide_progress_bars()
    base = arguments.base or WEIGHTS
    heldout = draw_corpus(arguments.corpus, HELDOUT, SEED, "heldout")
    packaged = Path(__file__).parents[1] / "lora_sweep" / "data" / "packaged" / "huggy" / "train"
    measures = measure_base(base, heldout, sorted(packaged.iterdir()))
    for name, value in vars(measures).items():
        print(f"{name:20} {value:.4f}")
    write_measures(measures, base / "measures.json")
    draw_sheet(base, base / "sheet.png")
    print(f"card: {write_card(base, measures, arguments.duration)}")
    if problems := below_floor(measures):
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
