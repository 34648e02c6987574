"""What the picture builders have in common: rasterising, encoding, one folder format."""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import resvg_py
from PIL import Image

PACKAGED = Path(__file__).resolve().parents[2] / "lora_sweep" / "data" / "packaged"


@dataclass(frozen=True)
class Picture:
    """One finished picture and its row of metadata.jsonl."""

    name: str
    """File name without folder and ending."""
    caption: str
    split: str
    """"train" or "heldout": the folder, and the field of that name."""
    image: Image.Image
    group: str | None = None
    """The field "set", for collections that hold more than one training set."""
    quality: int | None = None
    """None for lossless WebP, otherwise the quality of lossy WebP."""

    @property
    def file_name(self) -> str:
        """Path relative to the collection's folder, as metadata.jsonl has it."""
        return f"{self.split}/{self.name}.webp"


def rasterise(svg: str, size: int) -> Image.Image:
    """Draw a square SVG at (size, size) on white; RGB."""
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size))
    drawn = Image.open(io.BytesIO(png)).convert("RGBA")
    white = Image.new("RGBA", drawn.size, "white")
    return Image.alpha_composite(white, drawn).convert("RGB")


def encode(picture: Picture) -> bytes:
    """WebP bytes of a picture; the slowest, smallest setting, since they are committed."""
    buffer = io.BytesIO()
    if picture.quality is None:
        picture.image.save(buffer, "WEBP", lossless=True, quality=100, method=6)
    else:
        picture.image.save(buffer, "WEBP", quality=picture.quality, method=6)
    return buffer.getvalue()


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old one or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_collection(folder: Path, pictures: Iterable[Picture], notice: str) -> None:
    """Write pictures, metadata.jsonl and NOTICE.md; pictures of an earlier build are removed."""
    rows: list[str] = []
    kept: set[Path] = set()
    for picture in pictures:
        path = folder / picture.file_name
        write_atomic(path, encode(picture))
        kept.add(path)
        row = {"file_name": picture.file_name, "text": picture.caption, "split": picture.split}
        if picture.group is not None:
            row["set"] = picture.group
        rows.append(json.dumps(row, ensure_ascii=False))
    for stale in set(folder.glob("*/*.webp")) - kept:
        stale.unlink()
    write_atomic(folder / "metadata.jsonl", ("\n".join(rows) + "\n").encode())
    write_atomic(folder / "NOTICE.md", notice.encode())
    total = sum(path.stat().st_size for path in kept)
    print(f"{folder}: {len(kept)} pictures, {total / 1e6:.2f} MB")
