"""The metadata.jsonl of a folder, to which captions are added; nothing that is in it is lost."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lora_sweep.data.folder import list_files
from lora_sweep.data.images import SUFFIXES
from lora_sweep.data.metadata import read_metadata, read_text
from lora_sweep.errors import DataError
from lora_sweep.files import atomic_write


@dataclass
class CaptionsFile:
    """The pictures of a folder, and a row for each, with whatever else its row holds."""

    path: Path  # of metadata.jsonl
    column: str
    pictures: dict[str, Path]  # by the name in the rows, in natural order
    rows: dict[str, dict[str, Any]]
    sidecars: dict[str, str] = field(default_factory=dict)  # captions in .txt files

    def caption(self, name: str) -> str:
        """What a picture is captioned with; "" where there is nothing."""
        value = self.rows[name].get(self.column)
        return (value.strip() if isinstance(value, str) else "") or self.sidecars.get(name, "")

    def uncaptioned(self) -> list[str]:
        """Names of the pictures without a caption."""
        return [name for name in self.pictures if not self.caption(name)]

    def put(self, captions: Mapping[str, str]) -> None:
        """Set captions by name, and write the file in one step. Raises StoreError."""
        for name, caption in captions.items():
            self.rows[name][self.column] = caption
        lines = (json.dumps(row, ensure_ascii=False) for row in self.rows.values())
        atomic_write(self.path, "".join(f"{line}\n" for line in lines))


def open_captions(folder: Path, column: str) -> CaptionsFile:
    """Read what a folder has; raises DataError where captions could not be added without loss."""
    problems: list[str] = []
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise DataError([f"{folder} {what}"])
    path = folder / "metadata.jsonl"
    try:
        files = list_files(folder)
    except OSError as error:
        raise DataError([f"{folder} cannot be read: {error.strerror or error}"]) from error
    if (table := folder / "metadata.csv").is_file():
        raise DataError([f"{table}: captions go into metadata.jsonl; make one of it, or remove it"])
    pictures = {name: file for name, file in files.items() if file.suffix.lower() in SUFFIXES}
    rows: dict[str, dict[str, Any]] = {}
    for row in read_metadata(path, problems) if path.is_file() else []:
        name = unicodedata.normalize("NFC", row.file_name)
        rows[name] = dict(row.values)
        value = row.values.get(column)
        if value is not None and not isinstance(value, str):
            problems.append(f"{row.where}: {column} is {value!r}; a text is expected")
        elif name not in pictures:
            problems.append(f"{row.where}: there is no picture {row.file_name!r} in {folder}")
    if not rows:
        problems += [
            f"{folder / name} lies in a subfolder; pictures there are taken only if metadata.jsonl "
            "lists them: add a row with its file_name, or move it"
            for name in pictures
            if "/" in name
        ]
    if not pictures and not problems:
        problems.append(f"{folder} holds no pictures")
    sidecars = _sidecars(pictures, problems)
    if problems:
        raise DataError(problems)
    # Rows that are there keep their order; what is not listed comes after them.
    rows |= {name: {"file_name": name} for name in pictures if name not in rows}
    return CaptionsFile(path, column, pictures, rows, sidecars)


def _sidecars(pictures: Mapping[str, Path], problems: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, picture in pictures.items():
        path = picture.with_suffix(".txt")
        text = read_text(path, problems) if path.is_file() else None
        if text and text.strip():
            found[name] = text.strip()
    return found
