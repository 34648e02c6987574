"""One made sweep for all tests that only look at it."""

from __future__ import annotations

from pathlib import Path

import pytest
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
