"""GPUs of one machine: each worker has one of its own, and only those with room are used. There is
no GPU in these tests: nvidia-smi is a script.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from runs import small

from lora_sweep.config.settings import Train
from lora_sweep.sweep import gpus
from lora_sweep.sweep.cost import machine
from lora_sweep.sweep.request import resolve_request
from lora_sweep.sweep.unit import Unit, units_of
from lora_sweep.sweep.worker_process import VISIBLE, _environment

MIB = 2**20


@pytest.fixture
def units(root: Path) -> list[Unit]:
    return units_of([resolve_request(small(root))], root)[0]


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Puts GPUs with so many MiB free into the machine."""
    machine.visible_gpus.cache_clear()
    monkeypatch.setattr(machine, "_torch", lambda: "2.13.0+cu130")
    monkeypatch.delenv(VISIBLE, raising=False)

    def put(*sizes: int, needed: int = 0) -> None:
        rows = "\n".join(f"{at}, GPU-{at}, {size}" for at, size in enumerate(sizes))
        script = tmp_path / "bin" / "nvidia-smi"
        script.parent.mkdir()
        script.write_text(
            "#!/bin/sh\ncase $1 in *memory.free*) cat <<E\n" + rows + "\nE\n;; *) cat <<E\n"
            + "\n".join("A GPU, 24000" for _ in sizes) + "\nE\n;; esac\n"
        )  # fmt: skip
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
        monkeypatch.setattr(gpus, "predicted_memory", lambda request: needed * MIB)

    return put


@pytest.fixture(autouse=True)
def forget() -> object:
    yield
    machine.visible_gpus.cache_clear()


def test_all_gpus_with_room_are_used_and_the_others_are_named(
    units: list[Unit], free: Callable[..., None]
) -> None:
    free(24000, 3000, 20000, needed=14000)
    said: list[str] = []
    assert gpus.gpus_for(units, said.append) == ["0", "2"]
    assert said == [
        "GPU 1: 2.9 GiB are free, and trials are expected to need 13.7 GiB; it is left out"
    ]


def test_where_none_has_room_all_are_used_since_an_expectation_may_be_wrong(
    units: list[Unit], free: Callable[..., None]
) -> None:
    free(3000, 4000, needed=14000)
    said: list[str] = []
    assert gpus.gpus_for(units, said.append) == ["0", "1"]
    assert len(said) == 2 and all("it is used all the same" in line for line in said)


def test_only_visible_gpus_count_by_the_names_that_they_were_given(
    units: list[Unit], free: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    free(24000, 3000, 20000, needed=14000)
    monkeypatch.setenv(VISIBLE, "GPU-1,GPU-2")
    assert gpus.gpus_for(units, lambda line: None) == ["GPU-2"]


def test_trials_on_the_cpu_ask_for_no_gpu(root: Path, free: Callable[..., None]) -> None:
    free(24000)
    from lora_sweep.config.settings import Device

    settings = small(root, train={"device": Device.cpu})
    assert isinstance(settings.train, Train)
    assert gpus.gpus_for(units_of([resolve_request(settings)], root)[0]) == []


def test_each_worker_sees_its_gpu_alone() -> None:
    assert _environment("GPU-2")[VISIBLE] == "GPU-2"
    assert _environment(None).get(VISIBLE) == os.environ.get(VISIBLE)
