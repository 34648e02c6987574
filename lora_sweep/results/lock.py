"""One process at a time works on a trial; the lock of a process that died is free again."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

from lora_sweep.errors import StoreError
from lora_sweep.files import make_folder, store_error

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

POLL_SECONDS = 0.2
HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)


class LockHeld(StoreError):
    """Another process is working on this trial."""


@contextlib.contextmanager
def file_lock(
    path: Path, *, blocking: bool = True, on_wait: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Hold an exclusive lock for as long as the context lasts.

    Uses flock, which the system releases when the holder dies. Where the file system has none
    (some network mounts, Windows), a file created exclusively stands in for it, and is taken over
    when the process that it names no longer runs on this host.

    blocking: wait for the lock; otherwise raise LockHeld, naming the holder. on_wait is called once
    with one line when there is something to wait for.
    """
    make_folder(path.parent)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise store_error(path, "open the lock file", error) from error
    owner = path.with_name(path.name + ".owner")
    try:
        while (release := _take(descriptor, owner)) is None:
            line = f"{path.parent} is in use by {_holder(path)}"
            if not blocking:
                raise LockHeld(f"{line}; wait for it to end, or give results.dir another folder")
            if on_wait is not None:
                on_wait(f"{line}; waiting")
                on_wait = None
            time.sleep(POLL_SECONDS)
        try:
            os.ftruncate(descriptor, 0)
            os.write(descriptor, _me())
            yield
        finally:
            release()
    finally:
        os.close(descriptor)


def _take(descriptor: int, owner: Path) -> Callable[[], None] | None:
    """Try once; on success, what releases the lock."""
    if fcntl is None:
        return _take_file(owner)
    system = fcntl
    try:
        system.flock(descriptor, system.LOCK_EX | system.LOCK_NB)
    except OSError as error:
        return None if error.errno in HELD else _take_file(owner)
    # Unlocking, not only closing: a forked child may still hold a copy of the descriptor.
    return lambda: system.flock(descriptor, system.LOCK_UN)


def _take_file(owner: Path) -> Callable[[], None] | None:
    try:
        descriptor = os.open(owner, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        if _is_abandoned(owner):
            _bury(owner)
        return None
    except OSError as error:
        raise store_error(owner, "create the lock file", error) from error
    os.write(descriptor, _me())
    os.close(descriptor)
    return lambda: owner.unlink(missing_ok=True)


def _bury(owner: Path) -> None:
    """Move a dead process's file away; back again if another process was quicker to take over."""
    grave = owner.with_name(f"{owner.name}.dead-{os.getpid()}")
    with contextlib.suppress(OSError):
        os.replace(owner, grave)
        if _is_abandoned(grave):
            grave.unlink()
        else:
            os.replace(grave, owner)


def _is_abandoned(owner: Path) -> bool:
    try:
        holder = json.loads(owner.read_text())
        host, pid = str(holder["host"]), int(holder["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return False  # being written, or released just now
    return host == socket.gethostname() and not _is_running(pid)


def _is_running(pid: int) -> bool:
    if os.name == "nt":  # os.kill(pid, 0) would end the process there
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _me() -> bytes:
    return json.dumps({"host": socket.gethostname(), "pid": os.getpid()}).encode()


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text())
        return f"process {holder['pid']} on {holder['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
