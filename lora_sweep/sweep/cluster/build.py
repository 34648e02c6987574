"""The executor that a launcher's settings ask for. No torch."""

from __future__ import annotations

from lora_sweep.sweep.cluster.executor import ClusterExecutor
from lora_sweep.sweep.cluster.options import ClusterOptions, RayOptions, SlurmOptions


def cluster_executor(options: ClusterOptions) -> ClusterExecutor:
    """What was asked for; nothing is started yet."""
    match options:
        case SlurmOptions():
            from lora_sweep.sweep.cluster.slurm_engine import Slurm

            return ClusterExecutor(Slurm(options), detach=options.detach)
        case RayOptions():
            from lora_sweep.sweep.cluster.ray_engine import Ray

            return ClusterExecutor(Ray(options))
        case _:
            raise AssertionError(options)
