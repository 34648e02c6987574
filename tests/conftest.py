"""What all tests share: no network, one thread, and the embedded base, loaded once."""

from __future__ import annotations

import importlib.util
import os
import shutil

# Read when these libraries are first imported, so it is set before any test module is.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("WANDB_MODE", "offline")

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lora_sweep.model.base import Base


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-slow", action="store_true", help="run tests that take minutes, too")
    parser.addoption("--run-cluster", action="store_true", help="run tests on SLURM and Ray, too")


def pytest_configure(config: pytest.Config) -> None:
    # diffusers' Euler scheduler passes a tensor to numpy in a way that numpy 2 is to forbid.
    config.addinivalue_line(
        "filterwarnings", "ignore:__array__ implementation doesn't accept:DeprecationWarning"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    skipped = {
        "slow": "" if config.getoption("--run-slow") else "slow; --run-slow runs it",
        "slurm": _missing(config, "sbatch", "scripts/slurm_local.sh install"),
        "ray": _missing(config, "ray", "pip install -e '.[ray]'"),
    }
    for item in items:
        for marker, reason in skipped.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


def _missing(config: pytest.Config, what: str, how: str) -> str:
    """Why tests on a real scheduler are skipped; nothing where they are run."""
    if not config.getoption("--run-cluster"):
        return "on a real scheduler; --run-cluster runs it"
    there = importlib.util.find_spec(what) or shutil.which(what)
    return "" if there else f"there is no {what} here: {how}"


@pytest.fixture(scope="session")
def loaded_base() -> Base:
    """The embedded base in fp32 on one CPU thread; tests take `base`, which guards it."""
    import torch

    from lora_sweep.config.settings import Model
    from lora_sweep.model.base import load_base

    torch.set_num_threads(1)
    return load_base(Model(), torch.device("cpu"))


@pytest.fixture
def base(loaded_base: Base) -> Iterator[Base]:
    """The embedded base; a test that leaves anything on it fails."""
    import torch

    def state() -> dict[str, torch.Tensor]:
        modules = {"unet": loaded_base.unet, "vae": loaded_base.vae}
        modules |= dict(zip(("one", "two"), loaded_base.text_encoders, strict=True))
        return {
            f"{name}.{key}": value
            for name, module in modules.items()
            for key, value in module.state_dict().items()
        }

    before = {key: value.clone() for key, value in state().items()}
    parts = dict(vars(loaded_base))
    yield loaded_base
    after = state()
    assert list(after) == list(before), "the test left modules on the base"
    assert all(torch.equal(before[key], after[key]) for key in before), "the base's weights moved"
    assert dict(vars(loaded_base)) == parts, "the test replaced parts of the base"
    modules = (loaded_base.unet, loaded_base.vae, *loaded_base.text_encoders)
    assert not any(part.training for module in modules for part in module.modules())
    assert not any(p.requires_grad for module in modules for p in module.parameters())
