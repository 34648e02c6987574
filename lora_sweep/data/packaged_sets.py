"""The packaged picture sets: found by name, each with its own held-out pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lora_sweep.config.settings import Dataset
from lora_sweep.data.folder import Entry
from lora_sweep.data.metadata import Row, read_metadata
from lora_sweep.errors import DataError

PACKAGED = Path(__file__).parent / "packaged"
CLASS_SUFFIX = "_class"


def packaged_names() -> tuple[str, ...]:
    """Names that dataset.name may have when dataset.path is null."""
    names = (path.parent.name for path in PACKAGED.glob("*/metadata.jsonl"))
    return tuple(sorted(name for name in names if not name.endswith(CLASS_SUFFIX)))


def packaged_entries(settings: Dataset, problems: list[str]) -> list[Entry]:
    """The pictures of a packaged set, or of one of its named subsets, in the order of its list."""
    if settings.name not in packaged_names():
        problems.append(
            f"dataset.name={settings.name}: no packaged data set has that name; allowed are "
            f"{', '.join(packaged_names())}, or any name with dataset.path"
        )
        return []
    folder = PACKAGED / settings.name
    rows = read_metadata(folder / "metadata.jsonl", problems)
    train = _named_subset(
        [row for row in rows if row.values["split"] == "train"], settings, problems
    )
    heldout = [row for row in rows if row.values["split"] == "heldout"]
    return [_entry(folder, row) for row in train] + [_entry(folder, row, True) for row in heldout]


def packaged_class_folder(name: str) -> Path:
    """The folder of packaged class pictures that goes with a packaged set; raises DataError."""
    folder = PACKAGED / f"{name}{CLASS_SUFFIX}"
    if (folder / "metadata.jsonl").is_file():
        return folder
    known = sorted(path.name for path in PACKAGED.glob(f"*{CLASS_SUFFIX}"))
    raise DataError(
        [
            f"prior.path=null: no class pictures are packaged for dataset.name={name}, only "
            f"{', '.join(known) or 'none'}; name a folder"
        ]
    )


def _named_subset(rows: Sequence[Row], settings: Dataset, problems: list[str]) -> list[Row]:
    named = sorted({row.values["set"] for row in rows if "set" in row.values})
    if settings.set is None and not named:
        return list(rows)
    if settings.set not in named:
        allowed = " or ".join(named) or "only null"
        given = settings.set or "null"
        problems.append(f"dataset.set={given}: allowed for {settings.name} is {allowed}")
    return [row for row in rows if row.values.get("set") == settings.set]


def _entry(folder: Path, row: Row, heldout: bool = False) -> Entry:
    return Entry(folder / row.file_name, row.values["text"], heldout)
