"""What is known of a trial, as trial.json keeps it; reading it needs only the standard library."""

from __future__ import annotations

import json
import platform
import subprocess
from dataclasses import asdict, dataclass, field, fields, replace
from enum import Enum
from importlib import metadata
from pathlib import Path
from typing import Any

import lora_sweep
from lora_sweep.errors import StoreError
from lora_sweep.files import atomic_write, to_json

FORMAT = 1
"""Version of trial.json; raised when a reader of the version before would misread the file."""

PACKAGES = ("torch", "diffusers", "transformers", "peft", "safetensors", "accelerate", "numpy")


class TrialState(str, Enum):
    """Where a trial stands; a trial is in exactly one state."""

    waiting = "waiting"  # asked for, not started
    running = "running"  # being trained, or its process was killed: the lock tells which
    done = "done"  # trained and exported; asking for it again is a lookup
    failed = "failed"  # stopped by an error; tried again when asked for again
    diverged = "diverged"  # the loss became NaN or infinite: a result, not tried again
    pruned = "pruned"  # stopped by the search because others were better


@dataclass(frozen=True)
class TrialRecord:
    """One trial's outcome. `seconds_shared` is the part of `seconds` shared with other trials."""

    id: str
    state: TrialState = TrialState.waiting
    name: str = ""
    steps: int = 0  # optimizer steps done
    seconds: float = 0.0
    seconds_shared: float = 0.0
    scores: dict[str, float | None] = field(default_factory=dict)  # null: not finite
    versions: dict[str, str] = field(default_factory=dict)
    commit: str | None = None  # of lora_sweep's own source, where it runs from a git checkout
    error: str | None = None
    format: int = FORMAT

    def with_(self, **changes: Any) -> TrialRecord:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def to_json(self) -> str:
        """The content of trial.json."""
        return to_json(asdict(self) | {"state": self.state.value}, indent=2) + "\n"


class DamagedRecord(StoreError):
    """What trial.json holds is not what was written."""


def write_record(path: Path, record: TrialRecord) -> None:
    """Write trial.json in one step; raises StoreError."""
    atomic_write(path, record.to_json())


def read_record(path: Path) -> TrialRecord | None:
    """Read trial.json; None if there is none.

    Raises DamagedRecord when it is no record, StoreError when it cannot be read or was written by
    a newer lora_sweep.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError as error:
        raise DamagedRecord(f"{path} is not a trial record: {error}") from error
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error}") from error
    return parse_record(text, path)


def parse_record(text: str, path: Path) -> TrialRecord:
    """Turn the content of trial.json into a record; `path` is for the messages."""
    damaged = f"{path} is not a trial record"
    remedy = "; remove the file to train the trial again"
    try:
        values = json.loads(text)
    except ValueError as error:
        raise DamagedRecord(f"{damaged}: {error}{remedy}") from error
    if not isinstance(values, dict):
        raise DamagedRecord(f"{damaged}: it holds a {type(values).__name__}, not an object{remedy}")
    version = values.get("format")
    if not isinstance(version, int):
        raise DamagedRecord(f"{damaged}: its format is {version!r}, not a number{remedy}")
    if version > FORMAT:
        raise StoreError(
            f"{path} has format {version}, written by a newer lora_sweep; this one reads up to "
            f"{FORMAT}: update lora_sweep, or set results.dir to another folder"
        )
    known = {f.name for f in fields(TrialRecord)}
    if unknown := sorted(set(values) - known):
        raise DamagedRecord(f"{damaged}: unknown fields {', '.join(unknown)}{remedy}")
    try:
        values["state"] = TrialState(values.get("state"))
        return TrialRecord(**values)
    except (TypeError, ValueError) as error:
        raise DamagedRecord(f"{damaged}: {error}{remedy}") from error


def collect_versions() -> dict[str, str]:
    """Versions of Python, lora_sweep and the packages that decide a result; imports none."""
    versions = {"python": platform.python_version(), "lora_sweep": lora_sweep.__version__}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def find_commit() -> str | None:
    """The git commit of lora_sweep's source; None when installed, or not in its own checkout."""
    folder = Path(lora_sweep.__file__).parent

    def git(*arguments: str) -> str | None:
        try:
            result = subprocess.run(
                ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=5
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return result.stdout.strip() if result.returncode == 0 else None

    # An installed package may lie inside another repository; that commit says nothing of it.
    if git("ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    return git("rev-parse", "HEAD")
