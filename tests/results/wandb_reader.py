"""Reads an offline W&B run back without W&B's own reader.

A .wandb file is a LevelDB log: 7 bytes of file header, then blocks of 32 KiB, each record framed by
CRC-32, length and kind; the payloads are protobuf Records.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BLOCK_BYTES = 32768
FRAME = struct.Struct("<IHB")  # CRC-32 of kind and payload, length, kind
FILE_HEADER = struct.Struct("<4sHB")
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


@dataclass
class OfflineArtifact:
    name: str
    type: str
    files: dict[str, Path]  # where each waits to be sent, by its name


@dataclass
class OfflineRun:
    id: str = ""
    name: str = ""
    group: str = ""
    job_type: str = ""
    host: str = ""
    project: str = ""
    tags: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    artifacts: list[OfflineArtifact] = field(default_factory=list)
    exit_code: int | None = None


def read_run(folder: Path) -> OfflineRun:
    """The run in a folder offline-run-<time>-<id>; complete rows only."""
    from wandb.proto import wandb_internal_pb2

    messages: Any = wandb_internal_pb2
    run = OfflineRun()
    for payload in _payloads(next(folder.glob("run-*.wandb")).read_bytes()):
        record = messages.Record()
        record.ParseFromString(payload)
        _add(run, record)
    run.config.pop("_wandb", None)
    return run


def runs_below(folder: Path) -> list[OfflineRun]:
    """All runs that W&B has written below the folder it was given, by name."""
    import wandb

    wandb.teardown()  # its service writes the end of a run a moment after finish() returns
    folders = (folder / "wandb").glob("offline-run-*")
    return sorted((read_run(each) for each in folders), key=lambda run: run.name)


def table_of(artifact: OfflineArtifact) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows of a W&B table."""
    (path,) = (path for name, path in artifact.files.items() if name.endswith(".table.json"))
    table = json.loads(path.read_text(encoding="utf-8"))
    return table["columns"], table["data"]


def _add(run: OfflineRun, record: Any) -> None:
    match record.WhichOneof("record_type"):
        case "run":
            _put(run.config, record.run.config.update)
            run.id, run.name = record.run.run_id, record.run.display_name
            run.group, run.project = record.run.run_group, record.run.project
            run.tags = list(record.run.tags)
            run.job_type, run.host = record.run.job_type, record.run.host
        case "config":
            _put(run.config, record.config.update)
        case "history":
            run.history.append(_put({}, record.history.item))
        case "summary":
            _put(run.summary, record.summary.update)
        case "files":
            run.files += [file.path for file in record.files.files]
        case "artifact":
            files = {
                entry.path: Path(entry.local_path) for entry in record.artifact.manifest.contents
            }
            run.artifacts.append(OfflineArtifact(record.artifact.name, record.artifact.type, files))
        case "exit":
            run.exit_code = record.exit.exit_code
        case _:
            pass


def _put(target: dict[str, Any], items: Any) -> dict[str, Any]:
    for item in items:
        *parents, last = list(item.nested_key) or [item.key]
        inner = target
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = json.loads(item.value_json)
    return target


def _payloads(data: bytes) -> Iterator[bytes]:
    assert FILE_HEADER.unpack_from(data) == (b":W&B", 0xBEE1, 0), data[:7]
    position, parts = FILE_HEADER.size, b""
    while position + FRAME.size <= len(data):
        left_in_block = BLOCK_BYTES - position % BLOCK_BYTES
        crc, length, kind = FRAME.unpack_from(data, position)
        if left_in_block < FRAME.size or kind == 0:  # padding up to the next block
            position += left_in_block
            continue
        start = position + FRAME.size
        payload = data[start : start + length]
        if len(payload) < length:  # the process was killed while writing
            return
        assert zlib.crc32(bytes([kind]) + payload) == crc, f"damaged at byte {position}"
        position = start + length
        parts = payload if kind in (FULL, FIRST) else parts + payload
        if kind in (FULL, LAST):
            yield parts
