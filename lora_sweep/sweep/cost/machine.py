"""The machine as far as costs depend on it. No torch."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from lora_sweep.config.settings import Device, Settings
from lora_sweep.files import store_error

CPUINFO = Path("/proc/cpuinfo")
MEMINFO = Path("/proc/meminfo")
CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)


@dataclass(frozen=True)
class Gpu:
    """One GPU that processes may use."""

    name: str
    memory: int  # bytes


@dataclass(frozen=True)
class Machine:
    """What measurements are kept apart by: those of one machine say nothing of another."""

    cpu: str
    cores: int  # that this process may use
    gpus: tuple[str, ...]  # the kinds that there are
    torch: str

    @property
    def digest(self) -> str:
        """Names the folder of this machine's measurements."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def describe(self) -> str:
        """In a few words."""
        cores = f"{self.cpu}, {self.cores} core{'s' if self.cores != 1 else ''}"
        return ", ".join([*self.gpus, cores, f"torch {self.torch}"])


@cache
def this_machine() -> Machine:
    """The machine that this process runs on."""
    names = dict.fromkeys(gpu.name for gpu in visible_gpus())  # how many is no property of a step
    return Machine(_cpu(), num_cores(), tuple(names), _torch())


def device_of(settings: Settings) -> str:
    """ "cuda" or "cpu": where a trial with these settings would train here."""
    if settings.train.device is Device.cpu:
        return "cpu"
    return "cuda" if visible_gpus() or settings.train.device is Device.cuda else "cpu"


def num_cores() -> int:
    """CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def visible_gpus() -> tuple[Gpu, ...]:
    """The NVIDIA GPUs that torch would find, by nvidia-smi; none where torch is built for the CPU.

    Of CUDA_VISIBLE_DEVICES only the number of entries is looked at.
    """
    if _torch().endswith("+cpu") or shutil.which("nvidia-smi") is None:
        return ()
    asked = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True).stdout
        rows = [line.rsplit(",", 1) for line in told.splitlines() if "," in line]
        found = [Gpu(name.strip(), int(size) * 2**20) for name, size in rows]
    except (OSError, ValueError, subprocess.SubprocessError):
        return ()
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        count = len([each for each in chosen.split(",") if each.strip() not in ("", "-1")])
        found = found[:count]
    return tuple(found)


def available_memory() -> int | None:
    """Bytes of main memory to be had without swapping, within the limit of this process's group;
    None where the system does not tell.
    """
    found: list[int] = []
    try:
        rows = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines() if ":" in line)
        found.append(int(rows["MemAvailable"].split()[0]) * 1024)
    except (OSError, ValueError, KeyError, IndexError):
        pass
    for limit, used in CGROUPS:
        try:
            found.append(int(Path(limit).read_text()) - int(Path(used).read_text()))
        except (OSError, ValueError):
            continue  # no group, or "max": no limit
    return min(found, default=None)


def free_disk(folder: Path) -> int | None:
    """Bytes free where a folder is, or will be; None where the system does not tell."""
    try:
        return shutil.disk_usage(_existing(folder)).free
    except OSError:
        return None


def why_unwritable(folder: Path) -> str | None:
    """Why nothing can be written where a folder is, or will be; leaves nothing behind."""
    place = _existing(folder)
    try:
        with tempfile.TemporaryFile(dir=place):
            return None
    except OSError as error:
        return str(store_error(place, "write to", error))


def _existing(folder: Path) -> Path:
    place = folder.absolute()
    while not os.path.exists(place) and place != place.parent:  # Path's may raise
        place = place.parent
    return place


@cache
def _torch() -> str:
    # By metadata: torch 2.13.0+cpu calls itself so there, too.
    try:
        return metadata.version("torch")
    except metadata.PackageNotFoundError:
        return "none"


def _cpu() -> str:
    try:
        for line in CPUINFO.read_text(encoding="utf-8").splitlines():
            if line.lower().startswith("model name"):
                return line.split(":", 1)[1].strip()
    except (OSError, UnicodeDecodeError, IndexError):
        pass
    return platform.processor() or platform.machine()
