"""Build the `huggy` pictures: 31 Noto emoji faces to train on and 6 held out.

    python scripts/build_pictures/huggy.py --out lora_sweep/data/packaged/huggy

`noto_faces.json` beside this file holds the SVG bodies, copied unchanged from the npm package
@iconify-json/noto 1.2.9 (Google Noto Emoji, Apache License 2.0).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from pictures import PACKAGED, Picture, rasterise, write_collection

SIZE = 1024
SOURCE = Path(__file__).with_name("noto_faces.json")

TRAIN = {
    "smiling-face-with-open-hands": "a TOK emoji, smiling, with open hands",
    "cowboy-hat-face": "a TOK emoji wearing a brown cowboy hat, grinning",
    "smiling-face-with-sunglasses": "a TOK emoji wearing black sunglasses, looking cool",
    "partying-face": "a TOK emoji at a party, with a pink party hat, confetti and a party horn",
    "smiling-face-with-halo": "a TOK emoji as an angel, smiling, with a blue halo above its head",
    "disguised-face": "a TOK emoji in disguise, with blue glasses, a big nose and a moustache",
    "nerd-face": "a TOK emoji wearing thick black nerd glasses, with a wide smile",
    "face-with-monocle": "a TOK emoji looking curiously through a monocle on a chain",
    "thinking-face": "a TOK emoji thinking, with a hand on its chin and one eyebrow raised",
    "saluting-face": "a TOK emoji saluting, with a hand at its forehead",
    "face-with-hand-over-mouth": "a TOK emoji giggling, with a hand over its mouth",
    "smiling-face-with-heart-eyes": "a TOK emoji in love, with red hearts for eyes",
    "smiling-face-with-hearts": "a TOK emoji blushing happily, surrounded by three red hearts",
    "face-blowing-a-kiss": "a TOK emoji winking and blowing a kiss, with a small red heart",
    "face-with-tears-of-joy": "a TOK emoji laughing so hard that it cries tears of joy",
    "rolling-on-the-floor-laughing": "a TOK emoji tilted over, rolling on the floor laughing",
    "zany-face": "a TOK emoji being silly, with mismatched eyes and its tongue out",
    "winking-face": "a TOK emoji winking, with a small smile",
    "grinning-face-with-smiling-eyes": "a TOK emoji grinning, with its mouth open and happy eyes",
    "sleeping-face": "a TOK emoji fast asleep, with blue letters Z floating above it",
    "face-with-head-bandage": "a TOK emoji with a white bandage around its head, hurt and sad",
    "face-with-medical-mask": "a TOK emoji wearing a white medical mask",
    "face-in-clouds": "a TOK emoji with its head in the clouds, absent-minded",
    "melting-face": "a TOK emoji melting into a puddle, still smiling",
    "money-mouth-face": "a TOK emoji with dollar signs for eyes and a banknote for a tongue",
    "loudly-crying-face": "a TOK emoji crying loudly, with two streams of tears",
    "face-with-spiral-eyes": "a TOK emoji feeling dizzy, with spirals for eyes and a wavy mouth",
    "pleading-face": "a TOK emoji pleading, with big puppy eyes",
    "face-savoring-food": "a TOK emoji licking its lips, enjoying something tasty",
    "yawning-face": "a TOK emoji yawning, tired, with a hand in front of its wide open mouth",
    "zipper-mouth-face": "a TOK emoji with a zipper for a mouth, keeping a secret",
}

HELDOUT = {
    "shushing-face": "a TOK emoji asking for silence, with a finger on its lips",
    "winking-face-with-tongue": "a TOK emoji joking, winking with its tongue out",
    "lying-face": "a TOK emoji telling a lie, with a very long nose",
    "face-with-peeking-eye": "a TOK emoji hiding behind both hands, peeking with one eye",
    "grinning-face-with-sweat": "a TOK emoji laughing nervously, with a drop of sweat",
    "face-with-steam-from-nose": "a TOK emoji annoyed, with steam coming out of its nose",
}

NOTICE = """\
# Huggy pictures

37 faces of **Google Noto Emoji** (31 in `train/`, 6 in `heldout/`), with captions of our own.

- Copyright: Google Inc. and the Noto Emoji authors, <https://github.com/googlefonts/noto-emoji>.
- Licence of the drawings: **Apache License, Version 2.0**,
  <https://www.apache.org/licenses/LICENSE-2.0>. You may not use these files except in compliance
  with it; they are distributed on an "AS IS" basis, without warranties or conditions of any kind.
- Obtained as SVG from the npm package `@iconify-json/noto` 1.2.9 (Iconify), which carries the
  same licence.
- **Changes made to the original files:** drawn from SVG to pixels at 1024 x 1024, the transparent
  background filled with white, saved as lossless WebP, and renamed. Nothing was redrawn.
- Made by `scripts/build_pictures/huggy.py` from `scripts/build_pictures/noto_faces.json`.

The captions use `TOK` as the word that stands for the subject.
"""


def draw_faces() -> Iterator[Picture]:
    """Yield the 37 faces, training pictures first, numbered in the order of the captions."""
    source = json.loads(SOURCE.read_text())
    for split, captions in (("train", TRAIN), ("heldout", HELDOUT)):
        for number, (icon, caption) in enumerate(captions.items()):
            side = source["viewbox"]
            svg = (
                '<svg xmlns="http://www.w3.org/2000/svg" '
                'xmlns:xlink="http://www.w3.org/1999/xlink" '
                f'viewBox="0 0 {side} {side}">{source["bodies"][icon]}</svg>'
            )
            yield Picture(f"{number:02d}_{icon}", caption, split, rasterise(svg, SIZE))


def main() -> None:
    """Parse the command line and build."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=PACKAGED / "huggy")
    write_collection(parser.parse_args().out, draw_faces(), NOTICE)


if __name__ == "__main__":
    main()
