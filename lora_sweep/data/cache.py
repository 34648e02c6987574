"""A cache of tensors on disk, addressed by a hash of everything that the tensors depend on."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from lora_sweep.errors import StoreError
from lora_sweep.files import atomic_write

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"

_log = logging.getLogger(__name__)


class Cache:
    """Tensors at <root>/cache/<kind>/<aa>/<SHA-256 of the key>.safetensors.

    Several processes may use one root: writes are atomic, and two that make one entry
    write the same.
    """

    def __init__(self, root: Path) -> None:
        self._root = root / "cache"

    def get_or_make(
        self, kind: str, key: Mapping[str, Json], make: Callable[[], dict[str, Tensor]]
    ) -> dict[str, Tensor]:
        """The tensors under a key, on the CPU; made and written if they are not there.

        A damaged entry is reported by a warning, made again and replaced. Raises StoreError if the
        file cannot be read or written.
        """
        text = canonical(key)
        path = self._address(kind, text).with_suffix(".safetensors")
        try:
            return _read(path, text)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error.strerror or error}") from error
        except _Damaged as damage:
            _log.warning("%s is damaged (%s); it is made again", path, damage)
        made = make()
        # What is returned now must be what a later call reads: no views, strides or gradients.
        tensors = {
            name: tensor.detach().cpu().clone().contiguous() for name, tensor in made.items()
        }
        atomic_write(path, save(tensors, {"key": text, "checksum": _checksum(tensors)}))
        return tensors

    def folder(self, kind: str, key: Mapping[str, Json]) -> Path:
        """A folder under a key, made if it is not there, with the key in its key.json."""
        text = canonical(key)
        folder = self._address(kind, text)
        if not (folder / "key.json").is_file():
            atomic_write(folder / "key.json", text.encode())
        return folder

    def _address(self, kind: str, text: str) -> Path:
        digest = hashlib.sha256(text.encode()).hexdigest()
        return self._root / kind / digest[:2] / digest


def canonical(key: Mapping[str, Json]) -> str:
    """One text for equal keys, in whatever order; raises ValueError for NaN and infinity."""
    return json.dumps(key, sort_keys=True, separators=(",", ":"), allow_nan=False)


class _Damaged(Exception):
    """An entry is there but is not what was written."""


def _read(path: Path, key: str) -> dict[str, Tensor]:
    data = path.read_bytes()
    try:
        tensors = load(data)
        metadata = _metadata(data)
        stored_key, checksum = metadata["key"], metadata["checksum"]
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise _Damaged(f"{type(error).__name__}: {error}") from error
    if stored_key != key:
        raise _Damaged("it holds another key")
    if checksum != _checksum(tensors):
        raise _Damaged("its checksum differs")
    return tensors


def _metadata(data: bytes) -> dict[str, Any]:
    # A safetensors file opens with the length of its JSON header, 8 bytes, little-endian.
    header_bytes = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + header_bytes])["__metadata__"]


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
