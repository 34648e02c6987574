"""Checking a set: pictures are opened once, one at a time; then the set is judged as a whole."""

from __future__ import annotations

import io
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lora_sweep.data.captions import contains_abstraction
from lora_sweep.data.check.faces import FaceCounter
from lora_sweep.data.check.findings import Findings, Kind
from lora_sweep.data.check.looks import SHORT_SIDE, THUMB, Look, look_at, scaled_down
from lora_sweep.data.check.similar import (
    LITTLE_VARIETY,
    MAX_COMPARED,
    alike_pairs,
    mean_correlation,
    scenes,
)
from lora_sweep.data.check.tokens import MAX_TOKENS, TokenCounter
from lora_sweep.data.folder import Entry
from lora_sweep.data.images import read_preview
from lora_sweep.data.metadata import UNREAD
from lora_sweep.errors import DataError

BLURRED = 50.0
"""Sharpness below which a picture is blurred. Sharp photos and drawings have 130 and more; blurred
by 4 of 1024 pixels (sigma) they have 5 to 50, by 6 below 25."""

SMALL_SHARE = 0.08
"""Share of the area with the detail, below which the subject is far away; packaged pictures and
portraits before a blurred background have 0.2 and more."""

SHEET_THUMB = 240  # pixels
MAX_THUMBNAILS = 500


@dataclass(frozen=True)
class Asked:
    """What a set is checked for."""

    resolution: int  # pixels, that it will be trained at
    abstractions: tuple[str, ...]
    instance_prompt: str | None
    tokens: TokenCounter
    faces: FaceCounter | None


@dataclass
class Checked:
    """A checked set: its pictures in order, what is known of them, what was found."""

    folder: Path
    asked: Asked
    entries: Sequence[Entry]
    findings: Findings = field(default_factory=Findings)
    sizes_HW: dict[int, tuple[int, int]] = field(default_factory=dict)  # of the first pictures
    thumbnails: dict[int, bytes] = field(default_factory=dict)  # of the first pictures, JPEG
    num_looked: int = 0  # pictures that were opened; fewer than there are if interrupted

    @property
    def name(self) -> str:
        return self.folder.name or str(self.folder)

    def caption(self, index: int) -> str:
        """The caption that training would use; "" where there is none."""
        return (self.entries[index].caption or self.asked.instance_prompt or "").strip()

    def where(self, index: int) -> str:
        """The picture's place in the folder, for messages."""
        path = self.entries[index].path
        return (path.relative_to(self.folder) if self.folder in path.parents else path).as_posix()


@dataclass
class _Likeness:
    """What the comparison of pictures needs, 18 bytes a picture and 768 of the first."""

    places: array[int] = field(default_factory=lambda: array("Q"))
    hashes: array[int] = field(default_factory=lambda: array("Q"))
    mirror_hashes: array[int] = field(default_factory=lambda: array("Q"))
    thumbs: list[NDArray[np.uint8]] = field(default_factory=list)

    def add(self, place: int, look: Look) -> None:
        self.places.append(place)
        self.hashes.append(look.hash)
        self.mirror_hashes.append(look.mirror_hash)
        if len(self.thumbs) < MAX_COMPARED:
            self.thumbs.append(look.thumb)


def check_set(
    folder: Path,
    entries: Sequence[Entry],
    problems: Sequence[str],
    asked: Asked,
    on_picture: Callable[[int], None] = lambda done: None,
) -> Checked:
    """Look at every picture and caption; `problems` are those of reading the list.

    Interrupted from the keyboard, it judges what it has seen until then.
    """
    checked = Checked(folder, asked, entries)
    for problem in problems:
        checked.findings.add(Kind.listing, None, problem.replace(f"{folder}/", ""))
    likeness = _Likeness()
    try:
        for index in range(len(entries)):
            _check_caption(checked, index)
            _check_picture(checked, index, likeness)
            checked.num_looked = index + 1
            on_picture(index + 1)
    except KeyboardInterrupt:
        pass  # the caller sees it by num_looked
    _check_together(checked, likeness)
    return checked


def thumbnail(picture: Image.Image) -> bytes:
    """A small JPEG of an RGB picture for the contact sheet."""
    small = picture.copy()
    small.thumbnail((SHEET_THUMB, SHEET_THUMB))
    buffer = io.BytesIO()
    small.save(buffer, format="JPEG", quality=80)
    return buffer.getvalue()


def open_thumbnail(path: Path) -> bytes | None:
    """The same of a picture file; None where it cannot be read."""
    try:
        return thumbnail(scaled_down(read_preview(path, SHEET_THUMB)[0], SHEET_THUMB))
    except DataError:
        return None


def _check_picture(checked: Checked, index: int, likeness: _Likeness) -> None:
    findings, asked = checked.findings, checked.asked
    try:
        preview, size_HW = read_preview(checked.entries[index].path, SHORT_SIDE)
    except DataError as error:
        path = checked.entries[index].path
        for problem in error.problems:  # they begin with the path, which is said already
            findings.add(Kind.unreadable, index, problem.removeprefix(str(path)).strip())
        return
    look, small = look_at(preview, size_HW)
    likeness.add(index, look)
    if index < MAX_THUMBNAILS:
        checked.sizes_HW[index] = size_HW
        checked.thumbnails[index] = thumbnail(small)
    height, width = size_HW
    if min(size_HW) < asked.resolution:
        text = f"{width} x {height} pixels; the short side should have {asked.resolution}"
        findings.add(Kind.low_resolution, index, text)
    if look.sharpness < BLURRED:
        text = f"sharpness {look.sharpness:.0f}; sharp pictures have more than {BLURRED:.0f}"
        findings.add(Kind.blur, index, text)
    if look.detail_share < SMALL_SHARE:
        text = f"nearly all detail lies in {max(look.detail_share, 0.001):.1%} of the picture"
        findings.add(Kind.far_away, index, text)
    if asked.faces is not None and (faces := asked.faces(small)) > 1:
        findings.add(Kind.other_faces, index, f"{faces} faces")


def _check_caption(checked: Checked, index: int) -> None:
    findings, asked = checked.findings, checked.asked
    if checked.entries[index].caption == UNREAD:
        return  # reading it was a problem, which has been told
    caption = checked.caption(index)
    if not caption:
        findings.add(Kind.no_caption, index, "neither in metadata.jsonl nor in a .txt file")
        return
    lost = asked.tokens.words_lost(caption, asked.abstractions)
    if lost:
        count = asked.tokens.count(caption)
        text = f"{count} tokens of at most {MAX_TOKENS}; these words fall off: {lost}"
        findings.add(Kind.long_caption, index, text)
    if not asked.abstractions:
        return
    kept = caption[: len(caption) - len(lost)] if lost else caption
    if not any(contains_abstraction(kept, each) for each in asked.abstractions):
        text = f"no {' or '.join(asked.abstractions)} in: {caption}"
        if any(contains_abstraction(caption, each) for each in asked.abstractions):
            text = f"{' or '.join(asked.abstractions)} is only among the words that fall off"
        findings.add(Kind.no_abstraction, index, text)


def _check_together(checked: Checked, likeness: _Likeness) -> None:
    if not likeness.hashes:
        return
    findings, places = checked.findings, likeness.places
    thumbs = np.stack(likeness.thumbs).reshape(-1, THUMB, THUMB, 3)
    hashes = np.array(likeness.hashes, np.uint64)
    pairs = alike_pairs(hashes, np.array(likeness.mirror_hashes, np.uint64), thumbs)
    for pair in pairs:
        kind = Kind.mirror if pair.mirrored else Kind.duplicate
        findings.add(kind, places[pair.later], f"of {checked.where(places[pair.earlier])}")
    copies = [pair.later for pair in pairs if not pair.mirrored]
    for group in scenes(thumbs, copies):
        for index in group:
            others = [checked.where(places[other]) for other in group[:4] if other != index][:3]
            shown = ", ".join(others) + (" and more" if len(group) > 4 else "")
            text = f"one of {len(group)} pictures of one scene; others are {shown}"
            findings.add(Kind.same_scene, places[index], text)
    likeness_of_all = mean_correlation(thumbs)
    if likeness_of_all is not None and likeness_of_all > LITTLE_VARIETY:
        text = f"all pictures are alike: a mean correlation of {likeness_of_all:.2f} (of 1)"
        findings.add(Kind.no_variety, None, text)
