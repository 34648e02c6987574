"""Imports point one way; this file is the map of the rooms."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import lora_sweep

PACKAGE = Path(lora_sweep.__file__).parent
ORDER = (
    "errors",
    "quiet",
    "files",
    "randomness",
    "config",
    "draws",
    "data",
    "model",
    "training",
    "results",
    "sweep",
    "translate",
    "__main__",
)
"""A room imports only rooms before it."""

BESIDE = "nano"
"""The embedded base: any room may import it, it imports only what is before config."""

HYDRA_ENDS_IN = {
    "config/compose.py",
    "config/composer.py",
    "config/dimension.py",
    "config/override.py",
    "config/schema.py",
    "__main__.py",
}
WITHOUT_TORCH = (
    "lora_sweep.config",
    "lora_sweep.config.compose",
    "lora_sweep.__main__",
    "lora_sweep.config.composer",
    "lora_sweep.sweep.asked",
    "lora_sweep.sweep.grid",
    "lora_sweep.sweep.request",
    "lora_sweep.sweep.plan",
    "lora_sweep.sweep.status",
    "lora_sweep.sweep.cluster.executor",
    "lora_sweep.sweep.cluster.node_task",
    "lora_sweep.sweep.cluster.slurm_engine",
    "lora_sweep.sweep.cluster.ray_engine",
    "lora_sweep.results.summary",
    "lora_sweep.results.store",
)

MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


def room_of(module: str) -> str:
    return module.split("/")[0].removesuffix(".py")


def imported_by(module: str) -> Iterator[str]:
    """Yield the dotted names that a module imports anywhere in it, functions included."""
    package = ["lora_sweep", *module.split("/")[:-1]]
    for node in ast.walk(ast.parse((PACKAGE / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*start, *([node.module] if node.module else [])])
            yield from (f"{source}.{alias.name}" for alias in node.names)


def rooms_imported_by(module: str) -> set[str]:
    names = (name.split(".") for name in imported_by(module))
    return {parts[1] for parts in names if parts[0] == "lora_sweep" and len(parts) > 1}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_rooms_before_its_own(module: str) -> None:
    room, allowed = room_of(module), {"__version__"}
    if room == BESIDE:
        allowed |= {"errors", "quiet", "files", "randomness", BESIDE}
    elif room in ORDER:
        allowed |= {*ORDER[: ORDER.index(room) + 1], BESIDE}
    assert rooms_imported_by(module) <= allowed


def test_every_module_is_in_a_room_of_the_map() -> None:
    assert {room_of(module) for module in MODULES} <= {*ORDER, BESIDE, "__init__"}


@pytest.mark.parametrize("module", [name for name in MODULES if name not in HYDRA_ENDS_IN])
def test_hydra_ends_at_the_door(module: str) -> None:
    assert not {name.split(".")[0] for name in imported_by(module)} & {"hydra", "omegaconf"}


@pytest.mark.parametrize("module", WITHOUT_TORCH)
def test_what_must_start_fast_imports_no_torch(module: str) -> None:
    heavy = "{'torch', 'diffusers', 'transformers', 'peft'}"
    code = f"import sys, {module}; sys.exit(', '.join({heavy} & set(sys.modules)) or 0)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_settings_can_be_used_without_hydra() -> None:
    code = "import sys, lora_sweep.config; sys.exit('omegaconf' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, timeout=60)
    assert done.returncode == 0
