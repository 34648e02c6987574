"""Reading a picture of any usual format into upright 8-bit RGB, or saying what is wrong with it."""

from __future__ import annotations

import hashlib
import struct
import warnings
import zlib
from dataclasses import dataclass
from functools import cache, lru_cache
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from lora_sweep.errors import DataError

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "PPM")
"""Formats that are read. Others of Pillow start programs (EPS) or accept almost any bytes (TGA)."""

SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif", ".gif", ".bmp", ".dib"}
    | {".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".heic", ".heif"}
)
"""Endings of files that claim to be pictures. HEIC is among them to be refused by name."""

MAX_PIXELS = 2**27
"""134 million; 400 MB as RGB. The largest cameras make about 100 million."""

MAX_ASPECT = 32
"""Longest side over shortest. The short side is scaled to the resolution, the long one with it."""

_TURNED_SIDEWAYS = frozenset({5, 6, 7, 8})
"""EXIF orientations in which width and height change places."""

# What Pillow's decoders are known to raise on damaged files, beside OSError.
_DECODING_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    EOFError,
    RuntimeError,
    AssertionError,
    MemoryError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True)
class PictureFacts:
    """What is known of a picture that has been read once."""

    digest: str  # SHA-256 of its file
    size_HW: tuple[int, int]  # pixels, after turning upright


def read_picture(path: Path) -> Image.Image:
    """The first frame of a picture as RGB, turned upright by EXIF, transparency on white.

    16-bit greyscale is scaled to 8 bits. Colour profiles are not applied. Raises DataError naming
    the file.
    """
    return _decode(path, _read_bytes(path))


def read_preview(path: Path, short_side: int) -> tuple[Image.Image, tuple[int, int]]:
    """The picture as read_picture has it, and its full upright size (height, width) in pixels.

    A JPEG is decoded at a half, a quarter or an eighth where its short side then still has at least
    `short_side` pixels: up to ten times faster. Raises DataError naming the file.
    """
    data = _read_bytes(path)
    preview = _decode(path, data, short_side)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in _decode
        header = _open(path, data)
        turned = header.getexif().get(ExifTags.Base.Orientation) in _TURNED_SIDEWAYS
    width, height = header.size
    return preview, (width, height) if turned else (height, width)


def picture_digest(path: Path) -> str:
    """SHA-256 of the file's bytes, hex; raises DataError."""
    return hashlib.sha256(_read_bytes(path)).hexdigest()


def inspect_picture(path: Path) -> PictureFacts:
    """Digest and upright size of a picture that has been decoded whole; raises DataError.

    The result is remembered in this process until the file's size or time changes.
    """
    try:
        status = path.stat()
    except OSError:
        return _facts(path)  # fails with the message that says why
    return _remembered_facts(path, status.st_size, status.st_mtime_ns)


def inspect_header(path: Path) -> PictureFacts:
    """The same from the header alone; for packaged pictures, which are whole and upright."""
    data = _read_bytes(path)
    width, height = _open(path, data).size
    return PictureFacts(hashlib.sha256(data).hexdigest(), (height, width))


@lru_cache(maxsize=4096)
def _remembered_facts(path: Path, size_bytes: int, mtime_ns: int) -> PictureFacts:
    del size_bytes, mtime_ns  # part of the key only
    return _facts(path)


def _facts(path: Path) -> PictureFacts:
    data = _read_bytes(path)
    width, height = _decode(path, data).size
    return PictureFacts(hashlib.sha256(data).hexdigest(), (height, width))


def _read_bytes(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise DataError([f"{path} is a folder; a picture file is expected"])
        if path.exists() and not path.is_file():  # a pipe would be waited for without end
            raise DataError([f"{path} is not an ordinary file; a picture file is expected"])
        data = path.read_bytes()
    except OSError as error:
        raise DataError([f"{path} cannot be read: {error.strerror or error}"]) from error
    if not data:
        raise DataError([f"{path} is empty (0 bytes); a picture file is expected"])
    return data


def _decode(path: Path, data: bytes, short_side: int | None = None) -> Image.Image:
    with warnings.catch_warnings():
        # What matters is raised: size is checked here, and damage makes the decoder fail.
        warnings.simplefilter("ignore")
        image = _open(path, data)
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise DataError([_too_many_pixels(path)])
        if max(width, height) > MAX_ASPECT * min(width, height):
            raise DataError(
                [
                    f"{path} is {width} x {height} pixels; one side may be at most {MAX_ASPECT} "
                    "times the other; crop it"
                ]
            )
        try:
            if short_side is not None:
                image.draft(None, (short_side, short_side))  # does nothing to other formats
            image.load()
        except _DECODING_ERRORS as error:
            raise DataError([f"{path} is damaged or cut short: {_in_words(error)}"]) from error
        try:
            return _to_rgb(path, ImageOps.exif_transpose(image), image.format)
        except _DECODING_ERRORS as error:
            raise DataError([f"{path} cannot be turned into RGB: {_in_words(error)}"]) from error


def _open(path: Path, data: bytes) -> Image.Image:
    try:
        return Image.open(BytesIO(data), formats=_known_formats())
    except Image.DecompressionBombError as error:
        raise DataError([_too_many_pixels(path)]) from error
    except Image.UnidentifiedImageError as error:
        raise DataError([_unknown_format(path, data)]) from error
    except _DECODING_ERRORS as error:
        raise DataError([f"{path} is damaged or cut short: {_in_words(error)}"]) from error


@cache
def _known_formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _to_rgb(path: Path, image: Image.Image, format: str | None) -> Image.Image:
    if image.mode.startswith("I;16") or (image.mode == "I" and format in ("PNG", "PPM")):
        # v / 65535 * 255, rounded; Pillow's own conversion clips everything above 255 to white.
        samples = np.asarray(image).astype(np.int64)
        grey = Image.fromarray(((samples * 255 + 32767) // 65535).clip(0, 255).astype(np.uint8))
        return grey.convert("RGB")
    if image.mode in ("I", "F"):
        raise DataError(
            [f"{path} has 32-bit samples (mode {image.mode}); 8 or 16 bits per channel are allowed"]
        )
    if "transparency" in image.info or image.mode.endswith(("A", "a")):
        opaque = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(opaque, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _too_many_pixels(path: Path) -> str:
    return f"{path} has more than the {MAX_PIXELS:,} pixels that are allowed; make it smaller"


def _unknown_format(path: Path, data: bytes) -> str:
    allowed = f"allowed are {', '.join(FORMATS)}"
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1"):
        return f"{path} is a HEIC photo, which is not read; {allowed}; save it as JPEG or PNG"
    return f"{path} is not a picture that can be read; {allowed}"


def _in_words(error: BaseException) -> str:
    return f"{error}" or type(error).__name__
