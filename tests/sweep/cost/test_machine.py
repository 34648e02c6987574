"""What is read from the system: memory, disk, GPUs, and what kind of machine it is."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from keyed import HERE

from lora_sweep.sweep.cost import machine
from lora_sweep.sweep.cost.machine import (
    available_memory,
    free_disk,
    num_cores,
    this_machine,
    visible_gpus,
    why_unwritable,
)


def test_a_machine_says_what_it_is() -> None:
    assert this_machine().cores == num_cores() >= 1
    assert HERE.describe() == "a CPU, 2 cores, torch 2.0"
    assert replace(HERE, gpus=("a GPU",), cores=1).describe() == "a GPU, a CPU, 1 core, torch 2.0"


def test_the_limit_of_a_group_counts_where_it_is_below_what_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meminfo, limit, used = (tmp_path / name for name in ("meminfo", "max", "current"))
    meminfo.write_text("MemTotal: 9000 kB\nMemAvailable: 5000 kB\n")
    limit.write_text("4096000\n")
    used.write_text("1024000\n")
    monkeypatch.setattr(machine, "MEMINFO", meminfo)
    monkeypatch.setattr(machine, "CGROUPS", ((str(limit), str(used)),))
    assert available_memory() == 3_072_000
    limit.write_text("max\n")
    assert available_memory() == 5000 * 1024
    meminfo.write_text("nonsense")
    assert available_memory() is None


def test_disk_is_measured_where_a_folder_will_be(tmp_path: Path) -> None:
    free = free_disk(tmp_path / "not" / "there" / "yet")
    assert free is not None and free == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.1)


def test_a_place_that_can_be_written_to_is_left_as_it_was(tmp_path: Path) -> None:
    assert why_unwritable(tmp_path / "not" / "there") is None
    assert list(tmp_path.iterdir()) == []


def test_below_a_file_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = why_unwritable(tmp_path / "file" / "results")
    assert said is not None and str(tmp_path / "file") in said and "results.dir" in said


@pytest.mark.skipif(os.name == "nt" or os.getuid() == 0, reason="root may write anywhere")
def test_a_folder_of_somebody_else_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    said = why_unwritable(tmp_path / "results")
    tmp_path.chmod(0o700)
    assert said is not None and "you may write to" in said


SMI = "#!/bin/sh\nprintf 'NVIDIA A, 40960\\nNVIDIA A, 40960\\n'\n"


@pytest.fixture
def two_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(SMI)
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(machine, "_torch", lambda: "2.9.0")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    visible_gpus.cache_clear()


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("visible", "count"), [(None, 2), ("0", 1), ("", 0), ("-1", 0), ("1,0", 2)]
)
def test_gpus_are_those_that_this_process_may_see(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, count: int
) -> None:
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = visible_gpus()
    visible_gpus.cache_clear()
    assert [gpu.name for gpu in found] == ["NVIDIA A"] * count
    assert {gpu.memory for gpu in found} <= {40960 * 2**20}


@pytest.mark.usefixtures("two_gpus")
def test_a_torch_for_the_cpu_sees_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_torch", lambda: "2.9.0+cpu")
    found = visible_gpus()
    visible_gpus.cache_clear()
    assert found == ()
