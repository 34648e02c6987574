"""python -m lora_sweep.data.caption: captions by a model, and nothing that was there is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tiny_captioner import WORDS, save_blip, save_git
from tools_help import help_without

from lora_sweep.config.settings import Dataset
from lora_sweep.data import caption
from lora_sweep.data.caption import main, shortened
from lora_sweep.data.check.tokens import MAX_TOKENS, find_tokenizer
from lora_sweep.data.sources import load_examples
from lora_sweep.quiet import quiet_libraries

quiet_libraries()

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of transformers' GIT


@pytest.fixture(scope="module")
def blip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_blip(tmp_path_factory.mktemp("models") / "blip")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, of which none has a caption."""
    place = tmp_path / "my dog"
    place.mkdir()
    for index, colour in enumerate(("red", "green", "blue"), start=9):
        Image.new("RGB", (60, 40), colour).save(place / f"{index}.png")
    return place


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Says "number 1", "number 2", ... in place of a model."""
    seen: list[Any] = []

    class Counting:
        def describe(self, pictures: list[Any]) -> list[str]:
            start = len(seen)
            seen.extend(pictures)
            return [f"number {start + index + 1}" for index in range(len(pictures))]

    monkeypatch.setattr("lora_sweep.data.captioner.load_captioner", lambda *given: Counting())
    return lambda: len(seen)


def run(folder: Path, *arguments: str | Path) -> int:
    return main([str(folder), *map(str, arguments)])


def rows(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "metadata.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def write_rows(folder: Path, *given: dict[str, Any]) -> None:
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in given)
    (folder / "metadata.jsonl").write_text(lines, encoding="utf-8")


def test_a_blip_captions_pictures_for_pivotal_tuning(
    blip: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, "--model", blip, "--prefix", "a photo of TOK, ") == 0
    written = rows(folder)
    assert [row["file_name"] for row in written] == ["9.png", "10.png", "11.png"]
    for row in written:
        assert row["text"].startswith("a photo of TOK, ")
        said = row["text"].removeprefix("a photo of TOK, ").split()
        assert said and set(said) <= set(WORDS)
    assert "3 captions written to" in capsys.readouterr().out
    examples = load_examples(Dataset(name="folder", path=str(folder), holdout="0"), folder)
    assert [each.caption for each in examples.train] == [row["text"] for row in written]


def test_captions_do_not_depend_on_chance(blip: Path, folder: Path) -> None:
    assert run(folder, "--model", blip) == 0
    once = (folder / "metadata.jsonl").read_bytes()
    assert run(folder, "--model", blip, "--overwrite") == 0
    assert (folder / "metadata.jsonl").read_bytes() == once


def test_a_git_captions_too(tmp_path: Path, folder: Path) -> None:
    assert run(folder, "--model", save_git(tmp_path / "git"), "--batch-size", "2") == 0
    assert all(set(row["text"].removeprefix("TOK, ").split()) <= set(WORDS) for row in rows(folder))


def test_what_is_there_stays_and_only_what_is_missing_is_written(
    folder: Path, counting: Callable[[], int], capsys: pytest.CaptureFixture[str]
) -> None:
    mine = {"file_name": "10.png", "text": "a TOK, mine 🐶", "licence": ["mine"]}
    write_rows(folder, mine, {"file_name": "11.png", "text": "", "note": None})
    assert run(folder) == 0
    assert rows(folder) == [
        mine,
        {"file_name": "11.png", "text": "TOK, number 2", "note": None},
        {"file_name": "9.png", "text": "TOK, number 1"},
    ]
    assert "2 captions written" in capsys.readouterr().out and counting() == 2
    before = (folder / "metadata.jsonl").read_bytes()
    assert run(folder) == 0 and counting() == 2
    assert "all 3 pictures have a caption" in capsys.readouterr().out
    assert (folder / "metadata.jsonl").read_bytes() == before
    assert run(folder, "--overwrite") == 0
    assert rows(folder)[0] == mine | {"text": "TOK, number 4"}


def test_captions_in_txt_files_stay_where_they_are(
    folder: Path, counting: Callable[[], int], capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "9.txt").write_text("TOK, mine", encoding="utf-8")
    assert run(folder) == 0 and counting() == 2
    examples = load_examples(Dataset(name="folder", path=str(folder), holdout="0"), folder)
    assert [each.caption for each in examples.train] == [
        "TOK, mine", "TOK, number 1", "TOK, number 2",
    ]  # fmt: skip
    assert run(folder, "--overwrite") == 2
    assert "9.txt is a caption of its own" in capsys.readouterr().err


def test_pictures_in_subfolders_are_captioned_where_metadata_lists_them(
    folder: Path, counting: Callable[[], int], capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "more").mkdir()
    (folder / "9.png").rename(folder / "more" / "9.png")
    assert run(folder) == 2
    assert "9.png lies in a subfolder" in capsys.readouterr().err
    write_rows(folder, {"file_name": "more/9.png"})
    assert run(folder) == 0
    assert {row["file_name"] for row in rows(folder)} == {"more/9.png", "10.png", "11.png"}


def test_a_picture_that_cannot_be_read_is_told_and_the_others_are_captioned(
    folder: Path, counting: Callable[[], int], capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "10.png").write_bytes(b"no picture")
    assert run(folder, "--batch-size", "1") == 1
    assert "10.png is not a picture" in capsys.readouterr().err
    written = {row["file_name"]: row.get("text") for row in rows(folder)}
    assert written == {"9.png": "TOK, number 1", "10.png": None, "11.png": "TOK, number 2"}


def test_interrupted_it_keeps_what_was_done(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted:
        def __init__(self) -> None:
            self.calls = 0

        def describe(self, pictures: list[Any]) -> list[str]:
            self.calls += 1
            if self.calls == 3:
                raise KeyboardInterrupt
            return ["a dog"]

    model = Interrupted()
    monkeypatch.setattr("lora_sweep.data.captioner.load_captioner", lambda *given: model)
    assert run(folder, "--batch-size", "1") == 130
    assert "run the command again to go on" in capsys.readouterr().err
    texts = [row.get("text") for row in rows(folder)]
    assert texts == ["TOK, a dog", "TOK, a dog", None]


def test_a_write_that_fails_leaves_the_file_as_it_was(
    folder: Path, counting: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rows(folder, {"file_name": "9.png", "text": "TOK, mine"})
    before = (folder / "metadata.jsonl").read_bytes()

    def full(*given: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lora_sweep.files.os.replace", full)
    assert run(folder) == 2
    assert (folder / "metadata.jsonl").read_bytes() == before
    assert [path.name for path in folder.iterdir() if path.name.startswith(".tmp")] == []


def test_what_is_written_is_saved_now_and_then(
    folder: Path, counting: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caption, "SAVE_SECONDS", -1)
    seen: list[int] = []
    monkeypatch.setattr(
        "lora_sweep.data.captions_file.CaptionsFile.put",
        lambda self, captions: seen.append(len(captions)),
    )
    assert run(folder, "--batch-size", "1") == 0
    assert seen == [1, 2, 3, 3]


def test_a_caption_loses_the_words_that_no_encoder_sees() -> None:
    tokens = find_tokenizer(None)
    long = "a TOK emoji, " + "dog " * 100
    text = shortened(long, ["TOK"], tokens)
    assert tokens.count(text) <= MAX_TOKENS and text.startswith("a TOK emoji, dog dog")
    assert tokens.words_lost(text, ["TOK"]) == "" and text.count("dog") > 65
    assert shortened("a TOK emoji", ["TOK"], tokens) == "a TOK emoji"


def test_hostile_names_and_captions_do_not_steer_the_terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Hostile:
        def describe(self, pictures: list[Any]) -> list[str]:
            return ['\x1b[31m "red" \u202e <script>'] * len(pictures)

    monkeypatch.setattr("lora_sweep.data.captioner.load_captioner", lambda *given: Hostile())
    assert run(folder) == 0
    printed = capsys.readouterr().out
    assert "\x1b" not in printed and "\u202e" not in printed
    assert rows(folder)[0]["text"].endswith("<script>")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--prefix", "a photo of "], "must contain TOK"),
        (["--prefix", "TOKYO, "], "must contain TOK"),
        (["--abstraction", "BAG", "--prefix", "a TOK"], "must contain BAG"),
        (["--batch-size", "0"], "--batch-size 0: must be at least 1"),
        (["--device", "cuda"], "torch finds no CUDA GPU here"),
        (["--model", "owner/nothing"], "hf download owner/nothing --local-dir captioner"),
        (["--model", "."], "cannot be loaded as a captioning model"),
    ],
)
def test_what_cannot_be_asked_for_is_one_clear_line_and_status_2(
    arguments: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, *arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (folder / "metadata.jsonl").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"file_name": "9.png", "text": 3}\n', "text is 3; a text is expected"),
        ('{"file_name": "8.png", "text": "x"}\n', "there is no picture '8.png'"),
        ('{"file_name": "9.png"}\nnot json\n', "not JSON"),
        ('{"file_name": "../9.png"}\n', "leaves the folder"),
    ],
)
def test_a_list_that_could_not_be_kept_as_it_is_is_refused(
    content: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "metadata.jsonl").write_text(content)
    assert run(folder) == 2
    assert message in capsys.readouterr().err
    assert (folder / "metadata.jsonl").read_text() == content


def test_folders_that_have_nothing_to_caption_are_refused(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for place, message in ((empty, "holds no pictures"), (tmp_path / "no", "does not exist"),
                           (folder / "9.png", "is not a folder")):  # fmt: skip
        assert run(place) == 2
        assert message in capsys.readouterr().err
    (folder / "metadata.csv").write_text("file_name,text\n9.png,a\n")
    assert run(folder) == 2
    assert "captions go into metadata.jsonl" in capsys.readouterr().err


def test_without_an_abstraction_captions_are_the_models_own(
    folder: Path, counting: Callable[[], int]
) -> None:
    assert run(folder, "--abstraction", "", "--caption-column", "prompt") == 0
    assert [row["prompt"] for row in rows(folder)] == ["number 1", "number 2", "number 3"]


def test_help_comes_without_torch() -> None:
    told = help_without("lora_sweep.data.caption", "torch", "numpy", "PIL", "transformers")
    assert "--overwrite" in told
