"""hydra/sweeper=optuna: searches the space of the section `study` in place of enumerating it.

Hydra finds sweepers only in the namespace `hydra_plugins`, and imports this file at every start:
nothing heavy is imported here.
"""

# No `from __future__ import annotations`: Hydra executes this file before it is in sys.modules,
# where dataclasses look annotations up that are strings.
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, List, Optional  # noqa: UP035

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.core.utils import configure_log, setup_globals
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

LAUNCHERS = ("tree", "plan", "slurm", "ray")
"""Launchers that a study can be handed to."""


@dataclass
class OptunaSweeperConf:
    """Where Hydra finds the sweeper; what it is to do is in the section `study`."""

    _target_: str = "hydra_plugins.lora_sweep_optuna.OptunaSweeper"


ConfigStore.instance().store(
    group="hydra/sweeper", name="optuna", node=OptunaSweeperConf, provider="lora_sweep"
)


class OptunaSweeper(Sweeper):
    """Reads the space and hands it on; trials are composed one by one as they are suggested."""

    def __init__(self) -> None:
        self.config: Any = None
        self.hydra_context: Any = None
        self.launcher: Any = None
        self.task_function: Any = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Called by Hydra before `sweep`."""
        self.config = config
        self.hydra_context = hydra_context
        self.task_function = task_function
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: List[str]) -> Any:  # noqa: UP006
        """Search; returns the scores of the trials in order."""
        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        asked = self._asked(arguments)
        outcome: Any = self.task_function.__self__  # type: ignore[attr-defined]
        if not self.launcher.trains:
            return outcome.plan_study(asked)
        self._write_down(asked.folder)
        return outcome.run_study(asked)

    def _asked(self, arguments: List[str]) -> Any:  # noqa: UP006
        from lora_sweep.config.compose import study_of, sweep_of
        from lora_sweep.config.composer import trial_composer
        from lora_sweep.config.dimension import parse_dimensions
        from lora_sweep.errors import SettingsError
        from lora_sweep.sweep.asked import options_of
        from lora_sweep.sweep.search.build_space import build_space
        from lora_sweep.sweep.search.launch import StudyAsked

        loader = self.hydra_context.config_loader
        chosen = self.config.hydra.runtime.choices["hydra/launcher"]
        if chosen not in LAUNCHERS:
            raise SettingsError(
                [
                    f"hydra/launcher={chosen}: a study is searched with hydra/launcher=tree, the "
                    "default; on several machines start the same command on each, with "
                    "study.join=true and one results.dir"
                ]
            )
        study = study_of(self.config)
        options = options_of(sweep_of(self.config), self.launcher.workers, grid=None)
        if hasattr(self.launcher, "cluster"):
            options = replace(options, cluster=self.launcher.cluster(waits=True))
        return StudyAsked(
            study,
            build_space(
                study, self._of_trials(arguments), partial(parse_dimensions, loader), self._default
            ),
            trial_composer(loader, self.config),
            Path(str(self.config.hydra.sweep.dir)),
            options,
        )

    def _of_trials(self, arguments: List[str]) -> Any:  # noqa: UP006
        """What the command line says of the trials: each key with its dimension or its line."""
        from lora_sweep.config.dimension import parse_line
        from lora_sweep.errors import SettingsError

        problems: list[str] = []
        found: list[Any] = []
        for line in arguments:
            key, value = parse_line(self.hydra_context.config_loader, line, problems)
            section = key.lstrip("+~").partition(".")[0]
            if section not in ("study", "sweep"):
                found.append((key, value))
            elif not isinstance(value, str):
                problems.append(f"{line}: must be one value; it holds for all trials")
        if problems:
            raise SettingsError(problems)
        return found

    def _default(self, key: str) -> Optional[str]:  # noqa: UP045
        """What a key has where neither the space nor the command line sets it."""
        chosen = self.config.hydra.runtime.choices.get(key)
        value = chosen if chosen is not None else OmegaConf.select(self.config, key)
        return None if value is None or isinstance(value, DictConfig) else str(value)

    def _write_down(self, folder: Path) -> None:
        """Keep what was asked for, without the password of a storage."""
        from lora_sweep.sweep.search.storage import without_password_of

        storage = self.config.study.storage
        text = OmegaConf.to_yaml(self.config)  # what was typed is in it more than once
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "multirun.yaml").write_text(
            text if storage is None else without_password_of(str(storage), text), encoding="utf-8"
        )
