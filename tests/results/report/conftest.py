"""One made sweep for all tests that only look at it, and one browser for each process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import WIDE, Reader, missing
from made_sweeps import Made, make_sweep, with_tree

from lora_sweep.results.report import write_report


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Two optimizers, three ranks, three seeds; one trial failed; with its report written."""
    folder, store = make_sweep(tmp_path_factory.mktemp("made"))
    with_tree(folder)
    return Made(folder, store, write_report(folder, store))


@pytest.fixture
def own(tmp_path: Path) -> Made:
    """A smaller one that a test may damage: one optimizer, two ranks, two seeds."""
    folder, store = make_sweep(
        tmp_path, ranks=(4, 16), optimizers=("prodigy",), seeds=(0, 1), failed=0
    )
    return Made(folder, store, folder.report)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    if reason := missing():
        pytest.skip(reason)
    reader = Reader(tmp_path_factory.mktemp("profile"))
    yield reader
    reader.close()


@pytest.fixture
def reader(chromium: Reader) -> Iterator[Reader]:
    """The browser with a wide window; a test that leaves complaints in its console fails."""
    chromium.window(*WIDE)
    chromium.complaints()
    yield chromium
    assert chromium.complaints() == []


@pytest.fixture
def page(reader: Reader, made: Made) -> Reader:
    """The report of the made sweep, open."""
    reader.open(made.page)
    return reader
