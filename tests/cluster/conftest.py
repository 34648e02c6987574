"""Results folders that share one cache of latents, so that pictures are encoded once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lora_sweep.quiet import quiet_libraries

if TYPE_CHECKING:
    from lora_sweep.model.base import Base

quiet_libraries()

Roots = Callable[[str], Path]


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def new_root(tmp_path: Path, shared_cache: Path) -> Roots:
    """Makes results folders by name."""

    def make(name: str) -> Path:
        root = tmp_path / name
        root.mkdir()
        (root / "cache").symlink_to(shared_cache)
        return root

    return make


@pytest.fixture(scope="session")
def twelve(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> dict[str, Any]:
    """What the twelve trials come to in one process on this machine."""
    from cluster.commands import TWELVE, outcomes, run

    root = tmp_path_factory.mktemp("local")
    (root / "cache").symlink_to(shared_cache)
    status, said = run(root, *TWELVE, "hydra.launcher.workers=1")
    assert status == 0, said
    return outcomes(root)


@pytest.fixture
def one_base(monkeypatch: pytest.MonkeyPatch, loaded_base: Base) -> None:
    """Every trial of the test is put on the one loaded base, as in a worker."""
    from lora_sweep.sweep import trainer

    monkeypatch.setattr(trainer, "load_base", lambda settings, device: loaded_base)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    import torch

    torch.set_num_threads(1)
    yield
