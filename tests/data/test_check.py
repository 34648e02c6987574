"""python -m lora_sweep.data.check: each planted fault is found, and the packaged sets have none."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from planted import (
    GOOD_CAPTION,
    HOSTILE,
    add_row,
    one_scene,
    packaged,
    planted_set,
    two_people,
    write_set,
)
from tools_help import help_without

from lora_sweep.data.check.__main__ import main
from lora_sweep.data.check.faces import face_counter
from lora_sweep.data.check.findings import MAX_DETAILS, Findings, Kind
from lora_sweep.data.check.looks import look_at
from lora_sweep.data.check.similar import alike_pairs
from lora_sweep.data.check.tokens import MAX_TOKENS, find_tokenizer
from lora_sweep.data.packaged_sets import packaged_names
from lora_sweep.data.terminal import patience

HAS_FACES = find_spec("dlib") is not None


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, set[str]]]:
    folder = tmp_path_factory.mktemp("sets") / "planted"
    return folder, planted_set(folder)


def found_in(output: str) -> dict[str, set[str]]:
    """The pictures named under each kind's heading; "" for what is said of the set."""
    found: dict[str, set[str]] = {}
    heading = ""
    for line in output.splitlines():
        if match := re.match(r"(.+) \(\d+\): ", line):
            heading = match[1]
            found[heading] = set()
        elif heading and line.startswith("  "):
            name = re.match(r"  ([\w./]+\.\w+): ", line)
            found[heading].add(name[1] if name and "/" not in name[1] else "")
    return found


def check(*arguments: str | Path) -> int:
    return main([str(argument) for argument in arguments])


def test_each_planted_fault_is_found_and_nothing_else(
    planted: tuple[Path, dict[str, set[str]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, expected = planted
    monkeypatch.chdir(tmp_path)
    assert check(folder, "--strict") == 1
    output = capsys.readouterr().out
    if not HAS_FACES:
        expected = {kind: names for kind, names in expected.items() if kind != "more than one face"}
        assert "faces were not counted" in output
    assert found_in(output) == expected


@pytest.mark.skipif(not HAS_FACES, reason="dlib-bin is not installed")
def test_faces_are_counted_where_dlib_is_installed() -> None:
    count = face_counter()
    assert count is not None
    portrait = packaged("face_class", 0).resize((512, 512))
    assert count(portrait) == 1
    assert count(two_people().resize((1024, 512))) == 2
    assert count(packaged("y2k", 0).resize((512, 512))) == 0


@pytest.mark.parametrize("name", packaged_names())
def test_there_is_no_false_alarm_on_a_packaged_set(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(name, "--strict", "--no-sheet") == 0
    assert "0 findings" in capsys.readouterr().out


def test_a_set_of_one_picture_over_again_has_no_variety(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shifted = [packaged("face", 10).crop((d, d, 940 + d, 940 + d)) for d in (0, 20, 40, 60)]
    pictures = {f"{index}": picture.resize((1024, 1024)) for index, picture in enumerate(shifted)}
    write_set(tmp_path / "set", pictures, dict.fromkeys(pictures, GOOD_CAPTION))
    assert check(tmp_path / "set", "--no-sheet") == 0, "findings are no failure without --strict"
    assert "no variety" in found_in(capsys.readouterr().out)


def test_a_photo_turned_by_exif_is_judged_upright_and_at_its_full_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    page = packaged("y2k", 0).resize((4100, 1000))
    page.save(folder / "a.jpg", exif=exif)
    (folder / "a.txt").write_text("a TOK page")
    assert check(folder, "--no-sheet") == 0
    assert "1000 x 4100 pixels; the short side should have 1024" in capsys.readouterr().out


class Reader(HTMLParser):
    """Tags and the text between them, as a browser would see them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_contact_sheet_stands_alone_and_shows_captions_without_obeying_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, sheet = tmp_path / "<b>&set", tmp_path / "out" / "sheet.html"
    write_set(folder, {"a": packaged("y2k", 0)}, {"a": HOSTILE})
    long = "one two three four five six seven eight nine ten " * 8 + "<script>last</script>"
    write_set(folder, {"b": packaged("y2k", 1)}, {"b": f"TOK {long}"})
    assert check(folder, "--sheet", sheet, "--tokenizer", "nano") == 0
    reader = Reader()
    reader.feed(sheet.read_text(encoding="utf-8"))
    names = [tag for tag, _ in reader.tags]
    assert "script" not in names and "b" not in names
    assert HOSTILE in reader.text and "<script>last</script>" in reader.text
    sources = [attrs["src"] or "" for tag, attrs in reader.tags if tag == "img"]
    assert len(sources) == 2 and all(src.startswith("data:image/jpeg;base64,") for src in sources)
    assert not [attrs for _, attrs in reader.tags if "href" in attrs]
    assert names.count("del") == 1, "the words that fall off are struck out"
    output = capsys.readouterr().out
    assert "\x1b" not in output and "\u202e" not in output, "captions do not steer the terminal"


def test_the_sheet_may_not_lie_where_training_would_take_it_for_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_set(tmp_path, {"a": packaged("y2k", 0)}, {"a": "TOK"})
    monkeypatch.chdir(tmp_path)
    assert check(".") == 2
    assert "would lie in" in capsys.readouterr().err
    assert check(".", "--no-sheet") == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere does not exist; allowed are a folder, or a packaged set: face"),
        (["empty"], "empty holds no pictures"),
        (["a.txt"], "a.txt is not a folder"),
        (["empty", "--resolution", "0"], "--resolution 0: must be at least 1"),
        (["set", "--tokenizer", "empty"], "--tokenizer empty: cannot be read"),
    ],
)
def test_what_cannot_be_checked_is_one_clear_message_and_status_2(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").write_text("no folder")
    write_set(tmp_path / "set", {"a": Image.new("RGB", (8, 8))}, {"a": "TOK"})
    assert check(*arguments, "--no-sheet") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_set_of_unreadable_pictures_only_is_reported_and_not_a_crash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.png", "b.jpg"):
        (tmp_path / name).write_bytes(b"not a picture")
        add_row(tmp_path, name, "TOK")
    assert check(tmp_path, "--strict", "--no-sheet") == 1
    assert found_in(capsys.readouterr().out) == {"unreadable": {"a.png", "b.jpg"}}


@pytest.mark.parametrize("size", [(1, 1), (2, 60), (60, 2), (3, 3)])
def test_pictures_of_any_size_and_of_one_colour_can_be_measured(size: tuple[int, int]) -> None:
    for colour in ("black", "white", "red"):
        look, _ = look_at(Image.new("RGB", size, colour), (size[1], size[0]))
        assert look.sharpness == 0 and look.detail_share == 1 and look.hash == look.mirror_hash == 0


def test_the_hash_of_the_mirror_image_is_found_without_mirroring() -> None:
    page = packaged("y2k", 3)
    look, _ = look_at(page, (1, 1))
    mirrored, _ = look_at(page.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (1, 1))
    assert (look.mirror_hash ^ mirrored.hash).bit_count() <= 2


def test_likeness_is_found_among_half_a_million_pictures_in_seconds() -> None:
    draw = np.random.default_rng(0)
    hashes = draw.integers(0, 2**63, 500_000, np.uint64)
    mirrors = draw.integers(0, 2**63, 500_000, np.uint64)
    hashes[400_000:400_100] = hashes[:100] ^ np.uint64(1 << 40)
    mirrors[300_000:300_100] = hashes[100:200] ^ np.uint64(1 << 50)
    thumbs = np.zeros((0, 16, 16, 3), np.uint8)
    pairs = alike_pairs(hashes, mirrors, thumbs)
    duplicates = {(pair.later, pair.earlier) for pair in pairs if not pair.mirrored}
    assert duplicates == {(400_000 + i, i) for i in range(100)}
    assert {(p.later, p.earlier) for p in pairs if p.mirrored} == {
        (300_000 + i, 100 + i) for i in range(100)
    }


def test_of_very_many_findings_all_are_counted_and_few_are_kept() -> None:
    findings = Findings()
    for index in range(MAX_DETAILS + 500):
        findings.add(Kind.blur, index, "x")
    assert findings.total == MAX_DETAILS + 500 and len(findings.details) == MAX_DETAILS


def test_the_words_that_fall_off_are_those_after_77_tokens() -> None:
    counter = find_tokenizer("nano")
    caption = " ".join(["a photo of a face"] * 40)
    lost = counter.words_lost(caption, [])
    kept = caption[: len(caption) - len(lost)]
    assert counter.count(kept) <= MAX_TOKENS < counter.count(kept + lost.split()[0])
    assert counter.words_lost(kept, []) == ""


def test_tokens_are_counted_as_transformers_counts_them(tmp_path: Path) -> None:
    from transformers import CLIPTokenizer

    from lora_sweep.model.clip_tokenizer import sdxl_tokenizers
    from lora_sweep.nano import WEIGHTS

    nano = CLIPTokenizer.from_pretrained(str(WEIGHTS / "tokenizer"))
    nano.save_pretrained(tmp_path)
    for ours, theirs in (
        (find_tokenizer(None), sdxl_tokenizers()[0]),
        (find_tokenizer("nano"), nano),
        (find_tokenizer(str(tmp_path)), nano),
    ):
        for text in ("a photo of TOK dog", "ÀÉÎ ünïcode 中文 1234 don't", HOSTILE, "  "):
            assert ours.count(text) == len(theirs(text).input_ids)


def test_what_takes_long_is_spoken_of_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    with patience("quick"):
        pass
    with patience("slow", 0.01):
        time.sleep(0.3)
    assert capsys.readouterr().err == "slow\n"


def test_interrupted_it_judges_what_it_has_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from lora_sweep.data.check import run

    pages = {f"{index}": packaged("y2k", index).resize((64, 64)) for index in range(3)}
    write_set(tmp_path, pages, dict.fromkeys(pages, "TOK"))
    real, seen = run.read_preview, list[Path]()

    def interrupting(path: Path, short_side: int) -> object:
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(path)
        return real(path, short_side)

    monkeypatch.setattr(run, "read_preview", interrupting)
    assert check(tmp_path, "--no-sheet") == 130
    output = capsys.readouterr().out
    assert "2 of 3 pictures were checked" in output and "low resolution (2)" in output


def test_four_pictures_of_one_place_are_one_scene_and_three_are_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = {f"{i}": each for i, each in enumerate(one_scene(packaged("y2k", 7), 3))}
    write_set(tmp_path, pictures, dict.fromkeys(pictures, "TOK"))
    check(tmp_path, "--no-sheet")
    assert "one scene" not in capsys.readouterr().out


def test_help_comes_without_numpy_or_torch() -> None:
    told = help_without("lora_sweep.data.check.__main__", "torch", "numpy", "PIL", "transformers")
    assert "--strict" in told
