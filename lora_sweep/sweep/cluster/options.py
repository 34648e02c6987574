"""How a sweep uses a cluster; nothing here changes a result. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from lora_sweep.errors import LoraSweepError


class ClusterError(LoraSweepError):
    """The scheduler takes no jobs, or none of them can do its work."""


@dataclass(frozen=True)
class ClusterOptions:
    """What all engines have."""

    workers: int = 8  # jobs at once
    jobs: int | None = None  # most jobs to cut the sweep into; None: eight for each worker
    max_attempts: int = 3  # in a row without a step gained, before what is in hand is given up
    poll_seconds: float = 10.0  # between two looks at jobs and results

    @property
    def launcher(self) -> str:
        """What hydra/launcher calls it."""
        raise NotImplementedError

    def problems(self) -> list[str]:
        """What is wrong, each with its setting, its value and what is allowed."""
        found = [
            f"hydra.launcher.{name}={value}: must be at least 1"
            for name in ("workers", "jobs", "max_attempts")
            if (value := getattr(self, name)) is not None and value < 1
        ]
        if self.poll_seconds <= 0:
            found.append(f"hydra.launcher.poll_seconds={self.poll_seconds}: must be above 0")
        return found


@dataclass(frozen=True)
class SlurmOptions(ClusterOptions):
    """Settings of sbatch; None leaves one to the cluster."""

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    gres: str | None = "gpu:1"
    cpus: int = 4  # for each job
    mem_gb: int | None = None
    time_minutes: int = 240  # of one job; it is requeued and goes on where that is not enough
    signal_seconds: int = 120  # before the end of its time a job saves its state
    setup: tuple[str, ...] = ()  # shell commands before python
    python: str | None = None  # how a node starts python; None: the interpreter of this command
    extra: Mapping[str, Any] = field(default_factory=lambda: {})  # other flags of sbatch
    detach: bool = False  # submit and end

    @property
    def launcher(self) -> str:
        return "slurm"

    def problems(self) -> list[str]:
        found = super().problems()
        for name in ("cpus", "mem_gb", "time_minutes"):
            value = getattr(self, name)
            if value is not None and value < 1:
                found.append(f"hydra.launcher.{name}={value}: must be at least 1")
        if not 1 <= self.signal_seconds < 60 * self.time_minutes:
            found.append(
                f"hydra.launcher.signal_seconds={self.signal_seconds}: must be at least 1 and less "
                f"than the time of a job, {60 * self.time_minutes} seconds"
            )
        own = {f.name for f in fields(self)} | {"hold", "array", "requeue", "signal", "time", "mem"}
        found += [
            f"hydra.launcher.extra.{name}: is set by another setting of hydra.launcher"
            for name in self.extra
            if name in own
        ]
        return found


@dataclass(frozen=True)
class RayOptions(ClusterOptions):
    """What each task asks Ray for."""

    address: str | None = None  # of a Ray cluster, or "auto"; None starts one on this machine
    cpus: float = 1.0
    gpus: float | None = None  # None: 1 where the cluster has GPUs, else 0
    memory_gb: float | None = None
    resources: Mapping[str, float] = field(default_factory=lambda: {})  # custom ones

    @property
    def launcher(self) -> str:
        return "ray"

    def problems(self) -> list[str]:
        found = super().problems()
        for name in ("cpus", "gpus", "memory_gb"):
            value = getattr(self, name)
            if value is not None and value < 0:
                found.append(f"hydra.launcher.{name}={value}: must not be negative")
        return found
