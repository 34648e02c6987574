"""hydra/launcher=slurm and ray: the tree launcher's sweep on the machines of a cluster.

Hydra finds launchers only in the namespace `hydra_plugins`, and imports this file at every start:
nothing heavy is imported here.
"""

# No `from __future__ import annotations`: Hydra executes this file before it is in sys.modules,
# where dataclasses look annotations up that are strings.
from dataclasses import dataclass, field, replace
from typing import Any, Dict, List, Optional  # noqa: UP035

from hydra.core.config_store import ConfigStore

from hydra_plugins.lora_sweep_tree import TreeLauncher


@dataclass
class SlurmLauncherConf:
    """Settings of hydra/launcher=slurm; docs/cluster.md says more of each."""

    _target_: str = "hydra_plugins.lora_sweep_cluster.SlurmLauncher"
    workers: int = 8  # jobs at once
    jobs: Optional[int] = None  # noqa: UP045 - most jobs to cut the sweep into; null: 8 per worker
    partition: Optional[str] = None  # noqa: UP045
    account: Optional[str] = None  # noqa: UP045
    qos: Optional[str] = None  # noqa: UP045
    constraint: Optional[str] = None  # noqa: UP045 - features of nodes
    gres: Optional[str] = "gpu:1"  # noqa: UP045 - of a job with two GPUs each has a worker
    cpus: int = 4
    mem_gb: Optional[int] = None  # noqa: UP045
    time_minutes: int = 240  # of a job; requeued, it goes on where that is not enough
    signal_seconds: int = 120  # before the end of its time a job saves its state
    setup: List[str] = field(default_factory=list)  # noqa: UP006 - shell commands before python
    python: Optional[str] = None  # noqa: UP045 - how nodes start python; null: this interpreter
    extra: Dict[str, Any] = field(default_factory=dict)  # noqa: UP006 - other flags of sbatch
    max_attempts: int = 3  # in a row without a step gained, before what is in hand is given up
    poll_seconds: float = 10.0  # between two looks at jobs and results
    detach: bool = False  # submit and end


@dataclass
class RayLauncherConf:
    """Settings of hydra/launcher=ray; docs/cluster.md says more of each."""

    _target_: str = "hydra_plugins.lora_sweep_cluster.RayLauncher"
    workers: int = 8  # tasks at once
    jobs: Optional[int] = None  # noqa: UP045 - most tasks to cut the sweep into; null: 8 per worker
    address: Optional[str] = None  # noqa: UP045 - of a cluster, or auto; null: starts one here
    cpus: float = 1.0  # of a task
    gpus: Optional[float] = None  # noqa: UP045 - null: 1 where the cluster has GPUs
    memory_gb: Optional[float] = None  # noqa: UP045
    resources: Dict[str, float] = field(default_factory=dict)  # noqa: UP006 - custom ones
    max_attempts: int = 3  # in a row without a step gained, before what is in hand is given up
    poll_seconds: float = 2.0  # between two looks at tasks and results


for _name, _node in (("slurm", SlurmLauncherConf), ("ray", RayLauncherConf)):
    ConfigStore.instance().store(
        group="hydra/launcher", name=_name, node=_node, provider="lora_sweep"
    )


class ClusterLauncher(TreeLauncher):
    """What both have: the sweep is handed on with the cluster's settings."""

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.settings = settings

    def options(self) -> Any:
        """The settings in their frozen form."""
        raise NotImplementedError

    def hand_on(self, asked: Any) -> List[Any]:  # noqa: UP006
        """Train on the cluster; returns a value for each trial."""
        asked = replace(asked, options=replace(asked.options, cluster=self.cluster()))
        return super().hand_on(asked)

    def cluster(self, waits: bool = False) -> Any:
        """The settings, checked; `waits`: somebody has to stay until the end."""
        from lora_sweep.errors import SettingsError

        options = self.options()
        problems = options.problems()
        if waits and getattr(options, "detach", False):
            problems.append(
                "hydra.launcher.detach=true: a study chooses each trial by the ones before, so its "
                "command has to stay"
            )
        if problems:
            raise SettingsError(problems)
        return options


class SlurmLauncher(ClusterLauncher):
    """Jobs of SLURM."""

    def options(self) -> Any:
        """The settings in their frozen form."""
        from lora_sweep.sweep.cluster.options import SlurmOptions

        given: Dict[str, Any] = dict(self.settings)  # noqa: UP006
        given.update(setup=tuple(given["setup"]), extra=dict(given["extra"]))
        return SlurmOptions(**given)


class RayLauncher(ClusterLauncher):
    """Tasks of Ray."""

    def options(self) -> Any:
        """The settings in their frozen form."""
        from lora_sweep.sweep.cluster.options import RayOptions

        given: Dict[str, Any] = dict(self.settings)  # noqa: UP006
        given.update(resources=dict(given["resources"]))
        return RayOptions(**given)
