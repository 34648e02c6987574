from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from lora_sweep.errors import StoreError
from lora_sweep.results import checkpoint
from lora_sweep.results.checkpoint import (
    CorruptCheckpoint,
    checkpoint_steps,
    latest_checkpoint,
    load_checkpoint,
    save_checkpoint,
)

META = {"d": 0.1 + 0.2, "k": 7, "names": ["a", "ü"], "none": None, "nested": {"x": 1e-300}}


def tensors(seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn(4, 6, generator=generator)
    return {
        "fp32": table,
        "view": table[1:3, ::2],  # shares memory with the table, not contiguous
        "bf16": table.bfloat16(),
        "scalar": torch.tensor(3, dtype=torch.int64),
        "empty": torch.zeros(0, 3),
        "nan": torch.tensor([float("nan"), float("inf")]),
    }


def test_a_checkpoint_is_read_back_bit_for_bit(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 500, tensors(), META)
    found = latest_checkpoint(tmp_path)
    assert found is not None
    step, state, meta = found
    assert step == 500
    assert meta == META
    for name, value in tensors().items():
        assert state[name].dtype == value.dtype, name
        assert torch.equal(state[name].nan_to_num(7), value.nan_to_num(7)), name
    assert sorted(path.name for path in (tmp_path / "step-000500").iterdir()) == [
        "state.json", "state.safetensors",
    ]  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["step-000500"]


def test_there_is_no_latest_checkpoint_of_a_new_trial(tmp_path: Path) -> None:
    assert latest_checkpoint(tmp_path / "none") is None


def test_only_the_newest_are_kept_also_beyond_six_digits(tmp_path: Path) -> None:
    for step in (5, 40, 999_999, 1_000_000):
        save_checkpoint(tmp_path, step, tensors(), {}, keep=2)
    assert checkpoint_steps(tmp_path) == [999_999, 1_000_000]
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(ValueError, match="checkpoints_kept=0"):
        checkpoint.prune_checkpoints(tmp_path, 0)


def test_saving_a_step_again_replaces_it(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 1, tensors(0), {"a": 1})
    save_checkpoint(tmp_path, 1, tensors(1), {"a": 2})
    state, meta = load_checkpoint(tmp_path, 1)
    assert torch.equal(state["fp32"], tensors(1)["fp32"])
    assert meta == {"a": 2}
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("file", ["state.safetensors", "state.json"])
def test_one_flipped_byte_anywhere_refuses_the_checkpoint_by_file(
    tmp_path: Path, file: str
) -> None:
    save_checkpoint(tmp_path, 1, tensors(), META)
    path = save_checkpoint(tmp_path, 2, tensors(), {"value": 1.5}) / file
    data = path.read_bytes()
    spots = range(0, len(data), 7) if file.endswith("tensors") else range(len(data))
    for spot in spots:
        path.write_bytes(data[:spot] + bytes([data[spot] ^ 1]) + data[spot + 1 :])
        try:
            assert load_checkpoint(tmp_path, 2)[1] == {"value": 1.5}, f"byte {spot} passed unseen"
            assert file == "state.json", "only white space of the JSON may change"
        except StoreError as error:
            assert file in str(error)
    path.write_bytes(data[:20])
    with pytest.raises(CorruptCheckpoint, match=rf"step-000002/{file} .*remove the folder"):
        latest_checkpoint(tmp_path)
    found = latest_checkpoint(tmp_path, damaged="older")
    assert found is not None
    assert found[0] == 1


def test_a_missing_tensor_file_is_corruption_and_a_missing_state_json_is_no_checkpoint(
    tmp_path: Path,
) -> None:
    save_checkpoint(tmp_path, 1, tensors(), {})
    folder = save_checkpoint(tmp_path, 2, tensors(), {})
    (folder / "state.safetensors").unlink()
    with pytest.raises(CorruptCheckpoint, match=r"cannot read .*state\.safetensors"):
        latest_checkpoint(tmp_path)
    (folder / "state.json").unlink()
    found = latest_checkpoint(tmp_path)
    assert found is not None
    assert found[0] == 1


@pytest.mark.parametrize("call", ["fsync", "rename", "replace"])
def test_a_disk_that_fills_up_leaves_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    save_checkpoint(tmp_path, 1, tensors(), META)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(StoreError, match=r"No space left.*free some space"):
            save_checkpoint(tmp_path, 2, tensors(), META)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000001"]
    assert load_checkpoint(tmp_path, 1)[1] == META


def test_leftovers_of_a_killed_process_are_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".tmp-step-000001-1-abcd").mkdir(parents=True)
    (tmp_path / ".tmp-step-000001-1-abcd" / "state.safetensors").write_bytes(b"half")
    assert latest_checkpoint(tmp_path) is None
    save_checkpoint(tmp_path, 1, tensors(), {})
    assert [path.name for path in tmp_path.iterdir()] == ["step-000001"]


def test_meta_that_json_cannot_hold_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        save_checkpoint(tmp_path / "c", 1, tensors(), {"loss": float("nan")})
    assert not (tmp_path / "c").exists()
