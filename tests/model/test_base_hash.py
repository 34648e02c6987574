"""The identity of a base: its bytes, wherever they lie."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lora_sweep.config.settings import Model
from lora_sweep.errors import ModelError
from lora_sweep.model.identity import base_hash
from lora_sweep.nano import WEIGHTS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(WEIGHTS, tmp_path / "base"))


def flip_a_byte(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


def test_the_same_files_have_the_same_identity_anywhere(folder: Path) -> None:
    assert base_hash(Model(path=str(folder))) == base_hash(Model(path="nano"))


@pytest.mark.parametrize(
    "file",
    [
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
        "text_encoder/model.safetensors",
        "text_encoder_2/model.safetensors",
        "tokenizer/tokenizer.json",
        "scheduler/scheduler_config.json",
        "unet/config.json",
    ],
)
def test_one_changed_byte_makes_another_base(folder: Path, file: str) -> None:
    before = base_hash(Model(path=str(folder)))
    flip_a_byte(folder / file)
    assert base_hash(Model(path=str(folder))) != before


def test_files_that_no_training_reads_do_not_count(folder: Path) -> None:
    before = base_hash(Model(path=str(folder)))
    (folder / "README.md").write_text("about this base")
    (folder / "clip" / "model.safetensors").unlink()
    assert base_hash(Model(path=str(folder))) == before


def test_another_vae_is_another_base(folder: Path) -> None:
    own = base_hash(Model())
    one = base_hash(Model(vae=str(folder / "vae")))
    flip_a_byte(folder / "vae" / "diffusion_pytorch_model.safetensors")
    assert len({own, one, base_hash(Model(vae=str(folder / "vae")))}) == 3


def test_each_variant_of_one_folder_is_another_base(folder: Path) -> None:
    hashes = {base_hash(Model(path=str(folder), variant=name)) for name in (None, "fp16", "bf16")}
    assert len(hashes) == 3


def test_a_single_file_is_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.safetensors"
    file.write_bytes(b"one")
    first = base_hash(Model(path=str(file), single_file=True))
    file.write_bytes(b"two")
    assert base_hash(Model(path=str(file), single_file=True)) != first


def test_large_files_are_read_once_until_they_change(tmp_path: Path) -> None:
    file, memory = tmp_path / "large.safetensors", tmp_path / "state" / "hashes.json"
    with file.open("wb") as handle:
        handle.truncate((64 << 20) + 1)
    model = Model(path=str(file), single_file=True)
    first = base_hash(model, memory)
    assert first == base_hash(model), "remembering changes nothing"
    stamp = file.stat()
    flip_a_byte(file)
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert base_hash(model, memory) == first, "taken from memory: size and time are the same"
    os.utime(file)
    assert base_hash(model, memory) != first


def test_a_damaged_memory_is_only_forgotten(tmp_path: Path) -> None:
    memory = tmp_path / "hashes.json"
    memory.write_text("{")
    assert base_hash(Model(), memory) == base_hash(Model())


@pytest.mark.parametrize("path", ["./nowhere", "/no/such", "nowhere", "owner/model", "a b/c"])
def test_a_place_that_is_not_there_is_refused(path: str) -> None:
    with pytest.raises(ModelError, match=rf"model\.path is '{path}'"):
        base_hash(Model(path=path))


def test_it_is_known_without_torch() -> None:
    code = (
        "import sys; from lora_sweep.config.settings import Model; "
        "from lora_sweep.model.identity import base_hash; base_hash(Model()); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
