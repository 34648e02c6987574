"""hydra/launcher=tree and plan: hand a whole sweep to lora_sweep in one piece.

Hydra finds launchers only in the namespace `hydra_plugins`, and imports this file at every start:
nothing heavy is imported here.
"""

# No `from __future__ import annotations`: Hydra executes this file before it is in sys.modules,
# where dataclasses look annotations up that are strings.
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Optional  # noqa: UP035

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn, JobStatus, configure_log, filter_overrides, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from lora_sweep.config.sweep import Calibrate


@dataclass
class TreeLauncherConf:
    """Where Hydra finds the launcher, and its settings."""

    _target_: str = "hydra_plugins.lora_sweep_tree.TreeLauncher"
    workers: Optional[int] = None  # noqa: UP045 - null: one per visible GPU, one without


@dataclass
class PlanLauncherConf(TreeLauncherConf):
    """The same for a plan of the same sweep."""

    _target_: str = "hydra_plugins.lora_sweep_tree.PlanLauncher"
    calibrate: Calibrate = Calibrate.auto


for _name, _node in (("tree", TreeLauncherConf), ("plan", PlanLauncherConf)):
    ConfigStore.instance().store(
        group="hydra/launcher", name=_name, node=_node, provider="lora_sweep"
    )


class TreeLauncher(Launcher):
    """Composes every trial first, so that no file of conf is read once training has begun."""

    trains = True

    def __init__(self, workers: Optional[int] = None) -> None:  # noqa: UP045
        self.workers = workers
        self.grid: Any = None  # what hydra/sweeper=grid was asked for
        self.config: Any = None
        self.hydra_context: Any = None
        self.task_function: Any = None

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
        from lora_sweep.config.compose import sweep_of
        from lora_sweep.config.composer import compose_trials
        from lora_sweep.sweep.asked import Asked, options_of

        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        sweep = sweep_of(self.config)
        asked = Asked(
            trials=compose_trials(
                self.hydra_context.config_loader, self.config, job_overrides, initial_job_idx
            ),
            overrides=[list(filter_overrides(each)) for each in job_overrides],
            folder=Path(str(self.config.hydra.sweep.dir)),
            options=options_of(sweep, self.workers, grid=self.grid),
            about=self.grid.about() if self.grid else {},
        )
        values = self.hand_on(asked)
        return [
            JobReturn(overrides=each, status=JobStatus.COMPLETED, _return_value=value)
            for each, value in zip(asked.overrides, values, strict=True)
        ]

    def hand_on(self, asked: Any) -> List[Any]:  # noqa: UP006
        """Train; returns a value for each trial."""
        return self.task_function.__self__.run_sweep(asked)


class PlanLauncher(TreeLauncher):
    """Says what the tree launcher would do, and trains nothing."""

    trains = False

    def __init__(
        self,
        workers: Optional[int] = None,  # noqa: UP045
        calibrate: Calibrate = Calibrate.auto,
    ) -> None:
        super().__init__(workers)
        self.calibrate = calibrate
        self.calibrator: Any = None

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Print the plan of all jobs; the process that measures starts while they are composed."""
        from lora_sweep.results.store import Store
        from lora_sweep.sweep.cost.calibrator import Calibrator
        from lora_sweep.sweep.cost.known import needs_calibration

        store = Store(Path(str(self.config.results.dir)))
        with Calibrator() as self.calibrator:
            if needs_calibration(store, self.calibrate):
                self.calibrator.start()
            return super().launch(job_overrides, initial_job_idx)

    def hand_on(self, asked: Any) -> List[Any]:  # noqa: UP006
        """Print the plan."""
        plan = self.task_function.__self__.plan_sweep
        return plan(asked, self.calibrate, self.calibrator)
