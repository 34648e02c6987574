"""What comes out of the cache is what was put in, or it is made again."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lora_sweep.data.cache import Cache, canonical
from lora_sweep.errors import StoreError

KEY = {"picture": "ab12", "resolution": 64, "crop": [1, 2], "flipped": False, "vae": None}


def tensors() -> dict[str, Tensor]:
    return {
        "mean": torch.arange(24, dtype=torch.float32).reshape(2, 3, 4),
        "half": torch.tensor([1.5, float("nan"), -0.0], dtype=torch.bfloat16),
        "count": torch.tensor(3),
        "none": torch.zeros(0, 4),
    }


def never() -> dict[str, Tensor]:
    raise AssertionError("the entry is there and must not be made again")


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype
        and one[name].shape == other[name].shape
        and one[name].reshape(-1).view(torch.uint8).equal(other[name].reshape(-1).view(torch.uint8))
        for name in one
    )


def entry_of(root: Path) -> Path:
    (path,) = root.rglob("*.safetensors")
    return path


def test_a_second_request_reads_the_very_bits_of_the_first(tmp_path: Path) -> None:
    made = Cache(tmp_path).get_or_make("latents", KEY, tensors)
    assert same(made, tensors())
    assert same(Cache(tmp_path).get_or_make("latents", KEY, never), tensors())


def test_the_address_is_the_hash_of_the_key_below_its_kind(tmp_path: Path) -> None:
    Cache(tmp_path).get_or_make("latents", KEY, tensors)
    path = entry_of(tmp_path)
    assert path.parent.parent == tmp_path / "cache" / "latents"
    assert len(path.stem) == 64 and path.parent.name == path.stem[:2]


def test_other_keys_and_kinds_are_other_entries_and_the_order_of_a_key_is_not(
    tmp_path: Path,
) -> None:
    cache = Cache(tmp_path)
    for number, (kind, key) in enumerate([("text", KEY), ("latents", KEY), ("text", {"a": 1})]):
        made = cache.get_or_make(kind, key, lambda number=number: {"x": torch.tensor(number)})
        assert made["x"].item() == number
    turned = dict(reversed(KEY.items()))
    assert cache.get_or_make("text", turned, never)["x"].item() == 0


def test_views_and_tensors_with_gradients_come_back_as_plain_values(tmp_path: Path) -> None:
    base = torch.arange(6.0).reshape(2, 3).requires_grad_()
    shared = {"a": base.T, "b": base[0]}
    made = Cache(tmp_path).get_or_make("text", KEY, lambda: shared)
    for result in (made, Cache(tmp_path).get_or_make("text", KEY, never)):
        assert torch.equal(result["a"], base.T) and torch.equal(result["b"], base[0])
        assert not result["a"].requires_grad and result["a"].is_contiguous()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_entry_is_never_returned(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("root")
    Cache(root).get_or_make("latents", KEY, tensors)
    path = entry_of(root)
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    assert same(Cache(root).get_or_make("latents", KEY, tensors), tensors())
    assert same(Cache(root).get_or_make("latents", KEY, tensors), tensors())


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-5],
        lambda data: b"",
        lambda data: b"no tensors",
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    ],
)
def test_a_damaged_entry_is_said_once_and_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[bytes], bytes]
) -> None:
    cache = Cache(tmp_path)
    cache.get_or_make("latents", KEY, tensors)
    path = entry_of(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    with caplog.at_level(logging.WARNING):
        cache.get_or_make("latents", KEY, tensors)
        cache.get_or_make("latents", KEY, never)
    (record,) = caplog.records
    assert str(path) in record.getMessage()


def test_an_entry_of_another_key_is_not_believed(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.get_or_make("text", {"a": 1}, lambda: {"x": torch.tensor(1)})
    moved = entry_of(tmp_path).read_bytes()
    cache.get_or_make("latents", KEY, tensors)
    (path,) = (tmp_path / "cache" / "latents").rglob("*.safetensors")
    path.write_bytes(moved)
    assert same(cache.get_or_make("latents", KEY, tensors), tensors())


def test_when_making_fails_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        Cache(tmp_path).get_or_make("latents", KEY, never)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_root_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file in the way")
    with pytest.raises(StoreError, match=str(tmp_path / "cache")):
        Cache(tmp_path).get_or_make("latents", KEY, tensors)


def test_many_writers_of_one_entry_leave_one_whole_file(tmp_path: Path) -> None:
    def write(_: int) -> dict[str, Tensor]:
        return Cache(tmp_path).get_or_make("latents", KEY, tensors)

    with ThreadPoolExecutor(8) as pool:
        assert all(same(result, tensors()) for result in pool.map(write, range(40)))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [entry_of(tmp_path)]


def test_a_key_with_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical({"scale": float("nan")})


def test_a_folder_of_a_key_is_made_once_and_tells_its_key(tmp_path: Path) -> None:
    folder = Cache(tmp_path).folder("class_images", KEY)
    (folder / "000.png").write_bytes(b"kept")
    assert Cache(tmp_path).folder("class_images", KEY) == folder
    assert (folder / "000.png").read_bytes() == b"kept"
    assert json.loads((folder / "key.json").read_text()) == KEY
