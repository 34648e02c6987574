from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lora_sweep import files
from lora_sweep.errors import StoreError


def test_an_atomic_write_replaces_the_content_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    files.atomic_write(path, "old")
    files.atomic_write(path, "grüße".encode())
    assert path.read_text(encoding="utf-8") == "grüße"
    assert list(path.parent.iterdir()) == [path]


def test_a_new_file_has_the_users_usual_permissions(tmp_path: Path) -> None:
    files.atomic_write(tmp_path / "a", b"x")
    (tmp_path / "plain").write_bytes(b"x")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_failing_writer_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), files.atomic_path(path) as temporary:
        assert temporary.suffix == ".png"
        assert temporary.parent == path.parent
        temporary.write_bytes(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_named_with_what_to_do_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"cannot write .*a: No space left.*free some space"):
        files.atomic_write(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_results_folder_below_a_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match=r"cannot create the folder .*set results\.dir"):
        files.check_writable(tmp_path / "file" / "results")


def test_checking_a_folder_creates_it_and_leaves_it_empty(tmp_path: Path) -> None:
    files.check_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize(
    "name",
    ["", " a", "..", ".hidden", "-rf", "a/b", "..\\b", "a\0", "a\nb", "a:b", "x" * 201, "ä" * 101],
)
def test_a_name_that_could_leave_its_folder_or_surprise_a_shell_is_refused(name: str) -> None:
    with pytest.raises(StoreError, match=r"^results\.name="):
        files.check_name(name)


@pytest.mark.parametrize("name", ["lora", "my lora v1.2", "süß_LoRA-3", "x" * 200])
def test_ordinary_names_are_kept_as_they_are(name: str) -> None:
    assert files.check_name(name) == name


def test_json_holds_null_for_what_json_has_no_word_for() -> None:
    value: Any = {"a": [float("nan"), (1.5, float("-inf"))], "b": {"c": float("inf")}, "d": "NaN"}
    expected = {"a": [None, [1.5, None]], "b": {"c": None}, "d": "NaN"}
    assert json.loads(files.to_json(value)) == expected


READING_SIDE = (
    "store", "metrics", "trial_record", "lock", "checkpoint", "kohya", "export", "card", "samples",
    "tracker", "progress",
)  # fmt: skip


def test_importing_the_results_room_loads_neither_torch_nor_wandb() -> None:
    imports = "; ".join(f"import lora_sweep.results.{name}" for name in READING_SIDE)
    heavy = "{'torch', 'wandb', 'diffusers', 'safetensors', 'numpy'}"
    code = f"import sys; {imports}; print(sorted({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "[]\n", result.stderr
