"""Small copies of samples and training pictures, as many as a page can carry.

All are inside the page, so that it can be sent as one file. They share a budget: the more there
are, the smaller they get. The full pictures are linked where they lie, and shown on zoom if they
are still there.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from lora_sweep.config import settings_from_plain
from lora_sweep.config.settings import Dataset
from lora_sweep.data.images import read_picture
from lora_sweep.data.sources import load_examples
from lora_sweep.errors import DataError, SettingsError
from lora_sweep.results.report.read import Found, ReportTrial

BUDGET_BYTES = 9_000_000  # of samples; 12 MB as base64, so that a page stays below 20 MB
EDGES = (256, 192, 128, 96, 64, 48)  # pixels of the longer side
TRAINING_EDGE = 96
MOST_TRAINING = 60  # pictures of one data set
MOST_SETS = 4
QUALITY = 72  # of WebP
TRIED = 24  # pictures encoded to judge how large all will be
WORKERS = 4


@dataclass(frozen=True)
class TrainingSet:
    """The pictures that trials of one data set were trained on, and those kept back."""

    name: str
    train: tuple[int, ...]  # positions in Album.pictures
    heldout: tuple[int, ...]
    num_train: int
    num_heldout: int
    packaged: bool


@dataclass
class Album:
    """Every thumbnail once, and who shows it."""

    pictures: list[str] = field(default_factory=list)  # WebP as base64
    samples: list[list[int | None]] = field(default_factory=list)  # of each trial's samples
    sets: list[TrainingSet] = field(default_factory=list)
    set_of: list[int | None] = field(default_factory=list)  # of each trial
    edge: int = EDGES[0]
    last_step_only: bool = False
    missing: int = 0  # samples that are listed and not there
    notes: list[str] = field(default_factory=list)
    _positions: dict[str, int] = field(default_factory=dict)

    def add(self, data: bytes | None) -> int | None:
        """Keep a thumbnail once; None stays None."""
        if data is None:
            return None
        picture = base64.b64encode(data).decode()
        if picture not in self._positions:
            self._positions[picture] = len(self.pictures)
            self.pictures.append(picture)
        return self._positions[picture]

    def add_set(self, found: TrainingSet) -> int:
        """Keep a data set once: repeats and captions are not seen in its pictures."""
        if found not in self.sets:
            self.sets.append(found)
        return self.sets.index(found)


def build_album(found: Found, budget: int = BUDGET_BYTES) -> Album:
    """Thumbnails of all samples and training pictures; what is missing is counted and noted."""
    album = Album()
    paths = [[t.folder.samples / s.file for s in t.samples] for t in found.trials]
    album.edge, fits = fitting_edge([path for of_trial in paths for path in of_trial], budget)
    if not fits:
        album.last_step_only = True
        paths = [_last_step(t) for t in found.trials]
        album.edge, _ = fitting_edge([p for of_trial in paths for p in of_trial if p], budget)
    wanted = [path for of_trial in paths for path in of_trial if path is not None]
    with ThreadPoolExecutor(WORKERS) as pool:
        made = iter(list(pool.map(lambda path: thumbnail(path, album.edge), wanted)))
    for of_trial in paths:
        album.samples.append([None if path is None else album.add(next(made)) for path in of_trial])
    shown = sum(index is not None for of_trial in album.samples for index in of_trial)
    album.missing = len(wanted) - shown
    _add_training(album, found)
    return album


def _last_step(trial: ReportTrial) -> list[Path | None]:
    last = max((sample.step for sample in trial.samples), default=0)
    return [trial.folder.samples / s.file if s.step == last else None for s in trial.samples]


def fitting_edge(paths: Sequence[Path], budget: int) -> tuple[int, bool]:
    """The largest edge at which all pictures fit, judged by some of them; and whether one does."""
    tried = paths[:: max(1, len(paths) // TRIED)]
    for edge in EDGES:
        sizes = [len(data) for path in tried if (data := thumbnail(path, edge)) is not None]
        if not sizes or sum(sizes) / len(sizes) * len(paths) <= budget:
            return edge, True
    return EDGES[-1], False


def thumbnail(path: Path, edge: int) -> bytes | None:
    """A picture as a small WebP, never enlarged; None where it is missing or damaged."""
    return _encoded(lambda: Image.open(path, formats=("PNG",)), edge)


def _encoded(opened: Callable[[], Image.Image], edge: int) -> bytes | None:
    try:
        with opened() as picture:
            small = picture.convert("RGB")
            small.thumbnail((edge, edge), Image.Resampling.LANCZOS, reducing_gap=2.0)
            buffer = io.BytesIO()
            small.save(buffer, format="WEBP", quality=QUALITY, method=4)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    return buffer.getvalue()


def _add_training(album: Album, found: Found) -> None:
    known: dict[str, int | None] = {}
    for trial in found.trials:
        settings = {k: v for k, v in trial.settings.items() if k.startswith("dataset.")}
        key = repr(sorted(settings.items()))
        if key not in known:
            room = len(album.sets) < MOST_SETS
            known[key] = _add_set(album, settings, found.store.cache) if settings and room else None
        album.set_of.append(known[key])


def _add_set(album: Album, settings: dict[str, object], cache: Path) -> int | None:
    try:
        plain = {key.removeprefix("dataset."): value for key, value in settings.items()}
        dataset = settings_from_plain({"dataset": plain}).dataset
        if not _is_here(dataset):
            raise DataError([f"dataset.path={dataset.path} is not on this machine"])
        examples = load_examples(dataset, cache)
    except (DataError, SettingsError) as error:
        why = "; ".join(error.problems[:2])
        album.notes.append(f"Training pictures cannot be shown: {why}")
        return None
    shown: list[tuple[int, ...]] = []
    for some in (examples.train, examples.heldout):
        added = (
            album.add(_encoded(lambda path=example.path: read_picture(path), TRAINING_EDGE))
            for example in some[:MOST_TRAINING]
        )
        shown.append(tuple(index for index in added if index is not None))
    return album.add_set(
        TrainingSet(
            examples.name,
            train=shown[0],
            heldout=shown[1],
            num_train=len(examples.train),
            num_heldout=len(examples.heldout),
            packaged=dataset.path is None,
        )
    )


def _is_here(dataset: Dataset) -> bool:
    """A report looks nothing up on a hub."""
    return dataset.path is None or Path(dataset.path).expanduser().exists()
