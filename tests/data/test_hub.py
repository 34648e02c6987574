"""Hugging Face data sets, from parquet files made here; nothing is downloaded."""

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lora_sweep.config.settings import Dataset
from lora_sweep.data.hub import is_hub_name
from lora_sweep.data.sources import load_examples
from lora_sweep.errors import DataError

datasets = pytest.importorskip("datasets")


def png(shade: int) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (6, 4), (shade, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


PICTURES = [png(shade) for shade in range(3)]


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    rows = {
        "image": [{"bytes": data, "path": None} for data in PICTURES],
        "text": ["a TOK", None, " TOK's hat "],
        "number": [1, 2, 3],
    }
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "text": datasets.Value("string"),
            "number": datasets.Value("int64"),
        }
    )
    path = tmp_path / "set" / "train.parquet"
    path.parent.mkdir()
    datasets.Dataset.from_dict(rows, features=features).to_parquet(str(path))
    return path


def load(path: Path | str, cache: Path, **settings: Any) -> Any:
    settings = {"holdout": "0", "instance_prompt": "a TOK hat", **settings}
    return load_examples(Dataset(path=str(path), **settings), cache)


@pytest.mark.parametrize("whole_folder", [False, True])
def test_pictures_of_parquet_files_are_kept_unchanged_by_content(
    parquet: Path, tmp_path: Path, whole_folder: bool
) -> None:
    examples = load(parquet.parent if whole_folder else parquet, tmp_path / "cache").train
    assert [example.caption for example in examples] == ["a TOK", "a TOK hat", "TOK's hat"]
    for example, data in zip(examples, PICTURES, strict=True):
        digest = hashlib.sha256(data).hexdigest()
        assert example.digest == digest
        assert example.path == tmp_path / "cache" / "pictures" / digest[:2] / digest
        assert example.path.read_bytes() == data
    written = [example.path.stat().st_mtime_ns for example in examples]
    again = load(parquet, tmp_path / "cache").train
    assert [example.path.stat().st_mtime_ns for example in again] == written, "written only once"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"image_column": "img"}, "dataset.image_column=img: "),
        ({"caption_column": "caption"}, "has the columns image, text, number"),
        ({"caption_column": "number"}, "row 0: number is 1; a text is expected"),
        ({"image_column": "number"}, "row 0: number holds no picture"),
        ({"instance_prompt": None}, "has no caption"),
    ],
)
def test_columns_that_do_not_fit_are_named(
    parquet: Path, tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(DataError) as caught:
        load(parquet, tmp_path / "cache", **settings)
    assert said in str(caught.value)


def test_a_split_that_is_not_there_is_refused_with_those_that_are(
    parquet: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"split=test\): .*train"):
        load(parquet.parent, tmp_path / "cache", split="test")


def test_a_name_that_is_neither_here_nor_on_the_hub_is_refused_as_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def unreachable(path: str, **options: Any) -> None:
        asked.update(options, path=path)
        raise ConnectionError("no network")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(
        DataError, match=r"linoy/none is no folder here, and cannot be loaded .*no net"
    ):
        load("linoy/none", tmp_path, config_name="small", split="validation")
    assert asked == {"path": "linoy/none", "name": "small", "split": "validation"}


@pytest.mark.parametrize("path", ["mnist", "owner/name", "owner/my.set-2_b"])
def test_hub_names_are_told_from_paths(path: str) -> None:
    assert is_hub_name(path)


@pytest.mark.parametrize("path", ["./a", "/a/b", "a/b/c", "../a", "~/a", "a b", "a/", "C:\\a", ""])
def test_paths_are_told_from_hub_names(path: str) -> None:
    assert not is_hub_name(path)
