"""Training sets with faults planted on purpose, made of packaged pictures.

`python tests/data/planted.py FOLDER` makes one with every fault once.
"""

from __future__ import annotations

import io
import json
import random
import sys
from collections.abc import Mapping
from pathlib import Path

from PIL import Image, ImageFilter, ImageOps

from lora_sweep.data.packaged_sets import PACKAGED

GOOD_CAPTION = "a TOK picture, well lit"
LONG = ", ".join(["a very long description of everything that can be seen"] * 7)
HOSTILE = 'a TOK "quoted" <script>alert(1)</script> & 🐶\u202e\x1b[31m\nsecond line'


def packaged(name: str, index: int) -> Image.Image:
    """A picture of a packaged set, by its place in the folder's order."""
    with Image.open(sorted((PACKAGED / name / "train").glob("*.webp"))[index]) as picture:
        return picture.convert("RGB")


def planted_set(folder: Path) -> dict[str, set[str]]:
    """Write a set with every fault once; returns the pictures of each, by the kind's title."""
    pages = [packaged("y2k", index) for index in range(14)]
    pictures: dict[str, Image.Image] = {f"good_{index}": pages[index] for index in range(5)}
    pictures["good_portrait"] = packaged("face", 10)
    pictures["z_copy_of_0"] = jpeg(pages[0].resize((1100, 1100)))
    pictures["z_mirror_of_1"] = ImageOps.mirror(pages[1])
    pictures["low"] = pages[5].resize((640, 640))
    pictures["soft"] = pages[6].filter(ImageFilter.GaussianBlur(7))
    pictures["far"] = far_away()
    pictures["two_people"] = two_people()
    scene = {f"scene_{index}": picture for index, picture in enumerate(one_scene(pages[7], 4))}
    pictures |= scene
    captions: dict[str, str | None] = dict.fromkeys(pictures, GOOD_CAPTION)
    for index, (name, caption) in enumerate(
        {
            "uncaptioned": None,
            "wordy": f"a TOK page, {LONG}",
            "nameless": "a page",
            "late": f"{LONG} TOK",
        }.items()
    ):
        pictures[name], captions[name] = pages[8 + index], caption
    pictures["hostile"], captions["hostile"] = pages[12], HOSTILE
    write_set(folder, pictures, captions)
    cut_short(folder / "broken.png", pages[13])
    add_row(folder, "broken.png", GOOD_CAPTION)
    pages[13].resize((40, 40)).save(folder / "unlisted.png")
    return {
        "list of pictures": {""},
        "unreadable": {"broken.png"},
        "low resolution": {"low.png"},
        "blurred": {"soft.png"},
        "subject far away": {"far.png"},
        "near-duplicate": {"z_copy_of_0.png"},
        "mirror image": {"z_mirror_of_1.png"},
        "one scene": {f"{name}.png" for name in scene},
        "more than one face": {"two_people.png"},
        "no caption": {"uncaptioned.png"},
        "caption too long": {"wordy.png", "late.png"},
        "caption without the abstraction": {"nameless.png", "late.png"},
    }


def write_set(
    folder: Path, pictures: Mapping[str, Image.Image], captions: Mapping[str, str | None]
) -> None:
    """PNGs and a metadata.jsonl."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        picture.save(folder / f"{name}.png", compress_level=1)
        add_row(folder, f"{name}.png", captions[name])


def add_row(folder: Path, file_name: str, caption: str | None) -> None:
    row = {"file_name": file_name} | ({} if caption is None else {"text": caption})
    with (folder / "metadata.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def jpeg(picture: Image.Image, quality: int = 60) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def cut_short(path: Path, picture: Image.Image) -> None:
    picture.save(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def far_away() -> Image.Image:
    """A small figure on a wide plain."""
    plain = Image.linear_gradient("L").resize((1024, 1024)).convert("RGB")
    plain.paste(packaged("face", 10).resize((150, 150)), (700, 600))
    return plain


def two_people() -> Image.Image:
    """Two portraits side by side."""
    both = Image.new("RGB", (2048, 1024))
    both.paste(packaged("face_class", 0).resize((1024, 1024)), (0, 0))
    both.paste(packaged("face_class", 7).resize((1024, 1024)), (1024, 0))
    return both


def one_scene(background: Image.Image, count: int) -> list[Image.Image]:
    """The same place and light, with something small elsewhere in each."""
    draw = random.Random(0)
    pictures: list[Image.Image] = []
    for index in range(count):
        picture = background.copy()
        figure = packaged("huggy", index).resize((170, 170))
        picture.paste(figure, (draw.randrange(800), draw.randrange(800)))
        pictures.append(picture)
    return pictures


if __name__ == "__main__":
    planted_set(Path(sys.argv[1]))
