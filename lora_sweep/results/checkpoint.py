"""Checkpoints: a trial's tensors and plain values at one step, whole and checked, or refused."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lora_sweep.errors import StoreError
from lora_sweep.files import (
    TEMPORARY,
    atomic_write,
    make_folder,
    sha256_of,
    store_error,
    sync_file,
    sync_folder,
)

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
TENSORS = "state.safetensors"
META = "state.json"
PIN = "pinned"
"""A file in the folder of a checkpoint that is not to be removed when newer ones are written."""

STEP_FOLDER = re.compile(r"step-(\d{6,})")


class CorruptCheckpoint(StoreError):
    """A checkpoint's content is not what was written."""


def step_folder(folder: Path, step: int) -> Path:
    """The folder of one step inside a trial's checkpoints folder."""
    return folder / f"step-{step:06d}"


def checkpoint_steps(folder: Path) -> list[int]:
    """Steps that have a complete checkpoint, in order; a folder without state.json is not one."""
    if not folder.is_dir():
        return []
    matches = ((STEP_FOLDER.fullmatch(path.name), path) for path in folder.iterdir())
    return sorted(int(m.group(1)) for m, path in matches if m and (path / META).is_file())


def save_checkpoint(
    folder: Path,
    step: int,
    tensors: Mapping[str, Tensor],
    meta: Mapping[str, Any],
    *,
    keep: int | None = None,
    pinned: bool = False,
) -> Path:
    """Write one step's state; afterwards it is there completely, or not at all.

    tensors: any device, any shape; stored in their own dtypes. meta: JSON values, finite.
    keep: how many of the newest checkpoints to leave in place; None leaves all. pinned: leave this
    one in place beside them, until `unpin`.
    Raises StoreError when the disk is full or not writable, ValueError for meta that is not JSON.
    """
    target = step_folder(folder, step)
    content: dict[str, Any] = {"format": FORMAT, "step": step, "meta": dict(meta)}
    json.dumps(content, allow_nan=False)
    make_folder(folder)
    _remove_leftovers(folder)
    temporary = folder / f"{TEMPORARY}{target.name}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        temporary.mkdir()
        _save_tensors(temporary / TENSORS, tensors)
        content["sha256"] = sha256_of(temporary / TENSORS)
        content["sha256_of_meta"] = _digest(content)
        atomic_write(temporary / META, json.dumps(content, indent=2, allow_nan=False))
        if pinned:
            (temporary / PIN).touch()
        _put_in_place(temporary, target)
    except OSError as error:
        raise store_error(target, "write the checkpoint", error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    if keep is not None:
        prune_checkpoints(folder, keep)
    return target


def load_checkpoint(folder: Path, step: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read one step's tensors (on the CPU) and meta; raises CorruptCheckpoint naming the file."""
    from safetensors.torch import load_file

    meta = check_checkpoint(folder, step)
    return load_file(step_folder(folder, step) / TENSORS), meta


def check_checkpoint(folder: Path, step: int) -> dict[str, Any]:
    """The meta of one step, if it is whole; raises CorruptCheckpoint naming the file."""
    target = step_folder(folder, step)
    remedy = f"remove the folder {target} to go on from the checkpoint before it"
    content = _read_meta(target / META, step, remedy)
    try:
        found = sha256_of(target / TENSORS)
    except OSError as error:
        raise CorruptCheckpoint(f"cannot read {target / TENSORS}: {error}; {remedy}") from error
    if found != content["sha256"]:
        raise CorruptCheckpoint(
            f"{target / TENSORS} is damaged: its SHA-256 is {found[:12]}…, "
            f"written was {content['sha256'][:12]}…; {remedy}"
        )
    return content["meta"]


def latest_checkpoint(
    folder: Path, *, damaged: Literal["raise", "older"] = "raise"
) -> tuple[int, dict[str, Tensor], dict[str, Any]] | None:
    """The newest complete checkpoint as (step, tensors, meta), or None when there is none.

    damaged: when it is damaged, raise CorruptCheckpoint, or take the newest one that is whole.
    """
    for step in reversed(checkpoint_steps(folder)):
        try:
            return step, *load_checkpoint(folder, step)
        except CorruptCheckpoint:
            if damaged == "raise":
                raise
    return None


def prune_checkpoints(folder: Path, keep: int) -> None:
    """Remove all but the newest `keep` checkpoints, and those pinned; at least one is left."""
    if keep < 1:
        raise ValueError(f"train.checkpoints_kept={keep} must be at least 1")
    steps = checkpoint_steps(folder)
    loose = [step for step in steps if not (step_folder(folder, step) / PIN).exists()]
    for step in loose[:-keep]:
        path = step_folder(folder, step)
        # state.json goes first: a removal cut short then leaves no checkpoint, not half of one.
        with contextlib.suppress(OSError):
            (path / META).unlink(missing_ok=True)
        shutil.rmtree(path, ignore_errors=True)


def unpin(folder: Path, step: int, keep: int) -> None:
    """Nobody needs a pinned checkpoint any more: it goes where it is not of the newest `keep`."""
    (step_folder(folder, step) / PIN).unlink(missing_ok=True)
    prune_checkpoints(folder, keep)


def _save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        # clone: safetensors refuses tensors that share memory, which views of one table do.
        save_file({k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}, path)
    except SafetensorError as error:
        raise StoreError(
            f"cannot write {path}: {error}; free some space or set results.dir to another disk"
        ) from error
    sync_file(path)


def _read_meta(path: Path, step: int, remedy: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
        version = content["format"]
        if version <= FORMAT and (
            content["step"] != step or content.pop("sha256_of_meta") != _digest(content)
        ):
            raise ValueError("it does not match its own SHA-256")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptCheckpoint(f"{path} is damaged: {error}; {remedy}") from error
    if version != FORMAT:
        raise StoreError(
            f"{path} has format {version!r}, this lora_sweep reads {FORMAT}: update lora_sweep"
        )
    return content


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _put_in_place(temporary: Path, target: Path) -> None:
    sync_folder(temporary)
    old = target.with_name(f"{TEMPORARY}old-{target.name}-{secrets.token_hex(4)}")
    if target.exists():
        os.rename(target, old)  # a folder that is not empty cannot be replaced in one step
    os.rename(temporary, target)
    sync_folder(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def _remove_leftovers(folder: Path) -> None:
    for path in folder.glob(f"{TEMPORARY}*"):
        shutil.rmtree(path, ignore_errors=True)
