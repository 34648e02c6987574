from __future__ import annotations

from pathlib import Path

import pytest
from made_sweeps import Made, decoded, make_sweep, picture
from PIL import Image

from lora_sweep.results.report.pictures import (
    BUDGET_BYTES,
    EDGES,
    build_album,
    fitting_edge,
    thumbnail,
)
from lora_sweep.results.report.write import find_sweep
from lora_sweep.results.samples import png_bytes


@pytest.fixture
def noisy(tmp_path: Path) -> list[Path]:
    """Pictures that hardly get smaller by encoding."""
    paths = [tmp_path / f"{k}.png" for k in range(8)]
    for k, path in enumerate(paths):
        path.write_bytes(png_bytes(Image.effect_noise((300, 300), 80.0 + k)))
    return paths


def test_a_thumbnail_is_a_small_webp_that_keeps_its_shape_and_is_never_enlarged(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes(Image.new("RGB", (400, 200), (200, 10, 10))))
    data = thumbnail(path, 96)
    assert data is not None
    small = decoded(data)
    assert (small.format, small.size) == ("WEBP", (96, 48))
    assert small.convert("RGB").getpixel((5, 5)) == pytest.approx((200, 10, 10), abs=6)
    path.write_bytes(picture("x", (1, 2, 3), 32))
    data = thumbnail(path, 96)
    assert data is not None and decoded(data).size == (32, 32)


def test_what_is_no_whole_png_has_no_thumbnail(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    assert thumbnail(path, 96) is None
    for data in (b"", b"<script>", png_bytes(Image.effect_noise((50, 50), 80.0))[:900]):
        path.write_bytes(data)
        assert thumbnail(path, 96) is None


def test_the_more_pictures_the_smaller_they_get(noisy: list[Path]) -> None:
    sizes = [fitting_edge(noisy, budget)[0] for budget in (10**7, 10**5, 3 * 10**4)]
    assert sizes[0] == EDGES[0]
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) == 3
    assert fitting_edge(noisy, 10) == (EDGES[-1], False)
    assert fitting_edge([], 10) == (EDGES[0], True)


def test_an_album_has_every_picture_once_and_the_training_pictures(made: Made) -> None:
    found = find_sweep(made.folder, made.store)
    album = build_album(found)
    assert len(album.pictures) == len(set(album.pictures))
    assert [len(of_trial) for of_trial in album.samples] == [4] * 17 + [0]
    (face,) = album.sets
    assert (face.num_train, face.num_heldout, len(face.train)) == (6, 3, 6)
    assert album.set_of == [0] * 18
    assert sum(map(len, album.pictures)) < BUDGET_BYTES


def test_where_all_do_not_fit_those_of_the_last_step_are_shown(made: Made) -> None:
    found = find_sweep(made.folder, made.store)
    album = build_album(found, budget=100)
    assert album.last_step_only
    assert album.edge == EDGES[-1]
    assert all(index is not None for of_trial in album.samples for index in of_trial)


def test_a_data_set_that_is_not_here_is_a_note_and_no_error(tmp_path: Path) -> None:
    folder, store = make_sweep(tmp_path, ranks=(4,), seeds=(0,), failed=0)
    for trial in store.trials():
        text = trial.config.read_text("utf-8")
        trial.config.write_text(text.replace("path: null", "path: somebody/else", 1), "utf-8")
    album = build_album(find_sweep(folder, store))
    assert album.sets == [] and album.set_of == [None, None]
    assert album.notes == [
        "Training pictures cannot be shown: dataset.path=somebody/else is not on this machine"
    ] * len(album.notes)


def test_data_sets_with_the_same_pictures_are_one(tmp_path: Path) -> None:
    folder, store = make_sweep(tmp_path, ranks=(4,), seeds=(0, 1), failed=0)
    config = store.trial("000000000001").config
    text = config.read_text("utf-8")
    assert "repeats: 1" in text
    config.write_text(text.replace("repeats: 1", "repeats: 3"), "utf-8")
    album = build_album(find_sweep(folder, store))
    assert len(album.sets) == 1
    assert set(album.set_of) == {0}
