"""The packaged pictures: counts, sizes, captions, notices. Reads the files as any user would."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from PIL import Image

PACKAGED = Path(__file__).resolve().parents[2] / "lora_sweep" / "data" / "packaged"
COUNTS = {"huggy": (31, 6), "y2k": (27, 5), "face": (16, 3)}
SIDES = {"huggy": 1024, "y2k": 1024, "face": 1024, "face_class": 512}
NOTICES = {
    "huggy": ("Google", "Apache License, Version 2.0", "Changes made"),
    "y2k": ("made by this project",),
    "face": ("drawn by this project",),
    "face_class": ("drawn by this project",),
}

Row = dict[str, str]


def rows(name: str) -> list[Row]:
    text = (PACKAGED / name / "metadata.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("name", COUNTS)
def test_every_set_has_the_promised_number_of_pictures(name: str) -> None:
    splits = [row["split"] for row in rows(name)]
    assert (splits.count("train"), splits.count("heldout")) == COUNTS[name]
    assert len(splits) == sum(COUNTS[name])


def test_the_face_pictures_are_ten_of_one_sitting_and_six_varied_ones() -> None:
    kinds = [(row["set"], row["split"]) for row in rows("face")]
    assert kinds.count(("sitting", "train")) == 10
    assert kinds.count(("varied", "train")) == 6
    assert kinds.count(("heldout", "heldout")) == 3


def test_there_are_24_class_portraits() -> None:
    assert len(rows("face_class")) == 24


@pytest.mark.parametrize("name", SIDES)
def test_every_row_names_a_picture_of_the_promised_size(name: str) -> None:
    for row in rows(name):
        with Image.open(PACKAGED / name / row["file_name"]) as image:
            assert image.size == (SIDES[name], SIDES[name]), row["file_name"]
            assert image.mode in ("RGB", "RGBA"), row["file_name"]


@pytest.mark.parametrize("name", SIDES)
def test_every_picture_is_named_by_exactly_one_row(name: str) -> None:
    named = sorted(row["file_name"] for row in rows(name))
    folder = PACKAGED / name
    found = sorted(p.relative_to(folder).as_posix() for p in folder.glob("*/*") if p.is_file())
    assert named == found


@pytest.mark.parametrize("name", SIDES)
def test_a_picture_lies_in_the_folder_of_its_split(name: str) -> None:
    for row in rows(name):
        assert row["file_name"].split("/")[0] == row["split"]


@pytest.mark.parametrize("name", COUNTS)
def test_every_caption_holds_the_abstraction_once_as_a_word(name: str) -> None:
    for row in rows(name):
        assert re.findall(r"\bTOK\b", row["text"]) == ["TOK"], row
        assert row["text"].upper().count("TOK") == 1, row


def test_class_captions_do_not_hold_the_abstraction() -> None:
    assert not [row for row in rows("face_class") if "TOK" in row["text"].upper()]


@pytest.mark.parametrize("name", SIDES)
def test_no_two_captions_of_a_set_are_equal(name: str) -> None:
    captions = [row["text"] for row in rows(name)]
    assert len(set(captions)) == len(captions)


def test_no_two_pictures_are_identical() -> None:
    seen: dict[str, str] = {}
    for name in SIDES:
        for row in rows(name):
            with Image.open(PACKAGED / name / row["file_name"]) as image:
                digest = hashlib.sha256(image.convert("RGB").tobytes()).hexdigest()
            assert digest not in seen, f"{row['file_name']} equals {seen.get(digest)}"
            seen[digest] = row["file_name"]


@pytest.mark.parametrize("name", NOTICES)
def test_every_set_says_where_it_comes_from_and_under_which_licence(name: str) -> None:
    notice = " ".join((PACKAGED / name / "NOTICE.md").read_text(encoding="utf-8").split())
    assert "Licence" in notice
    for words in NOTICES[name]:
        assert words in notice


def test_the_packaged_pictures_take_at_most_seven_megabytes() -> None:
    files = [p for name in SIDES for p in (PACKAGED / name).rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in files) <= 7_000_000
