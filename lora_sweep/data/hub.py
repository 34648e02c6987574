"""Pictures of a Hugging Face dataset: by its name on the hub, or from parquet files here."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from lora_sweep.config.settings import Dataset
from lora_sweep.data.folder import Entry
from lora_sweep.files import atomic_write


def is_hub_name(path: str) -> bool:
    """Whether a path has the form `name` or `owner/name`."""
    return re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", path) is not None


def holds_parquet(folder: Path) -> bool:
    """Whether there is a parquet file in a folder or below it."""
    return any(folder.rglob("*.parquet"))


def hub_entries(settings: Dataset, cache_dir: Path, problems: list[str]) -> list[Entry]:
    """The pictures of a Hugging Face dataset, in its order; what is wrong is added to the problems.

    Each picture's bytes are written once, unchanged, to <cache_dir>/pictures/<aa>/<their SHA-256>.
    """
    rows = _load(settings, cache_dir, problems)
    if rows is None or not _columns_are_there(rows, settings, problems):
        return []
    entries: list[Entry] = []
    for index, row in enumerate(_undecoded(rows, settings)):
        where = f"dataset.path={settings.path}, row {index}"
        data = _picture_bytes(row[settings.image_column])
        caption = row[settings.caption_column] if settings.caption_column else None
        if data is None:
            problems.append(f"{where}: {settings.image_column} holds no picture")
        elif caption is not None and not isinstance(caption, str):
            problems.append(
                f"{where}: {settings.caption_column} is {caption!r}; a text is expected"
            )
        else:
            entries.append(Entry(_keep(data, cache_dir), (caption or "").strip() or None))
    return entries


def _load(settings: Dataset, cache_dir: Path, problems: list[str]) -> Any:
    # Imported here because it takes a second, and most data sets are folders.
    import datasets
    from datasets.exceptions import DatasetsError

    path = Path(settings.path or "").expanduser()
    try:
        if path.is_file():
            return datasets.load_dataset(
                "parquet",
                data_files={settings.split: str(path)},
                split=settings.split,
                cache_dir=str(cache_dir / "datasets"),
            )
        if path.is_dir():
            return datasets.load_dataset(
                str(path),
                name=settings.config_name,
                split=settings.split,
                cache_dir=str(cache_dir / "datasets"),
            )
        return datasets.load_dataset(
            str(settings.path), name=settings.config_name, split=settings.split
        )
    except (DatasetsError, OSError, ValueError, RuntimeError) as error:
        not_here = "" if path.exists() else "is no folder here, and "
        problems.append(
            f"dataset.path={settings.path} {not_here}cannot be loaded as a Hugging Face dataset "
            f"(config_name={settings.config_name}, split={settings.split}): {error}"
        )
        return None


def _columns_are_there(rows: Any, settings: Dataset, problems: list[str]) -> bool:
    before = len(problems)
    columns: list[str] = rows.column_names
    wanted = {"image_column": settings.image_column, "caption_column": settings.caption_column}
    for setting, column in wanted.items():
        if column is not None and column not in columns:
            problems.append(
                f"dataset.{setting}={column}: {settings.path} has the columns {', '.join(columns)}"
            )
    return len(problems) == before


def _undecoded(rows: Any, settings: Dataset) -> Any:
    """The two columns alone, with picture files as they are: decoding would lose their bytes."""
    import datasets

    image_column = settings.image_column
    rows = rows.select_columns([each for each in (image_column, settings.caption_column) if each])
    if isinstance(rows.features[image_column], datasets.Image):
        return rows.cast_column(image_column, datasets.Image(decode=False))
    return rows


def _picture_bytes(cell: Any) -> bytes | None:
    match cell:
        case bytes():
            return cell
        case {"bytes": bytes() as data}:
            return data
        case {"path": str() as path} if Path(path).is_file():
            return Path(path).read_bytes()
        case _:
            return None


def _keep(data: bytes, cache_dir: Path) -> Path:
    digest = hashlib.sha256(data).hexdigest()
    path = cache_dir / "pictures" / digest[:2] / digest
    if not path.is_file() or path.stat().st_size != len(data):
        atomic_write(path, data)
    return path
