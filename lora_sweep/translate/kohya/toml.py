"""TOML files of sd-scripts as one table of arguments and a list of picture folders.

Sections have no meaning to sd-scripts, and are taken apart. LoRA_Easy_Training_Scripts nests them
twice (`[general_args.args]`) and has optimizer_args as a table; both are read too.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lora_sweep.errors import SettingsError

if sys.version_info >= (3, 11):
    import tomllib
else:  # the same reader, under the name that it had before it was Python's
    import tomli as tomllib  # pyright: ignore[reportMissingImports]

PAIRS = ("optimizer_args", "network_args", "lr_scheduler_args")
"""Keys whose value is a table, or a list of key=value."""


@dataclass
class Config:
    """Arguments of a training, and the folders of its data set with what holds for each."""

    arguments: dict[str, Any] = field(default_factory=dict)
    subsets: list[dict[str, Any]] = field(default_factory=list)


def read_config(path: Path, dataset_path: Path | None) -> Config:
    """Read config.toml and its data set's TOML; raises SettingsError where that cannot be."""
    table = _read(path)
    config = Config()
    problems: list[str] = []
    config.subsets = _subsets(table)
    rest = {key: value for key, value in table.items() if key not in ("datasets", "subsets")}
    if config.subsets:
        rest.pop("general", None)
    _flatten(rest, config.arguments, problems)
    if not config.arguments and config.subsets:
        problems.append(f"{path} is a data set's TOML; give the training's before it")
    named = config.arguments.get("dataset_config")
    if dataset_path is None and named and not config.subsets:
        dataset_path = _find(str(named), path)
        if dataset_path is None:
            problems.append(f"dataset_config={named}: there is no such file; give it after {path}")
    if problems:
        raise SettingsError(problems)
    if dataset_path is not None:
        config.subsets = _subsets(_read(dataset_path))
        if not config.subsets:
            raise SettingsError([f"{dataset_path} has no [[datasets.subsets]]"])
    return config


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SettingsError([f"{path} cannot be read: {error.strerror or error}"]) from error
    except UnicodeDecodeError as error:
        raise SettingsError([f"{path} is not UTF-8 text ({error.reason})"]) from error
    if text.lstrip().startswith("{"):
        raise SettingsError(
            [f"{path} is JSON; kohya_ss writes the TOML of a training beside its output"]
        )
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([f"{path} is not TOML: {error}"]) from error


def _find(named: str, config: Path) -> Path | None:
    beside = config.parent / named.replace("\\", "/").split("/")[-1]
    return next((path for path in (Path(named).expanduser(), beside) if path.is_file()), None)


def _flatten(
    table: Mapping[str, Any], into: dict[str, Any], problems: list[str], top: bool = True
) -> None:
    for key, value in table.items():
        # at the top every table is a section, [network_args.args] too
        if isinstance(value, Mapping) and (top or key not in PAIRS):
            _flatten(value, into, problems, top=False)
        elif key in into and into[key] != value:
            problems.append(f"{key}: given twice, {into[key]!r} and {value!r}; keep one")
        else:
            into[key] = value


def _subsets(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each folder with what [general] and its data set say for it as well."""
    found: list[dict[str, Any]] = []
    general = _plain(table.get("general", {}))
    datasets = table.get("datasets", [])
    for dataset in datasets if isinstance(datasets, list) else []:
        for subset in dataset.get("subsets", []):
            found.append({**general, **_plain(dataset), **subset})
    direct = table.get("subsets", [])
    found += [{**general, **subset} for subset in direct if isinstance(subset, Mapping)]
    return found


def _plain(table: Any) -> dict[str, Any]:
    if not isinstance(table, Mapping):
        return {}
    return {key: value for key, value in table.items() if key != "subsets"}
