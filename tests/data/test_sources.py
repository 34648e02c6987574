"""Data sets of every layout give the same examples, and each fault is named with the remedy."""

from __future__ import annotations

import json
import subprocess
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lora_sweep.config.settings import Dataset, PriorReal
from lora_sweep.data.examples import Examples
from lora_sweep.data.folder import natural_key
from lora_sweep.data.sources import class_examples, load_examples, real_class_examples
from lora_sweep.errors import DataError


def put_picture(path: Path, shade: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (6, 4), (shade, 0, 0)).save(path, "PNG")
    return path


def put_pictures(folder: Path, count: int) -> list[str]:
    names = [f"{index}.png" for index in range(count)]
    for index, name in enumerate(names):
        put_picture(folder / name, index)
    return names


def put_rows(folder: Path, rows: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "metadata.jsonl").write_text(text, encoding="utf-8")


def load(folder: Path, **settings: Any) -> Examples:
    settings = {"holdout": "0", **settings}
    return load_examples(Dataset(name="mine", path=str(folder), **settings), folder / ".cache")


def problems_of(folder: Path, **settings: Any) -> list[str]:
    with pytest.raises(DataError) as caught:
        load(folder, **settings)
    return list(caught.value.problems)


def the_problem_of(folder: Path, **settings: Any) -> str:
    (problem,) = problems_of(folder, **settings)
    return problem


def test_all_layouts_give_the_same_content(tmp_path: Path) -> None:
    captions = [f'a TOK, "no. {index}", été' for index in range(12)]
    rows = [{"file_name": f"{index}.png", "text": text} for index, text in enumerate(captions)]
    for layout in ("jsonl", "csv", "txt", "split"):
        put_pictures(tmp_path / layout / ("train" if layout == "split" else ""), 12)
    put_rows(tmp_path / "jsonl", rows[::-1])
    put_rows(tmp_path / "split" / "train", rows)
    put_pictures(tmp_path / "split" / "test", 2)
    lines = [
        f'{index}.png,"{text.replace(chr(34), chr(34) * 2)}"' for index, text in enumerate(captions)
    ]
    csv = "\r\n".join(["file_name,text", *lines])
    (tmp_path / "csv" / "metadata.csv").write_text(csv, encoding="utf-8-sig")
    for index, text in enumerate(captions):
        (tmp_path / "txt" / f"{index}.txt").write_text(f"{text}\n", encoding="utf-8")

    loaded = {layout: load(tmp_path / layout) for layout in ("jsonl", "csv", "txt", "split")}

    assert [example.caption for example in loaded["jsonl"].train] == captions, "2 comes before 10"
    assert [example.path.name for example in loaded["csv"].train] == [f"{i}.png" for i in range(12)]
    assert len({examples.content_hash for examples in loaded.values()}) == 1


def test_the_content_hash_follows_pictures_captions_and_split(tmp_path: Path) -> None:
    put_pictures(tmp_path, 9)
    base = load(tmp_path, instance_prompt="a TOK")
    assert load(tmp_path, instance_prompt="a TOK").content_hash == base.content_hash
    assert load(tmp_path, instance_prompt="TOK").content_hash != base.content_hash
    assert load(tmp_path, instance_prompt="a TOK", holdout="1").content_hash != base.content_hash
    put_picture(tmp_path / "3.png", 77)
    assert load(tmp_path, instance_prompt="a TOK").content_hash != base.content_hash


def test_the_prompt_captions_every_picture_that_has_no_caption(tmp_path: Path) -> None:
    put_pictures(tmp_path, 3)
    (tmp_path / "1.txt").write_text("a TOK on a table")
    (tmp_path / "2.txt").write_text(" \n")
    captions = [example.caption for example in load(tmp_path, instance_prompt="a TOK").train]
    assert captions == ["a TOK", "a TOK on a table", "a TOK"]


def test_metadata_comes_first_and_a_text_file_fills_its_gaps(tmp_path: Path) -> None:
    names = put_pictures(tmp_path, 3)
    put_rows(
        tmp_path, [{"file_name": names[0], "text": "one"}, *({"file_name": n} for n in names[1:])]
    )
    (tmp_path / "1.txt").write_text("two")
    (tmp_path / "0.txt").write_text("one\n")
    captions = [example.caption for example in load(tmp_path, instance_prompt="three").train]
    assert captions == ["one", "two", "three"]
    (tmp_path / "0.txt").write_text("another")
    problem = the_problem_of(tmp_path, instance_prompt="three")
    assert "two captions" in problem and "'one'" in problem and "'another'" in problem


def test_a_null_caption_column_captions_all_by_the_prompt(tmp_path: Path) -> None:
    (name,) = put_pictures(tmp_path, 1)
    put_rows(tmp_path, [{"file_name": name, "text": "unused"}])
    (example,) = load(tmp_path, caption_column=None, instance_prompt="a TOK").train
    assert example.caption == "a TOK"


def test_pictures_may_lie_in_subfolders_when_metadata_lists_them(tmp_path: Path) -> None:
    put_picture(tmp_path / "a" / "b" / "x.png")
    put_rows(tmp_path, [{"file_name": "./a/b/x.png", "text": "TOK"}])
    (example,) = load(tmp_path).train
    assert example.path == tmp_path / "a" / "b" / "x.png"
    assert example.size_HW == (4, 6)


def test_accented_names_are_found_in_either_unicode_form(tmp_path: Path) -> None:
    put_picture(tmp_path / unicodedata.normalize("NFD", "été.png"))
    put_rows(tmp_path, [{"file_name": unicodedata.normalize("NFC", "été.png"), "text": "TOK"}])
    assert len(load(tmp_path).train) == 1


def test_files_that_are_no_pictures_by_custom_are_passed_over(tmp_path: Path) -> None:
    put_pictures(tmp_path, 1)
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._0.png", "notes.txt", "README.md"):
        (tmp_path / name).write_text("TOK")
    put_picture(tmp_path / "__MACOSX" / "0.png")
    assert len(load(tmp_path, instance_prompt="TOK").train) == 1


def test_a_subfolder_without_metadata_is_reported(tmp_path: Path) -> None:
    put_pictures(tmp_path, 1)
    put_pictures(tmp_path / "10_tok dog", 2)
    assert f"{tmp_path / '10_tok dog'} is a subfolder" in the_problem_of(
        tmp_path, instance_prompt="a"
    )


def test_every_problem_of_every_file_is_reported_at_once(tmp_path: Path) -> None:
    put_pictures(tmp_path, 4)
    (tmp_path / "2.png").write_bytes(b"")
    rows: list[dict[str, Any]] = [
        {"file_name": "0.png", "text": "a TOK"},
        {"file_name": "0.png", "text": "again"},
        {"file_name": "1.png", "text": 7},
        {"file_name": "2.png", "text": "a TOK"},
        {"file_name": "missing.png", "text": "a TOK"},
        {"file_name": "../secret.png", "text": "a TOK"},
        {"file_name": "/etc/passwd", "text": "a TOK"},
        {"file_name": "C:\\secret.png", "text": "a TOK"},
        {"file_name": "a\\..\\..\\secret.png", "text": "a TOK"},
        {"text": "no name"},
    ]
    put_rows(tmp_path, rows)
    with (tmp_path / "metadata.jsonl").open("a") as file:
        file.write('{"file_name": \n["a list"]\n\n')
    said = "\n".join(problems_of(tmp_path))
    for line, part in [
        (2, "'0.png' is already in line 1"),
        (3, "text is 7; a text is expected"),
        (5, "there is no file 'missing.png'"),
        (6, "'../secret.png' leaves the folder"),
        (7, "'/etc/passwd' leaves the folder"),
        (8, "'C:\\\\secret.png' leaves the folder"),
        (9, "leaves the folder"),
        (10, "no file_name; the columns are text"),
        (11, "not JSON"),
        (12, "is not a JSON object"),
    ]:
        assert f"{tmp_path / 'metadata.jsonl'}, line {line}: " in said
        assert part in said
    assert f"{tmp_path / '2.png'} is empty" in said
    assert f"{tmp_path / '3.png'} is not listed in metadata.jsonl" in said
    assert len(said.splitlines()) == 12


def test_a_wrong_caption_column_lists_the_columns_and_nothing_more(tmp_path: Path) -> None:
    names = put_pictures(tmp_path, 3)
    put_rows(tmp_path, [{"file_name": name, "caption": "TOK", "tags": ""} for name in names])
    problem = the_problem_of(tmp_path)
    assert problem.startswith("dataset.caption_column=text: ")
    assert "has the columns caption, file_name, tags" in problem


def test_a_missing_caption_names_the_picture_and_the_remedies(tmp_path: Path) -> None:
    put_pictures(tmp_path, 2)
    (tmp_path / "0.txt").write_text("a TOK")
    problem = the_problem_of(tmp_path)
    assert f"{tmp_path / '1.png'} has no caption" in problem
    assert "1.txt" in problem and "dataset.instance_prompt" in problem


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("0.txt", b"one\ntwo", "has 2 lines; one line, the caption, is allowed"),
        ("0.txt", b"\xff\xfeT\0", "is not UTF-8 text"),
        ("metadata.jsonl", b"\xff", "is not UTF-8 text"),
        ("metadata.jsonl", b"", "is not listed in metadata.jsonl"),
        ("metadata.csv", b"file_name,text\n0.png,a TOK, smiling\n", "more values than columns"),
        ("metadata.csv", b'file_name,text\n0.png,"a TOK\n', "not CSV"),
        ("metadata.csv", b"name,text\n0.png,a TOK\n", "no file_name; the columns are name, text"),
    ],
)
def test_a_caption_file_that_cannot_be_understood_is_reported(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    put_pictures(tmp_path, 1)
    (tmp_path / name).write_bytes(content)
    assert said in "\n".join(problems_of(tmp_path))


def test_two_metadata_files_are_refused(tmp_path: Path) -> None:
    put_pictures(tmp_path, 1)
    put_rows(tmp_path, [])
    (tmp_path / "metadata.csv").write_text("file_name,text\n")
    assert "has both metadata.jsonl and metadata.csv; keep one" in the_problem_of(tmp_path)


def test_missing_and_empty_folders_and_wrong_files_are_named(tmp_path: Path) -> None:
    assert "does not exist; allowed are a folder" in the_problem_of(tmp_path / "no such")
    assert "holds no pictures" in the_problem_of(tmp_path, instance_prompt="TOK")
    picture = put_picture(tmp_path / "one.png")
    with pytest.raises(DataError, match=r"is a file; allowed are a folder"):
        load_examples(Dataset(path=str(picture)), tmp_path)
    put_rows(tmp_path, [])
    picture.unlink()
    assert "metadata.jsonl is empty" in "\n".join(problems_of(tmp_path))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            Dataset(name="hugy"),
            "dataset.name=hugy: no packaged data set has that name; allowed are",
        ),
        (Dataset(set="sitting"), "dataset.set=sitting: allowed for huggy is only null"),
        (Dataset(name="face"), "dataset.set=null: allowed for face is sitting or varied"),
        (Dataset(name="face", set="x"), "dataset.set=x: allowed for face is sitting or varied"),
        (Dataset(holdout="7"), "dataset.holdout=7: allowed is auto or 0 to 6"),
        (Dataset(holdout="-1"), "dataset.holdout=-1: allowed is auto or 0 to 6"),
        (Dataset(subset=32), "dataset.subset=32: there are 31 pictures to train on"),
        (Dataset(subset=0), "allowed is null or 1 to 31"),
    ],
)
def test_settings_that_do_not_fit_a_packaged_set_are_refused(
    tmp_path: Path, settings: Dataset, said: str
) -> None:
    with pytest.raises(DataError) as caught:
        load_examples(settings, tmp_path)
    assert len(caught.value.problems) == 1
    assert said in caught.value.problems[0]


def test_packaged_sets_bring_their_held_out_pictures(tmp_path: Path) -> None:
    huggy = load_examples(Dataset(), tmp_path)
    assert (len(huggy.train), len(huggy.heldout)) == (31, 6)
    assert {example.split for example in huggy.heldout} == {"heldout"}
    fewer = load_examples(Dataset(holdout="2"), tmp_path)
    assert fewer.heldout == huggy.heldout[:2] and fewer.train == huggy.train
    assert load_examples(Dataset(holdout="0"), tmp_path).heldout == ()


def test_problems_of_subset_and_holdout_are_reported_together(tmp_path: Path) -> None:
    put_pictures(tmp_path, 4)
    holdout, subset = problems_of(tmp_path, instance_prompt="a", holdout="4", subset=9)
    assert "dataset.holdout=4" in holdout and "dataset.subset=9" in subset


def test_class_pictures_have_their_captions_or_the_class_prompt(tmp_path: Path) -> None:
    put_pictures(tmp_path, 12)
    (tmp_path / "0.txt").write_text("a tall woman")
    prior = PriorReal(path=str(tmp_path), num_class_images=11)
    examples = real_class_examples(prior, Dataset(class_noun="woman"))
    assert [example.caption for example in examples] == ["a tall woman"] + 10 * ["a woman"]
    assert examples[10].path.name == "10.png"
    named = replace(prior, class_prompt="a person")
    assert real_class_examples(named, Dataset())[1].caption == "a person"
    assert len(class_examples(tmp_path, "a woman", 99)) == 12


def test_class_pictures_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a folder"):
        real_class_examples(PriorReal(path=str(tmp_path / "none")), Dataset())
    with pytest.raises(DataError, match="holds no pictures"):
        real_class_examples(PriorReal(path=str(tmp_path)), Dataset())
    with pytest.raises(DataError, match=r"packaged for dataset\.name=huggy, only face_class"):
        real_class_examples(PriorReal(), Dataset())


def test_numbers_in_names_count_as_numbers() -> None:
    names = ["b2.png", "b10.png", "B1.png", "b02.png", "a.png", "3.png", "x².png"]
    expected = ["3.png", "a.png", "B1.png", "b02.png", "b2.png", "b10.png", "x².png"]
    assert sorted(names, key=natural_key) == expected


def test_listing_a_dataset_imports_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from lora_sweep.config.settings import Dataset\n"
        "from lora_sweep.data.sources import load_examples\n"
        f"load_examples(Dataset(), Path({str(tmp_path)!r}))\n"
        "assert 'torch' not in sys.modules and 'datasets' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
