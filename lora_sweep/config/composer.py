"""The settings of many trials: Hydra composes once per combination of group choices.

Hydra takes some 40 ms for a config. What sets no group is a plain value, and Hydra sets those last,
after all files are merged; so they can be set on what the groups gave, and nothing else changes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from omegaconf import Container, DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from lora_sweep.config.compose import explain, section_from, settings_from
from lora_sweep.config.plain import type_hints
from lora_sweep.config.settings import Settings
from lora_sweep.errors import SettingsError

COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, ValueError)


def compose_trials(
    loader: ConfigLoader, master: DictConfig, jobs: Sequence[Sequence[str]], first: int = 0
) -> list[Settings | SettingsError]:
    """Return the settings of every job of a sweep, or what is wrong with them.

    They equal those of Hydra's own `load_sweep_config` for the same overrides. master: the config
    of the sweep, which brings Hydra's own overrides. first: the number of the first job.
    """
    composer = _Composer(loader, master)
    return [composer.compose(tuple(job), first + index) for index, job in enumerate(jobs)]


def trial_composer(
    loader: ConfigLoader, master: DictConfig
) -> Callable[[Sequence[str], int], Settings | SettingsError]:
    """Return what composes one job after the other, given its overrides and its number.

    As `compose_trials`, for jobs that are not all known at once; each combination of groups is read
    from conf once.
    """
    composer = _Composer(loader, master)
    return lambda job, number: composer.compose(tuple(job), number)


class _Composer:
    def __init__(self, loader: ConfigLoader, master: DictConfig) -> None:
        self._loader = loader
        self._master = master
        self._parser = OverridesParser.create(config_loader=loader)
        self._parsed: dict[str, Override | None] = {}
        self._groups: dict[str, bool] = {}
        self._bases: dict[tuple[str, ...], _Base | SettingsError] = {}
        self._refused: dict[tuple[str, ...], SettingsError] = {}

    def compose(self, job: tuple[str, ...], number: int) -> Settings | SettingsError:
        plain = self._plain_values(job)
        if plain is None:
            return self._slowly(job, number)
        groups = tuple(line for line in job if line not in plain)
        base = self._bases.get(groups)
        if base is None:
            base = self._bases[groups] = self._base(groups)
        if isinstance(base, SettingsError):
            return base
        try:
            return base.settings(plain, number)
        except SettingsError as error:
            return error
        except _CannotSet as error:
            return self._why(groups, error.line, number)

    def _plain_values(self, job: Sequence[str]) -> dict[str, Override] | None:
        """The overrides that set plain values, or None where there is more to it."""
        plain: dict[str, Override] = {}
        for line in job:
            override = self._parse(line)
            if override is None:
                return None
            if not self._is_group(override):
                plain[line] = override
        if not all(_is_plain(override) for override in plain.values()):
            return None
        keys = [override.key_or_group for override in plain.values()]
        parts = {key.rpartition(".")[0] for key in keys}
        # A value set twice, or inside another that is set: the order would matter.
        nested = any(key in parts for key in keys) or any("[" in key for key in keys)
        return None if nested or len(set(keys)) < len(keys) else plain

    def _parse(self, line: str) -> Override | None:
        if line not in self._parsed:
            try:
                self._parsed[line] = self._parser.parse_overrides([line])[0]
            except HydraException:
                self._parsed[line] = None
        return self._parsed[line]

    def _is_group(self, override: Override) -> bool:
        name = override.key_or_group
        if name not in self._groups:
            options = self._loader.get_group_options(
                name,
                results_filter=None,
                config_name=self._master.hydra.job.config_name,
                overrides=list(self._master.hydra.overrides.hydra),
            )
            self._groups[name] = bool(options)
        return self._groups[name]

    def _base(self, groups: tuple[str, ...]) -> _Base | SettingsError:
        try:
            return _Base(self._loader.load_sweep_config(self._master, list(groups)))
        except COMPOSITION_ERRORS as error:
            return SettingsError(explain(error))

    def _slowly(self, job: Sequence[str], number: int) -> Settings | SettingsError:
        try:
            config = self._loader.load_sweep_config(self._master, list(job))
            _set_number(config, number)
            return settings_from(config)
        except SettingsError as error:
            return error
        except COMPOSITION_ERRORS as error:
            return SettingsError(explain(error))

    def _why(self, groups: tuple[str, ...], line: str, number: int) -> Settings | SettingsError:
        """What Hydra says of a value that cannot be set; it does not depend on the others."""
        key = (*groups, line)
        if key not in self._refused:
            said = self._slowly(key, number)
            if isinstance(said, Settings):
                return SettingsError([f"{line}: cannot be set"])
            self._refused[key] = said
        return self._refused[key]


class _CannotSet(Exception):
    def __init__(self, line: str) -> None:
        self.line = line
        super().__init__(line)


class _Base:
    """The config of one combination of group choices; plain values are set on a copy of it."""

    def __init__(self, config: DictConfig) -> None:
        self._pristine = config
        self._config: DictConfig | None = None
        self._set: dict[str, str] = {}  # lines by key: what the copy has now
        self._sections: dict[str, Any] = {}
        self._referring = [
            section for section in type_hints(Settings) if _refers(config, section)
        ]  # their values may change with any other
        self._numbered = "${hydra" in OmegaConf.to_yaml(_without_hydra(config))

    def settings(self, plain: Mapping[str, Override], number: int) -> Settings:
        """Raises SettingsError, and _CannotSet for a value that Hydra refuses."""
        keys = [override.key_or_group for override in plain.values()]
        if self._config is None or keys != list(self._set):
            # Trials of one grid set the same keys, so this happens once.
            self._config, self._sections = copy.deepcopy(self._pristine), {}
            OmegaConf.copy_cache(from_config=self._pristine, to_config=self._config)
            self._set = dict.fromkeys(keys, "")
        config = self._config
        changed = set(self._referring)
        for (line, override), key in zip(plain.items(), keys, strict=True):
            if self._set[key] == line:
                continue
            try:
                OmegaConf.update(config, key, override.value(), merge=True)
            except Exception as error:
                self._config = None  # begin anew: half of the values are set
                raise _CannotSet(line) from error
            self._set[key] = line
            changed.add(key.partition(".")[0])
        if self._numbered:
            _set_number(config, number)
        return self._read(config, changed)

    def _read(self, config: DictConfig, changed: set[str]) -> Settings:
        sections: dict[str, Any] = {}
        for section in type_hints(Settings):
            if section in self._sections and section not in changed:
                sections[section] = self._sections[section]
                continue
            value = section_from(config, section)
            if value is None:
                self._config = None
                return settings_from(config)  # raises, with all that is wrong
            # One object for equal sections: thousands of trials share them.
            sections[section] = value[0]
        self._sections = sections
        return Settings(**sections)


def _is_plain(override: Override) -> bool:
    """Whether the override does nothing but replace a value that is there."""
    return (
        override.type is OverrideType.CHANGE
        and override.package is None
        and not override.is_sweep_override()
        and not isinstance(override.value(), dict)
        and "${" not in (override.input_line or "")
    )


def _refers(config: DictConfig, section: str) -> bool:
    """Whether a value of the section refers to another, such as ${rank}."""
    node = config._get_node(section)  # pyright: ignore[reportPrivateUsage]
    if not isinstance(node, Container):
        return OmegaConf.is_interpolation(config, section)
    return "${" in OmegaConf.to_yaml(node)


def _without_hydra(config: DictConfig) -> DictConfig:
    return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])


def _set_number(config: DictConfig, number: int) -> None:
    with open_dict(config):
        config.hydra.job.id = number
        config.hydra.job.num = number
