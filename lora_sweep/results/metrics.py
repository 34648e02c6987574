"""metrics.jsonl: one JSON object per line, the truth that trackers and reports are fed from."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lora_sweep.errors import StoreError
from lora_sweep.files import atomic_write, make_folder, store_error, to_json

Row = dict[str, Any]


def read_metrics(path: Path) -> list[Row]:
    """All complete rows; an empty list without a file.

    A last line cut off by a crash is left out. Raises StoreError for any other line that is not a
    JSON object with an integer `step`.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise store_error(path, "read", error) from error
    lines.pop()  # what follows the last line break: nothing, or a half-written row
    return [_parse(line, path, number) for number, line in enumerate(lines, start=1)]


def is_measured(row: Mapping[str, Any]) -> bool:
    """Whether a row holds measures; the others are of training steps."""
    return "loss" not in row


def reaches(rows: Iterable[Row], step: int) -> bool:
    """Whether there is a row for the last of `step` steps, so that none before it is missing."""
    return step == 0 or any(row["step"] == step and not is_measured(row) for row in rows)


def _parse(line: bytes, path: Path, number: int) -> Row:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise StoreError(f"{path} is damaged: line {number} is not JSON ({error})") from error
    if not isinstance(row, dict) or type(row.get("step")) is not int:
        raise StoreError(f"{path} is damaged: line {number} has no integer step: {line[:80]!r}")
    return row


class MetricsWriter:
    """Appends rows; each is in the file when `write` returns, on the disk after `sync`.

    resume_step: keep the rows up to this step and drop later ones, which will be trained again;
    None starts a new file. `kept` is what was kept.
    """

    def __init__(self, path: Path, *, resume_step: int | None = None) -> None:
        self.path = path
        make_folder(path.parent)
        kept = [] if resume_step is None else _rows_up_to(path, resume_step)
        atomic_write(path, "".join(to_json(row) + "\n" for row in kept))
        self.kept = kept
        try:
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise store_error(path, "open", error) from error

    def write(self, row: Mapping[str, Any]) -> None:
        """Append one row; NaN and infinities become null. `row` needs an integer `step`."""
        self.extend([row])

    def extend(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append several rows at once, for example the history of a shared prefix."""
        left = "".join(_line(row) for row in rows).encode()
        try:
            # Unbuffered: a row that did not fit on a full disk must not turn up later by itself.
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise store_error(self.path, "write", error) from error

    def sync(self) -> None:
        """Force all rows to the disk; call it before a checkpoint that they belong to."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise store_error(self.path, "write", error) from error

    def close(self) -> None:
        """Sync and close; writing afterwards is an error."""
        if not self._file.closed:
            self.sync()
            self._file.close()

    def __enter__(self) -> MetricsWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _line(row: Mapping[str, Any]) -> str:
    if type(row.get("step")) is not int:
        raise ValueError(f"a metrics row needs an integer step, got {row.get('step')!r}")
    return to_json(dict(row)) + "\n"


def _rows_up_to(path: Path, step: int) -> list[Row]:
    return [row for row in read_metrics(path) if row["step"] <= step]
