"""Any usual picture becomes upright RGB; anything else gets one message that names it."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps, features

from lora_sweep.config.settings import Dataset
from lora_sweep.data.folder import folder_entries
from lora_sweep.data.images import (
    MAX_ASPECT,
    inspect_header,
    inspect_picture,
    picture_digest,
    read_picture,
)
from lora_sweep.data.sources import load_examples, open_entries
from lora_sweep.errors import DataError

ORIENTATION = 0x0112


def gradient(width: int, height: int) -> Image.Image:
    """A picture in which every corner differs, so that a wrong turn shows."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([x, y, 255 - x], axis=-1).astype(np.uint8))


def encoded(picture: Image.Image, format: str, **options: Any) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises a size and has next to no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 64)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def save(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def the_message(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_picture(path)
    assert len(caught.value.problems) == 1, "one file, one message"
    assert str(path) in caught.value.problems[0], "the message names the file"
    return caught.value.problems[0]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_rotated_photo_is_turned_upright(tmp_path: Path, format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options: dict[str, Any] = {"lossless": True} if format == "WEBP" else {}
    path = save(tmp_path / "photo", encoded(gradient(40, 24), format, exif=exif, **options))
    with Image.open(path) as image:
        expected = ImageOps.exif_transpose(image).convert("RGB")
    assert read_picture(path).tobytes() == expected.tobytes(), (
        "Pillow's exif_transpose is the oracle"
    )
    assert inspect_picture(path).size_HW == ((24, 40) if orientation <= 4 else (40, 24))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_laid_on_white(tmp_path: Path, mode: str) -> None:
    half = gradient(4, 2).convert("RGBA")
    half.putalpha(Image.fromarray(np.array([[0, 255, 0, 255]] * 2, dtype=np.uint8)))
    if mode == "P":
        clear = Image.new("P", (4, 2), 1)
        clear.putpalette([10, 20, 30, 255, 0, 0])
        clear.paste(0, (0, 0, 1, 2))
        data = encoded(clear, "PNG", transparency=0)
    else:
        data = encoded(half.convert(mode), "PNG")
    pixels = np.asarray(read_picture(save(tmp_path / "clear.png", data)))
    assert (pixels[:, 0] == 255).all(), "transparent pixels are white, whatever colour they hide"
    assert not (pixels[:, 1] == 255).all(), "opaque pixels keep their colour"


def test_transparency_given_as_one_colour_is_laid_on_white(tmp_path: Path) -> None:
    picture = Image.new("RGB", (2, 1), (1, 2, 3))
    picture.putpixel((1, 0), (9, 9, 9))
    path = save(tmp_path / "key.png", encoded(picture, "PNG", transparency=(1, 2, 3)))
    assert list(np.asarray(read_picture(path))[0].ravel()) == [255, 255, 255, 9, 9, 9]


@pytest.mark.parametrize("format", ["PNG", "TIFF", "PPM"])
def test_sixteen_bit_grey_is_scaled_and_not_clipped(tmp_path: Path, format: str) -> None:
    samples = np.array([[0, 128, 256, 32768, 65279, 65535]], dtype=np.uint16)
    path = save(tmp_path / "deep", encoded(Image.fromarray(samples), format))
    expected = np.floor(samples / 65535 * 255 + 0.5)
    assert (np.asarray(read_picture(path))[..., 0] == expected).all()


def test_big_endian_sixteen_bit_tiff_has_the_same_values(tmp_path: Path) -> None:
    samples = np.array([[0, 256, 65535]], dtype=np.uint16)
    picture = Image.frombytes("I;16B", (3, 1), samples.astype(">u2").tobytes())
    path = save(tmp_path / "deep.tif", encoded(picture, "TIFF"))
    assert np.asarray(read_picture(path))[0, :, 0].tolist() == [0, 1, 255]


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "RGB"])
def test_other_modes_become_what_pillow_makes_of_them(tmp_path: Path, mode: str) -> None:
    picture = gradient(9, 7).convert(mode)
    path = save(tmp_path / "picture", encoded(picture, "TIFF"))
    assert read_picture(path).tobytes() == picture.convert("RGB").tobytes()


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_taken(tmp_path: Path, format: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime")]
    options: dict[str, Any] = {"lossless": True} if format == "WEBP" else {}
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:], **options)
    assert read_picture(save(tmp_path / "film", data)).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty (0 bytes)"),
        (b"a TOK emoji, smiling", "is not a picture that can be read; allowed are PNG, JPEG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is not a picture that can be read"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 99, "is a HEIC photo, which is not read"),
        (png_header(20_000, 20_000), "has more than the 134,217,728 pixels"),
        (png_header(12_000, 12_000), "has more than the 134,217,728 pixels"),
        (png_header(64, 64), "is damaged or cut short"),
        (encoded(gradient(33, 1), "PNG"), "is 33 x 1 pixels; one side may be at most 32 times"),
        (encoded(Image.new("F", (4, 4)), "TIFF"), "has 32-bit samples (mode F)"),
        (encoded(Image.new("I", (4, 4)), "TIFF"), "has 32-bit samples (mode I)"),
    ],
)
def test_what_is_no_usable_picture_is_refused_with_the_reason(
    tmp_path: Path, data: bytes, said: str
) -> None:
    assert said in the_message(save(tmp_path / "x.png", data))


def test_a_missing_file_a_folder_and_a_pipe_are_refused(tmp_path: Path) -> None:
    assert "No such file" in the_message(tmp_path / "none.png")
    (tmp_path / "x.png").mkdir()
    assert "is a folder" in the_message(tmp_path / "x.png")
    os.mkfifo(tmp_path / "pipe.png")
    assert "is not an ordinary file" in the_message(tmp_path / "pipe.png")


def test_a_file_without_read_permission_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    path = save(tmp_path / "secret.png", encoded(gradient(4, 4), "PNG"))
    # The superuser may read everything, so the refusal is made here.
    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert "cannot be read: Permission denied" in the_message(path)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
def test_a_picture_cut_in_half_is_refused(tmp_path: Path, format: str) -> None:
    data = encoded(gradient(64, 64), format)
    assert "damaged or cut short" in the_message(save(tmp_path / "half", data[: len(data) // 2]))


SMALL = {
    format: encoded(gradient(12, 9), format)
    for format in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
}


@settings(max_examples=300, deadline=None)
@given(format=st.sampled_from(sorted(SMALL)), data=st.data())
def test_whatever_the_damage_the_answer_is_a_picture_or_a_message(
    tmp_path_factory: pytest.TempPathFactory, format: str, data: st.DataObject
) -> None:
    content = bytearray(SMALL[format])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(1, len(content)))]
    path = save(tmp_path_factory.getbasetemp() / "fuzzed", bytes(content))
    try:
        picture = read_picture(path)
    except DataError as error:
        assert str(path) in str(error)
    else:
        assert picture.mode == "RGB"
        assert max(picture.size) <= MAX_ASPECT * min(picture.size)


def odd_files() -> Iterator[tuple[str, bytes, bool | None]]:
    """Name, content, and whether it must load (None: either, but with a word about it)."""
    formats = ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM"]
    formats += ["AVIF"] if features.check("avif") else []
    for format in formats:
        suffix = format.lower()
        data = encoded(gradient(48, 40), format)
        yield f"plain.{suffix}", data, True
        yield f"misnamed_{suffix}.jpg", data, True
        yield f"no_suffix_{suffix}", data, True
        for share in (3, 30, 60, 95):
            yield f"cut_{share}.{suffix}", data[: len(data) * share // 100], None
        yield f"text.{suffix}", b"not a picture", False
        yield f"empty.{suffix}", b"", False
        yield f"zeros.{suffix}", bytes(500), False
        yield f"grey.{suffix}", encoded(gradient(5, 5).convert("L"), format), True
        for width, height in [(1, 1), (1, 2), (32, 1), (1, 32), (700, 30)]:
            small = encoded(gradient(width, height), format)
            yield f"size_{width}x{height}.{suffix}", small, True
        yield f"wide.{suffix}", encoded(gradient(2000, 2), format), False
    for orientation in range(10):
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        yield f"turned_{orientation}.jpg", encoded(gradient(9, 5), "JPEG", exif=exif), True
    for mode in ("1", "LA", "P", "RGBA", "I;16"):
        yield f"mode_{mode.replace(';', '')}.png", encoded(Image.new(mode, (6, 6)), "PNG"), True
    yield "bomb.png", png_header(50_000, 50_000), False
    yield "phone.heic", b"\0\0\0\x18ftypheic" + bytes(99), False
    yield "film.mp4", b"\0\0\0\x18ftypisom" + bytes(99), False


def test_of_a_folder_of_odd_files_each_is_loaded_or_named_once(tmp_path: Path) -> None:
    expected: dict[str, bool | None] = {}
    for name, data, loads in odd_files():
        save(tmp_path / name, data)
        expected[name] = loads
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "broken_link.png").symlink_to(tmp_path / "nowhere")
    expected |= {"folder.png": False, "broken_link.png": False}
    for ignored in (".DS_Store", "Thumbs.db", "._plain.png", "notes.txt", "args.json"):
        save(tmp_path / ignored, b"ignored")
    assert len(expected) > 100

    problems: list[str] = []
    entries = folder_entries(tmp_path, "text", problems)
    examples = open_entries(entries, "a TOK", problems)

    loaded = {example.path.name for example in examples}
    for name, loads in expected.items():
        messages = [each for each in problems if each.startswith(f"{tmp_path / name} ")]
        assert len(messages) + (name in loaded) == 1, f"{name}: {messages}"
        assert loads is None or loads == (name in loaded), f"{name}: {messages}"
    assert len(examples) + len(problems) == len(expected)


def test_a_long_list_of_bad_files_is_cut_to_twenty_lines_and_a_count(tmp_path: Path) -> None:
    for index in range(27):
        save(tmp_path / f"{index}.png", b"")
    with pytest.raises(DataError) as caught:
        load_examples(Dataset(path=str(tmp_path), instance_prompt="a TOK"), tmp_path / "cache")
    assert len(caught.value.problems) == 21
    assert caught.value.problems[-1] == "and 7 more"


def test_the_digest_is_of_the_file_and_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", encoded(gradient(4, 6), "PNG"))
    first = inspect_picture(path)
    assert first.digest == picture_digest(path)
    assert inspect_header(path) == first
    save(path, encoded(gradient(10, 6), "PNG"))
    assert inspect_picture(path).digest == picture_digest(path) != first.digest
    assert inspect_picture(path).size_HW == (6, 10)
