"""One picture of a sweep: training pictures on top, then a row of samples for each setting.

python scripts/draw_sweep.py results/multirun/DATE/TIME sheet.webp
python scripts/draw_sweep.py results/multirun/DATE/TIME sheet.webp --drawn results/generated/D/T

A row has, for every seed of the setting and every prompt, the samples of the trials' last step; or
what `python -m lora_sweep.results.generate` has drawn with these trials.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from lora_sweep.data.images import read_picture
from lora_sweep.data.sources import load_examples
from lora_sweep.errors import LoraSweepError
from lora_sweep.quiet import quiet_libraries
from lora_sweep.results.finished import finished_trials
from lora_sweep.results.report.read import Found
from lora_sweep.results.report.sources import find

GAP, FONT_SIZE, LABEL = 2, 12, 110
LONGEST_LINE = 16  # characters of a label
QUALITY = 80  # of WebP
SELF_EVIDENT = ("experiment", "optimizer", "te_mode", "prior", "snr")
"""Axes whose values need no name beside them."""

INK, PAPER = "#222222", "#ffffff"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sweep", type=Path, help="the folder with sweep.json")
    parser.add_argument("picture", type=Path, help="the WebP or PNG file to write")
    parser.add_argument("--images", type=int, default=2, help="of each prompt and seed (2)")
    parser.add_argument("--edge", type=int, default=64, help="pixels of each in the sheet (64)")
    parser.add_argument("--drawn", type=Path, help="a folder of pictures drawn afterwards")
    arguments = parser.parse_args()
    quiet_libraries()
    try:
        draw_sweep(
            arguments.sweep, arguments.picture, arguments.images, arguments.edge, arguments.drawn
        )
    except LoraSweepError as error:
        sys.exit(str(error))


def draw_sweep(sweep: Path, picture: Path, images: int, edge: int, drawn: Path | None) -> None:
    """Write the sheet. Raises StoreError and DataError."""
    found = find([sweep])
    taken = samples_of if drawn is None else partial(drawn_of, drawn)
    rows = [(label_of(found, group), taken(found, group, images)) for group in found.groups]
    width = max(len(pictures) for _, pictures in rows)
    rows.insert(0, ("training pictures", training_pictures(found, width)))
    draw_rows(rows, edge).save(picture, quality=QUALITY)


def label_of(found: Found, group: Sequence[int]) -> str:
    """What sets the trials of a group apart, a line for each axis."""
    values = found.values[group[0]]
    shown = {axis.name: values.get(axis.name) for axis in found.axes if not axis.is_seed}
    lines: list[str] = []
    for name, value in shown.items():
        line = str(value) if name in SELF_EVIDENT else f"{name.split('.')[-1]} {value}"
        if value is not None:
            lines += [line] if len(line) <= LONGEST_LINE else line.split()
    return "\n".join(lines)


def samples_of(found: Found, group: Sequence[int], count: int) -> list[Image.Image]:
    """The last samples of each trial: `count` of each prompt."""
    pictures: list[Image.Image] = []
    for trial in (found.trials[index] for index in group):
        last = max((sample.step for sample in trial.samples), default=None)
        of_last = [sample for sample in trial.samples if sample.step == last]
        for _, same in groupby(of_last, key=lambda sample: sample.prompt):
            some = list(same)[:count]
            pictures += [read_picture(trial.folder.samples / sample.file) for sample in some]
    return pictures


def drawn_of(folder: Path, found: Found, group: Sequence[int], count: int) -> list[Image.Image]:
    """What was drawn afterwards with each trial: `count` of each prompt."""
    listed = json.loads((folder / "pictures.json").read_text(encoding="utf-8"))["pictures"]
    pictures: list[Image.Image] = []
    for id in (found.trials[index].id for index in group):
        of_trial = [row for row in listed if row["trial"] == id]
        for _, same in groupby(of_trial, key=lambda row: row["prompt"]):
            pictures += [read_picture(folder / row["file"]) for row in list(same)[:count]]
    return pictures


def training_pictures(found: Found, count: int) -> list[Image.Image]:
    """Pictures that the first trial was trained on, as they are measured."""
    from lora_sweep.results.measure.pictures import centre_square

    (trial,) = finished_trials(found.store.root, [found.trials[0].id])
    data, size = trial.settings.dataset, trial.settings.model.resolution
    examples = load_examples(data, found.store.root).train[:count]
    return [centre_square(example, data, size) for example in examples]


def draw_rows(rows: Sequence[tuple[str, Sequence[Image.Image]]], edge: int) -> Image.Image:
    """Labels on the left, pictures beside them."""
    columns, step = max(len(pictures) for _, pictures in rows), edge + GAP
    sheet = Image.new("RGB", (LABEL + columns * step, len(rows) * step + GAP), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT_SIZE)
    for place, (label, pictures) in enumerate(rows):
        top = GAP + place * step
        draw.text((GAP, top + GAP), label, INK, font, spacing=2)
        for column, picture in enumerate(pictures):
            scaled = picture.resize((edge, edge), Image.Resampling.LANCZOS)
            sheet.paste(scaled, (LABEL + column * step, top))
    return sheet


if __name__ == "__main__":
    main()
