"""Writing files so that a reader sees the old content or the new, never a part of either."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lora_sweep.errors import StoreError

TEMPORARY = ".tmp-"
"""Prefix of every temporary name, so that leftovers of a killed process are recognised."""

# Windows refuses these characters; NUL and the separators are dangerous everywhere.
FORBIDDEN_IN_NAMES = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
LONGEST_NAME_BYTES = 200  # 255 is the limit of common file systems; suffixes need room

REMEDIES = {
    errno.ENOSPC: "free some space or set results.dir to another disk",
    errno.EDQUOT: "your quota is used up: free some space or set results.dir to another disk",
    errno.EACCES: "set results.dir to a folder you may write to",
    errno.EPERM: "set results.dir to a folder you may write to",
    errno.EROFS: "the file system is read-only: set results.dir to one that is not",
    errno.ENOTDIR: "a part of the path is a file: set results.dir to another folder",
    errno.EEXIST: "a file is in the way: remove it or set results.dir to another folder",
    errno.ENAMETOOLONG: "use a shorter results.dir or results.name",
}


def store_error(path: Path, action: str, error: OSError) -> StoreError:
    """Say which file failed, why, and what the user can do."""
    reason = error.strerror or str(error)
    remedy = REMEDIES.get(error.errno or 0, "check the disk, or set results.dir to another folder")
    return StoreError(f"cannot {action} {path}: {reason}; {remedy}")


def check_name(name: str, setting: str = "results.name") -> str:
    """Return `name` if it can be a file name inside its folder; otherwise raise StoreError."""
    problem = None
    if not name or name.strip() != name:
        problem = "must not be empty or begin or end with a space"
    elif name.startswith((".", "-")):
        problem = "must not begin with '.' or '-'"
    elif FORBIDDEN_IN_NAMES.search(name):
        problem = 'must not contain control characters or any of / \\ : * ? " < > |'
    elif len(name.encode()) > LONGEST_NAME_BYTES:
        problem = f"must not be longer than {LONGEST_NAME_BYTES} bytes"
    if problem:
        raise StoreError(f"{setting}={name!r} cannot be a file name: it {problem}")
    return name


def make_folder(path: Path) -> Path:
    """Create a folder and its parents; raises StoreError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise store_error(path, "create the folder", error) from error
    return path


def sync_folder(path: Path) -> None:
    """Make renames inside a folder survive a power failure, where the system can."""
    if os.name == "nt":  # Windows cannot open a folder for this
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems do not know how to sync a folder; the rename is done anyway.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Force a file's content to the disk."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, with its suffix; on success it replaces `path`.

    On any failure the temporary file is removed and `path` is as it was. Raises StoreError in place
    of OSError.
    """
    make_folder(path.parent)
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
        sync_file(temporary)
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        raise store_error(path, "write", error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def atomic_write(path: Path, content: bytes | str) -> None:
    """Replace the content of a file in one step; text is written as UTF-8. Raises StoreError."""
    data = content.encode() if isinstance(content, str) else content
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def check_writable(root: Path) -> None:
    """Create `root` and write a file there, so that a bad results.dir fails before training."""
    probe = make_folder(root) / f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}"
    try:
        probe.write_bytes(b"probe")
    except OSError as error:
        raise store_error(root, "write to", error) from error
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """Hash a file without holding it in memory."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def without_nan(value: Any) -> Any:
    """Replace NaN and infinities, for which JSON has no word, by None at any depth."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    return value


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Valid JSON with NaN and infinities as null."""
    return json.dumps(without_nan(value), indent=indent, ensure_ascii=False, allow_nan=False)
