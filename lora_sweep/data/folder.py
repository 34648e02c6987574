"""Pictures of a folder with their captions, from any one of three layouts.

1. metadata.jsonl or metadata.csv, as of Hugging Face's ImageFolder: the full list of pictures,
   which may lie in subfolders.
2. A .txt file beside each picture, with its caption, as kohya's trainer has them.
3. Pictures alone; dataset.instance_prompt is the caption of each.

A caption comes from metadata, else from the .txt file, else it is the prompt. It is a problem if
metadata and the .txt file differ. Pictures come in natural order of their names (2 before 10).
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lora_sweep.data.images import SUFFIXES
from lora_sweep.data.metadata import METADATA_NAMES, UNREAD, read_captions, read_metadata, read_text

IGNORED_SUFFIXES = frozenset({".txt", ".json", ".jsonl", ".csv", ".md"})
IGNORED_NAMES = frozenset({"thumbs.db", "desktop.ini", "__macosx", "@eadir"})


@dataclass(frozen=True)
class Entry:
    """A picture file as listed, not yet opened; caption None where none was found."""

    path: Path
    caption: str | None
    heldout: bool = False


def folder_entries(folder: Path, caption_column: str | None, problems: list[str]) -> list[Entry]:
    """The pictures of a folder, in natural order; what is wrong is added to the problems.

    With caption_column None no caption is read from any file.
    """
    try:
        files = list_files(folder)
    except OSError as error:
        problems.append(f"{error.filename or folder} cannot be read: {error.strerror or error}")
        return []
    metadata = [folder / name for name in METADATA_NAMES if (folder / name).is_file()]
    if len(metadata) > 1:
        problems.append(f"{folder} has both {' and '.join(METADATA_NAMES)}; keep one")
        return []
    if metadata:
        return _listed_entries(folder, metadata[0], files, caption_column, problems)
    return _plain_entries(folder, files, caption_column, problems)


def holds_pictures(folder: Path) -> bool:
    """Whether the folder itself has metadata, or a file that by its name is a picture."""
    return any(
        path.name in METADATA_NAMES or path.suffix.lower() in SUFFIXES
        for path in folder.iterdir()
        if not _is_ignored(path.name) or path.name in METADATA_NAMES
    )


def natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key under which numbers in names count as numbers."""
    # Odd parts are the numbers; isdigit would also take characters such as superscripts.
    parts = re.split(r"([0-9]+)", unicodedata.normalize("NFC", name).casefold())
    return [(0, int(part), "") if i % 2 else (1, 0, part) for i, part in enumerate(parts)], name


def _listed_entries(
    folder: Path,
    metadata: Path,
    files: dict[str, Path],
    caption_column: str | None,
    problems: list[str],
) -> list[Entry]:
    rows = read_metadata(metadata, problems)
    captions = read_captions(metadata, rows, caption_column, problems) if caption_column else {}
    entries: list[Entry] = []
    listed: set[Path] = set()
    for row in sorted(rows, key=lambda row: natural_key(row.file_name)):
        path = files.get(unicodedata.normalize("NFC", row.file_name))
        if path is None and (folder / row.file_name).exists():
            path = folder / row.file_name  # hidden, or of an ending that is passed over otherwise
        if path is None:
            problems.append(f"{row.where}: there is no file {row.file_name!r} in {folder}")
            continue
        listed.add(path)
        caption = captions.get(row.file_name)
        sidecar = _sidecar_caption(path, problems) if caption_column else None
        if caption and sidecar and caption != sidecar and UNREAD not in (caption, sidecar):
            problems.append(
                f"{path} has two captions: {caption!r} in {metadata.name} and {sidecar!r} in "
                f"{path.with_suffix('.txt').name}; keep one"
            )
        entries.append(Entry(path, caption or sidecar))
    problems += [
        f"{path} is not listed in {metadata.name}; add a row, or take the file away"
        for path in files.values()
        if path not in listed and path.suffix.lower() in SUFFIXES
    ]
    if not rows and not problems:
        problems.append(f"{metadata} is empty; a row with file_name for each picture is expected")
    return entries


def _plain_entries(
    folder: Path, files: dict[str, Path], caption_column: str | None, problems: list[str]
) -> list[Entry]:
    subfolders = sorted({Path(name).parts[0] for name in files if "/" in name})
    problems += [
        f"{folder / name} is a subfolder, which is read only with {METADATA_NAMES[0]}; move it "
        "elsewhere, or its pictures up"
        for name in subfolders
    ]
    return [
        Entry(path, _sidecar_caption(path, problems) if caption_column else None)
        for name, path in files.items()
        if "/" not in name
    ]


def _sidecar_caption(picture: Path, problems: list[str]) -> str | None:
    path = picture.with_suffix(".txt")
    if not path.is_file():
        return None
    text = read_text(path, problems)
    if text is None:
        return UNREAD
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > 1:
        problems.append(f"{path} has {len(lines)} lines; one line, the caption, is allowed")
    return lines[0] if lines else None


def list_files(folder: Path) -> dict[str, Path]:
    """Files by path inside the folder (NFC, slashes), without ignored ones, in natural order.

    Raises OSError.
    """
    found: list[tuple[str, Path]] = []
    for parent, subfolders, names in os.walk(folder, onerror=_raise):
        subfolders[:] = [name for name in subfolders if not _is_ignored(name)]
        # A folder named like a picture is kept, so that it is reported and not passed over.
        like_pictures = (name for name in subfolders if Path(name).suffix.lower() in SUFFIXES)
        for name in _not_ignored((*names, *like_pictures)):
            path = Path(parent, name)
            found.append((unicodedata.normalize("NFC", path.relative_to(folder).as_posix()), path))
        subfolders[:] = [name for name in subfolders if Path(name).suffix.lower() not in SUFFIXES]
    return dict(sorted(found, key=lambda item: natural_key(item[0])))


def _not_ignored(names: Iterable[str]) -> list[str]:
    return [name for name in names if not _is_ignored(name)]


def _is_ignored(name: str) -> bool:
    return (
        name.startswith(".")
        or name.lower() in IGNORED_NAMES
        or Path(name).suffix.lower() in IGNORED_SUFFIXES
    )


def _raise(error: OSError) -> None:
    raise error
