"""hydra/launcher=tree: hands a whole sweep to lora_sweep in one piece.

Hydra finds launchers only in the namespace `hydra_plugins`, and imports this file at every start:
nothing heavy is imported here.
"""

# No `from __future__ import annotations`: Hydra executes this file before it is in sys.modules,
# where dataclasses look annotations up that are strings.
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn, JobStatus, configure_log, filter_overrides, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict


@dataclass
class TreeLauncherConf:
    """Where Hydra finds the launcher."""

    _target_: str = "hydra_plugins.lora_sweep_tree.TreeLauncher"


ConfigStore.instance().store(
    group="hydra/launcher", name="tree", node=TreeLauncherConf, provider="lora_sweep"
)


class TreeLauncher(Launcher):
    """Composes every trial first, so that no file of conf is read once training has begun."""

    def __init__(self) -> None:
        self.config: DictConfig | None = None
        self.task_function: Any = None
        self.hydra_context: HydraContext | None = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Called by Hydra before `launch`."""
        self.config = config
        self.hydra_context = hydra_context
        self.task_function = task_function

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run all jobs as one sweep; returns their scores in order."""
        assert self.config is not None and self.hydra_context is not None
        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        overrides = [list(filter_overrides(each)) for each in job_overrides]
        configs = [
            self._compose(each, initial_job_idx + index) for index, each in enumerate(job_overrides)
        ]
        folder = Path(str(self.config.hydra.sweep.dir))
        values = self.task_function.__self__.run_sweep(configs, overrides, folder)
        return [
            JobReturn(overrides=each, cfg=config, status=JobStatus.COMPLETED, _return_value=value)
            for each, config, value in zip(overrides, configs, values, strict=True)
        ]

    def _compose(self, overrides: Sequence[str], number: int) -> DictConfig:
        assert self.config is not None and self.hydra_context is not None
        config = self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(config):
            config.hydra.job.id = number
            config.hydra.job.num = number
        return config
