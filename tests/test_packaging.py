"""The wheel: complete, and working where there is no source tree."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import lora_sweep
from lora_sweep.data.packaged_sets import packaged_names

ROOT = Path(lora_sweep.__file__).parents[1]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


def run(*command: str, cwd: Path, **environ: str) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # Without isolation, because that would download the build backend.
    run(
        *PIP, "wheel", str(ROOT), "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder),
        cwd=folder,
    )  # fmt: skip
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


def below(folder: Path, inside: str) -> set[str]:
    """Files of a folder of the source tree, by their names in the wheel."""
    return {
        f"{inside}/{path.relative_to(folder).as_posix()}"
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_has_every_file_of_the_package(names: set[str]) -> None:
    package = below(ROOT / "lora_sweep", "lora_sweep")
    assert package - names == set()


def test_the_wheel_has_every_file_of_conf(names: set[str]) -> None:
    assert below(ROOT / "conf", "lora_sweep/conf") - names == set()


def test_the_wheel_has_the_embedded_base_the_pictures_and_the_type_marker(names: set[str]) -> None:
    weights = "lora_sweep/nano/weights"
    assert f"{weights}/unet/diffusion_pytorch_model.safetensors" in names
    assert f"{weights}/model_index.json" in names
    for name in packaged_names():
        assert f"lora_sweep/data/packaged/{name}/metadata.jsonl" in names
        assert f"lora_sweep/data/packaged/{name}/NOTICE.md" in names
    assert "lora_sweep/py.typed" in names


def test_the_wheel_has_hydras_plugins_and_nothing_else_at_its_top(names: set[str]) -> None:
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops - {"lora_sweep"} == {"hydra_plugins" for _ in (ROOT / "hydra_plugins").glob("*.py")}
    plugins = {name for name in names if name.startswith("hydra_plugins/")}
    assert plugins == below(ROOT / "hydra_plugins", "hydra_plugins")


def test_the_installed_package_composes_its_settings_far_from_the_source_tree(
    wheel: Path, tmp_path: Path
) -> None:
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    run(*PIP, "install", "--no-deps", "--target", str(site), str(wheel), cwd=elsewhere)
    where = [sys.executable, "-c", "import lora_sweep; print(lora_sweep.__file__)"]
    assert run(*where, cwd=elsewhere, PYTHONPATH=str(site)).startswith(str(site))
    job = [sys.executable, "-m", "lora_sweep", "--cfg", "job", "rank=8"]
    settings = run(*job, cwd=elsewhere, PYTHONPATH=str(site))
    assert "rank: 8" in settings and "name: nano" in settings
    assert list(elsewhere.iterdir()) == []
