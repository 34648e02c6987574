"""From YAML and command-line overrides to frozen settings; OmegaConf ends here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import hydra
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from lora_sweep.config import settings as frozen
from lora_sweep.config.plain import (
    choice_name,
    settings_from_plain,
    type_hints,
    unknown_setting,
    value_from_plain,
    wrong_type,
)
from lora_sweep.config.schema import SHORTHANDS, STUDY, SWEEP, register
from lora_sweep.config.schema import Study as StudySchema
from lora_sweep.config.schema import Sweep as SweepSchema
from lora_sweep.config.settings import VARIANTS, Settings
from lora_sweep.config.study import Study, study_from_plain
from lora_sweep.config.sweep import Sweep, sweep_from_plain
from lora_sweep.errors import SettingsError

HYDRA_VERSION_BASE = "1.3"
CONFIG_NAME = "config"
PLUGINS = "hydra_plugins"  # package of the launchers and sweepers, which have settings of their own
EXTRA_GROUPS = ("experiment",)
"""Groups that choose settings of other groups and have none of their own."""

NO_SETTINGS = frozenset({*SHORTHANDS, SWEEP, STUDY, "hydra"})
"""What stands in a composed config beside the settings of the trial."""


def conf_dir() -> Path:
    """Return the folder of YAML files: inside an installed package, beside it in a source tree."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / f"{CONFIG_NAME}.yaml").is_file():
            return folder
    raise SettingsError([f"conf/{CONFIG_NAME}.yaml: found neither in {package} nor beside it"])


def compose(overrides: Sequence[str] = ()) -> Settings:
    """Return the settings that these command-line overrides give. Raises SettingsError."""
    register()
    try:
        with hydra.initialize_config_dir(str(conf_dir()), version_base=HYDRA_VERSION_BASE):
            composed = hydra.compose(CONFIG_NAME, list(overrides))
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise SettingsError(explain(error)) from error
    return settings_from(composed)


def settings_from(cfg: DictConfig) -> Settings:
    """Return the composed config as frozen settings.

    Raises SettingsError with everything that does not fit.
    """
    problems: list[str] = []
    values = {
        str(key): _plain(cfg, str(key), str(key), problems) for key in cfg if key not in NO_SETTINGS
    }
    for section, hint in type_hints(Settings).items():
        if hint in VARIANTS:
            problems.extend(_wrong_choice(cfg, section, hint, values))
    if problems:
        raise SettingsError(problems)
    return settings_from_plain(values)


def section_from(cfg: DictConfig, section: str) -> tuple[Any] | None:
    """Return one section, or value, of the frozen settings; None where any of it is wrong."""
    problems: list[str] = []
    values = {section: _plain(cfg, section, section, problems)}
    hint = type_hints(Settings)[section]
    if hint in VARIANTS and not problems:
        problems.extend(_wrong_choice(cfg, section, hint, values))
    if problems:
        return None
    try:
        return (value_from_plain(hint, values[section], section),)
    except SettingsError:
        return None


def sweep_of(cfg: DictConfig) -> Sweep:
    """Return which trials the composed config names; raises SettingsError."""
    section = cfg.get(SWEEP)
    values = {} if section is None else OmegaConf.to_container(section, resolve=False)
    return sweep_from_plain(values if isinstance(values, dict) else {})  # type: ignore[arg-type]


def study_of(cfg: DictConfig) -> Study:
    """Return what the composed config searches for; raises SettingsError."""
    section = cfg.get(STUDY)
    values = {} if section is None else OmegaConf.to_container(section, resolve=True)
    return study_from_plain(values if isinstance(values, dict) else {})  # type: ignore[arg-type]


def refuse_study(cfg: DictConfig) -> None:
    """Raise SettingsError where the config names a study, and nobody is going to search."""
    section = cfg.get(STUDY)
    if section is not None and section.name is not None:
        name = section.name
        raise SettingsError(
            [
                f"study={name}: is searched by hydra/sweeper=optuna alone: "
                f"python -m lora_sweep -m hydra/sweeper=optuna study={name}"
            ]
        )


def _plain(parent: DictConfig, key: str, path: str, problems: list[str]) -> Any:
    try:
        value = parent[key]
        if isinstance(value, DictConfig):
            return {str(k): _plain(value, str(k), f"{path}.{k}", problems) for k in value}
        return (
            OmegaConf.to_container(value, resolve=True) if isinstance(value, ListConfig) else value
        )
    except OmegaConfBaseException as error:
        problems.append(f"{path}: {_first_line(error)}")
        return None


def _wrong_choice(
    cfg: DictConfig, section: str, base: type, values: Mapping[str, Any]
) -> list[str]:
    """Object to a `name` that was changed alone: the settings would still be the old choice's."""
    cls = _counterpart(OmegaConf.get_type(cfg, section))
    name = values[section].get("name") if isinstance(values[section], dict) else None
    choices = [choice_name(variant) for variant in VARIANTS[base]]
    if cls not in VARIANTS[base]:
        return [f"{section}: must be one of {', '.join(map(str, choices))}"]
    if name != choice_name(cls):
        return [
            f"{section}.name={name}: must stay {choice_name(cls)}; "
            f"to choose another: {section}={name}"
        ]
    return []


def explain(error: Exception) -> list[str]:
    """Return what Hydra or OmegaConf objects to: which setting, its value, what is allowed."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return [_unknown_choice(error.missing_cfg_file, error.options or ())]
    cause = (
        error if isinstance(error, OmegaConfBaseException) else error.__cause__ or error.__context__
    )
    where = str(error).partition(": ")[0] + ": " if str(error).startswith("In '") else ""
    cls = _counterpart(getattr(cause, "object_type", None))
    if isinstance(error, ValueError) and "group override must be" in str(error):
        return ["a group was given a number or null; it takes the name of one of its choices"]
    if not isinstance(cause, OmegaConfBaseException) or cls is None:
        return ["; ".join(line.strip() for line in str(error).splitlines() if line.strip())]
    path, key = str(cause.full_key), str(cause.key)
    if isinstance(cause, ConfigAttributeError | ConfigKeyError):
        asked = _overridden(error)
        also = (*SHORTHANDS, *EXTRA_GROUPS, SWEEP, STUDY) if cls is Settings else ()
        return [where + unknown_setting(asked if asked.startswith(f"{path}.") else path, cls, also)]
    _, given, value = str(error).partition("Error merging override ")[2].partition("=")
    hint = int if path in SHORTHANDS else type_hints(cls).get(key)
    if hint is None or not given:
        return [f"{where}{path}: {_first_line(cause)}"]
    return [where + wrong_type(path, value, hint)]


def _counterpart(twin: type | None) -> type | None:
    """Our own dataclass of a node of the config; None for Hydra's, and for what has no type."""
    if twin is SweepSchema:
        return Sweep
    if twin is StudySchema:
        return Study
    if twin is not None and twin.__module__.partition(".")[0] == PLUGINS:
        return twin
    return getattr(frozen, twin.__name__, None) if twin is not None else None


def _overridden(error: Exception) -> str:
    return str(error).partition("Could not override '")[2].partition("'")[0]


def _unknown_choice(missing: str, options: Sequence[str]) -> str:
    group, _, choice = missing.rpartition("/")
    if not group:
        return f"{choice}: there is no such file in conf"
    close = get_close_matches(choice, options, n=1)
    hint = f"; did you mean {group}={close[0]}?" if close else ""
    known = ", ".join(options)
    return f"{group}={choice}: there is no such choice{hint} (choices of {group}: {known})"


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
