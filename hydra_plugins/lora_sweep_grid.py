"""hydra/sweeper=grid: every combination, as Hydra's basic sweeper, and the section `sweep`.

Hydra finds sweepers only in the namespace `hydra_plugins`, and imports this file at every start:
nothing heavy is imported here.
"""

# No `from __future__ import annotations`: Hydra executes this file before it is in sys.modules,
# where dataclasses look annotations up that are strings.
import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Dict, List, Optional  # noqa: UP035

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

log = logging.getLogger(__name__)


@dataclass
class GridSweeperConf:
    """Where Hydra finds the sweeper; `params` as in Hydra's basic sweeper."""

    _target_: str = "hydra_plugins.lora_sweep_grid.GridSweeper"
    params: Optional[Dict[str, str]] = None  # noqa: UP006, UP045


ConfigStore.instance().store(
    group="hydra/sweeper", name="grid", node=GridSweeperConf, provider="lora_sweep"
)


class GridSweeper(Sweeper):
    """Hands all trials to the launcher at once; the launcher composes them."""

    def __init__(self, params: Optional[Dict[str, str]] = None) -> None:  # noqa: UP006, UP045
        self.params = params or {}
        self.config: Any = None
        self.hydra_context: Any = None
        self.launcher: Any = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Called by Hydra before `sweep`."""
        self.config = config
        self.hydra_context = hydra_context
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: List[str]) -> Any:  # noqa: UP006
        """Run every combination of the values asked for; returns the results of the launcher."""
        from lora_sweep.config.compose import refuse_study, sweep_of
        from lora_sweep.config.override import parse_axes
        from lora_sweep.sweep.grid import build_grid, expand

        parse = partial(parse_axes, self.hydra_context.config_loader)
        refuse_study(self.config)
        sweep = sweep_of(self.config)
        grid, trials = expand(build_grid(sweep, arguments, self.params, parse))
        if grid.excluded:
            log.info(f"sweep.exclude leaves out {grid.excluded:,} of {grid.num_points:,} trials")
        if hasattr(self.launcher, "grid"):
            self.launcher.grid = grid
        else:
            self._check(sweep, trials)
        if getattr(self.launcher, "trains", True):
            folder = Path(str(self.config.hydra.sweep.dir))
            folder.mkdir(parents=True, exist_ok=True)
            OmegaConf.save(self.config, folder / "multirun.yaml")
        results = self.launcher.launch(trials, initial_job_idx=0)
        for result in results:
            _ = result.return_value  # raises what a job raised
        return [results]

    def _check(self, sweep: Any, trials: List[List[str]]) -> None:  # noqa: UP006
        """Raise SettingsError before the first job of a launcher that knows nothing of sweeps."""
        from lora_sweep.config.composer import compose_trials
        from lora_sweep.errors import SettingsError
        from lora_sweep.sweep.asked import told_together

        chosen = self.config.hydra.runtime.choices["hydra/launcher"]
        options = {"skip_invalid": sweep.skip_invalid, "max_failures": sweep.max_failures}
        ignored = [
            f"sweep.{name}: hydra/launcher={chosen} cannot follow it; use hydra/launcher=tree"
            for name, value in options.items()
            if value
        ]
        composed = compose_trials(self.hydra_context.config_loader, self.config, trials)
        faults = {
            number: each.problems
            for number, each in enumerate(composed)
            if isinstance(each, SettingsError)
        }
        if problems := ignored + told_together(faults, trials):
            raise SettingsError(problems)
