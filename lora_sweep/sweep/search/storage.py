"""Where a study is kept: a journal in the results folder, or a database by its URL."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import BaseJournalFileLock
from sqlalchemy.exc import SQLAlchemyError

from lora_sweep.errors import SettingsError, StoreError
from lora_sweep.files import make_folder
from lora_sweep.results.lock import file_lock

JOURNAL = "journal"
SQLITE, POSTGRES = "sqlite", "postgresql"
KNOWN = "journal://FILE, sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE"
REACH_SECONDS = 12.0  # until a storage that does not answer is given up
CONNECT_SECONDS = 8  # the same for one address of a database
MAKING_TRIES, MAKING_SECONDS = 10, 0.2  # for a database that several processes make at once
SQLITE_WAIT_SECONDS = 60.0  # for other processes that write


def storage_problems(url: str | None) -> list[str]:
    """Why a URL cannot be one of a storage."""
    if url is None:
        return []
    scheme, mark, rest = url.partition("://")
    kind = scheme.partition("+")[0]
    if not mark or kind not in (JOURNAL, SQLITE, POSTGRES) or (kind == JOURNAL and not rest):
        return [f"study.storage={without_password(url)}: must be null or {KNOWN}"]
    return []


def open_storage(url: str | None, journal: Path) -> BaseStorage:
    """Open a storage, and make it where it is not there; `journal` is the file for url=None.

    Raises StoreError where it cannot be reached within REACH_SECONDS.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # it would tell of every trial
    if url is None or url.startswith(f"{JOURNAL}://"):
        path = journal if url is None else Path(url.removeprefix(f"{JOURNAL}://"))
        return _within_time(lambda: _open_journal(path), str(path))
    return _within_time(lambda: _open_database(url), without_password(url))


def close_storage(storage: BaseStorage) -> None:
    """Let go of connections."""
    storage.remove_session()
    engine = getattr(getattr(storage, "_backend", None), "engine", None)
    if engine is not None:
        engine.dispose()


def without_password(url: str) -> str:
    """A URL that can be shown and written down."""
    return without_password_of(url, url)


def without_password_of(url: str, text: str) -> str:
    """A text in which the password of a URL is not to be read."""
    try:
        password = urlsplit(url).password
    except ValueError:  # brackets that hold no address: then it is no URL of a server either
        return text
    return text.replace(f":{password}@", ":***@") if password else text


def dashboard_command(url: str | None, journal: Path, artifacts: Path | None) -> str:
    """What shows the study in a browser."""
    place = str(journal) if url is None else without_password(url).removeprefix(f"{JOURNAL}://")
    pictures = f" --artifact-dir {artifacts}" if artifacts is not None else ""
    return f"optuna-dashboard {place}{pictures}"


def _within_time(work: Callable[[], BaseStorage], place: str) -> BaseStorage:
    """Do what may never come back, such as a connection that nobody answers."""
    done: list[BaseStorage] = []
    faults: list[Exception] = []

    def run() -> None:
        try:
            done.append(work())
        except Exception as error:
            faults.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(REACH_SECONDS)
    if done:
        return done[0]
    if faults and isinstance(faults[0], StoreError | SettingsError):
        raise faults[0]
    why = f"no answer in {REACH_SECONDS:.0f} seconds" if not faults else _first_line(faults[0])
    raise StoreError(
        f"study.storage={place} cannot be reached: {why}; start it or correct the address, or use "
        "study.storage=null for a file in the results folder"
    )


def _open_journal(path: Path) -> BaseStorage:
    make_folder(path.parent)
    lock = JournalLock(path)
    lock.acquire()
    try:
        _mend(path)
    finally:
        lock.release()
    return JournalStorage(JournalFileBackend(str(path), lock_obj=lock))


def _open_database(url: str) -> BaseStorage:
    engine: dict[str, Any] = {}
    if url.startswith(SQLITE):
        file = url.partition(":///")[2]
        if file and not file.startswith(":"):
            make_folder(Path(file).parent)
        engine["connect_args"] = {"timeout": SQLITE_WAIT_SECONDS}
    else:
        engine["connect_args"] = {"connect_timeout": CONNECT_SECONDS}
        engine["pool_pre_ping"] = True  # trials take hours, and servers close what is idle
    try:
        for _ in range(MAKING_TRIES):
            with contextlib.suppress(_MadeByAnother):
                return _made(url, engine)
            time.sleep(MAKING_SECONDS)
        return optuna.storages.get_storage(RDBStorage(url, engine_kwargs=engine))
    except ImportError as error:
        raise SettingsError(
            [f"study.storage={without_password(url)}: needs a package: pip install "
             f"-e '.[postgres]' ({_first_line(error)})"]
        ) from error  # fmt: skip


class _MadeByAnother(Exception):
    """Two processes were making the tables of a new database."""


def _made(url: str, engine: dict[str, Any]) -> BaseStorage:
    try:
        return optuna.storages.get_storage(RDBStorage(url, engine_kwargs=engine))
    except SQLAlchemyError as error:
        if any(
            word in str(error) for word in ("already exists", "duplicate key", "UNIQUE constraint")
        ):
            raise _MadeByAnother from error
        raise


class JournalLock(BaseJournalFileLock):
    """One process at a time writes to the journal. The lock of a process that was killed is free at
    once, where Optuna's own would be waited for.
    """

    def __init__(self, journal: Path) -> None:
        self._path = journal.with_name(f"{journal.name}.flock")
        self._held: AbstractContextManager[None] | None = None

    def acquire(self) -> bool:
        """Wait for the lock."""
        held = file_lock(self._path)
        held.__enter__()
        self._held = held
        return True

    def release(self) -> None:
        """Let the next one write."""
        held, self._held = self._held, None
        if held is not None:
            held.__exit__(None, None, None)


def _mend(path: Path) -> None:
    """Cut off a last line that a killed process has written in part: nothing could follow it."""
    if not path.is_file():
        return
    with path.open("r+b") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            file.truncate(whole)
            os.fsync(file.fileno())


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
