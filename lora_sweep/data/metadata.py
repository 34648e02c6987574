"""Reading metadata.jsonl and metadata.csv: a row per picture, with `file_name` and the caption."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

METADATA_NAMES = ("metadata.jsonl", "metadata.csv")

UNREAD = "(unread)"
"""Stands for a caption whose reading was a problem, so that it is not reported as missing too."""


@dataclass(frozen=True)
class Row:
    """One row; `where` names the file and line for messages."""

    where: str
    file_name: str
    values: Mapping[str, Any]


def read_metadata(path: Path, problems: list[str]) -> list[Row]:
    """The rows of a metadata file, in its order; what is wrong is added to the problems.

    Refused are file names that leave the folder, and a second row for one file.
    """
    text = read_text(path, problems)
    if text is None:
        return []
    parsed = _jsonl_rows if path.suffix == ".jsonl" else _csv_rows
    rows: list[Row] = []
    seen: dict[str, str] = {}
    for line, values in parsed(path, text, problems):
        where = f"{path}, line {line}"
        name = values.get("file_name")
        if not isinstance(name, str) or not name.strip():
            columns = ", ".join(map(str, values)) or "none"
            problems.append(f"{where}: no file_name; the columns are {columns}")
        elif _leaves_the_folder(name):
            problems.append(
                f"{where}: file_name {name!r} leaves the folder; only a path inside is allowed"
            )
        elif (plain := PurePosixPath(name).as_posix()) in seen:
            problems.append(f"{where}: {name!r} is already in {seen[plain]}")
        else:
            seen[plain] = f"line {line}"
            rows.append(Row(where, plain, values))
    return rows


def read_captions(
    path: Path, rows: Iterable[Row], caption_column: str, problems: list[str]
) -> dict[str, str | None]:
    """Caption by file name; None where a row has none. A column that no row has is a problem."""
    rows = list(rows)
    columns = sorted({str(key) for row in rows for key in row.values})
    if rows and caption_column not in columns:
        problems.append(
            f"dataset.caption_column={caption_column}: {path} has the columns "
            f"{', '.join(columns)}; name one of them, or null to caption every picture "
            "by dataset.instance_prompt"
        )
        return dict.fromkeys((row.file_name for row in rows), UNREAD)
    captions: dict[str, str | None] = {}
    for row in rows:
        caption = row.values.get(caption_column)
        if caption is not None and not isinstance(caption, str):
            problems.append(f"{row.where}: {caption_column} is {caption!r}; a text is expected")
            caption = UNREAD
        captions[row.file_name] = (caption or "").strip() or None
    return captions


def read_text(path: Path, problems: list[str]) -> str | None:
    """The text of a UTF-8 file; None, and a problem, if it cannot be read."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problems.append(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}")
    except OSError as error:
        problems.append(f"{path} cannot be read: {error.strerror or error}")
    return None


def _jsonl_rows(path: Path, text: str, problems: list[str]) -> Iterable[tuple[int, dict[str, Any]]]:
    # Not splitlines: JSON strings may hold U+2028 and its like.
    for line, row in enumerate(text.split("\n"), start=1):
        if not row.strip():
            continue
        try:
            values: Any = json.loads(row)
        except (ValueError, RecursionError) as error:
            problems.append(f"{path}, line {line}: not JSON: {error}")
            continue
        if isinstance(values, dict):
            yield line, values
        else:
            problems.append(f"{path}, line {line}: {row.strip()[:40]!r} is not a JSON object")


def _csv_rows(path: Path, text: str, problems: list[str]) -> Iterable[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        for values in reader:
            if None in values:
                problems.append(
                    f"{path}, line {reader.line_num}: more values than columns; put a caption with "
                    "commas in quotes"
                )
            else:
                yield reader.line_num, values
    except csv.Error as error:
        problems.append(f"{path}, line {reader.line_num}: not CSV: {error}")


def _leaves_the_folder(name: str) -> bool:
    # Both kinds of path, so that a data set made on one system is refused alike on the other.
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    absolute = posix.is_absolute() or bool(windows.drive or windows.root)
    return absolute or ".." in posix.parts or ".." in windows.parts
