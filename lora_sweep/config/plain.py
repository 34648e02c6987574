"""Settings as plain dicts of JSON values, and back, with every value that does not fit reported."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from enum import Enum
from functools import lru_cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from lora_sweep.config.settings import VARIANTS, Settings
from lora_sweep.errors import SettingsError

NOT_OF_CHOICE = ": not a setting of "
"""Words of a setting that the choice of its group does not have, though another one does."""

type_hints = lru_cache(maxsize=None)(get_type_hints)


def to_plain(settings: Any) -> dict[str, Any]:
    """Return the settings, or a part of them, as nested dicts of JSON values."""
    return {field.name: plain_value(getattr(settings, field.name)) for field in fields(settings)}


def plain_value(value: Any) -> Any:
    """Return one value as JSON knows it: enums by name, tuples as lists, dataclasses as dicts."""
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, (tuple, list)):
        return [plain_value(item) for item in value]
    return to_plain(value) if is_dataclass(value) else value


def settings_from_plain(values: Mapping[str, Any]) -> Settings:
    """Return the frozen settings; what is left out keeps its default.

    Raises SettingsError with every problem.
    """
    problems: list[str] = []
    settings = _build(Settings, values, "", problems)
    if problems:
        raise SettingsError(problems)
    return settings


def value_from_plain(hint: Any, value: Any, path: str) -> Any:
    """Return a section, or one value, as its annotated type; raises SettingsError."""
    problems: list[str] = []
    built = _convert(hint, value, path, problems)
    if problems:
        raise SettingsError(problems)
    return built


def choice_name(cls: type) -> str | None:
    """Return the `name` that tells this class from the others of its group, if there are any."""
    return cls.__dataclass_fields__["name"].default if group_of(cls) else None


def group_of(cls: type) -> tuple[type, ...]:
    """Return the classes among which `cls` is one choice, or nothing."""
    return next((variants for variants in VARIANTS.values() if cls in variants), ())


def _build(cls: type, values: Mapping[str, Any], path: str, problems: list[str]) -> Any:
    known = type_hints(cls)
    problems.extend(
        unknown_setting(_join(path, str(key)), cls) for key in values if key not in known
    )
    built = {
        key: _convert(hint, values[key], _join(path, key), problems)
        for key, hint in known.items()
        if key in values
    }
    try:
        return cls(**built) if not problems else None
    except TypeError as error:  # only a class without defaults could bring us here
        problems.append(f"{path}: {error}")
        return None


def _convert(hint: Any, value: Any, path: str, problems: list[str]) -> Any:
    if is_dataclass(hint):
        return _convert_section(hint, value, path, problems)
    try:
        return _leaf(hint, value)
    except (ValueError, TypeError):
        problems.append(wrong_type(path, value, hint))
        return None


def _convert_section(hint: Any, value: Any, path: str, problems: list[str]) -> Any:
    if not isinstance(value, Mapping):
        problems.append(f"{path}={show(value)}: must be a group of settings, not one value")
        return None
    if hint not in VARIANTS:
        return _build(hint, value, path, problems)
    choices = {choice_name(cls): cls for cls in VARIANTS[hint]}
    cls = choices.get(value.get("name"))
    if cls is None:
        allowed = ", ".join(str(name) for name in choices)
        problems.append(f"{path}.name={show(value.get('name'))}: must be one of {allowed}")
        return None
    return _build(cls, value, path, problems)


def _leaf(hint: Any, value: Any) -> Any:
    """Return `value` as the annotated type.

    Raises ValueError or TypeError where that would lose something.
    """
    if get_origin(hint) in (Union, types.UnionType):
        inner = next(arg for arg in get_args(hint) if arg is not type(None))
        return None if value is None else _leaf(inner, value)
    if get_origin(hint) is tuple:
        if not isinstance(value, (list, tuple)):
            raise TypeError
        return tuple(_leaf(get_args(hint)[0], item) for item in value)
    if issubclass(hint, Enum):
        return value if isinstance(value, hint) else hint(value)
    if isinstance(value, bool) is not (hint is bool):
        raise TypeError
    if hint is float and isinstance(value, int):
        return float(value)
    if hint is str and isinstance(value, int):
        return str(value)  # as OmegaConf does: dataset.holdout=3
    if not isinstance(value, hint):
        raise TypeError
    return value


def unknown_setting(path: str, cls: type, also: Sequence[str] = ()) -> str:
    """Say that `cls` has no such setting, which it has, and which may have been meant."""
    section, _, key = ("", "", path) if cls is Settings else path.rpartition(".")
    choice = choice_name(cls)
    where = f"{section}={choice}" if choice else section
    known = [*(name for name in type_hints(cls) if not name.startswith("_")), *also]
    owners = [choice_name(other) for other in group_of(cls) if key in type_hints(other)]
    message = f"{path}: there is no such setting"
    if owners:
        message = f"{path}{NOT_OF_CHOICE}{where}, but of {' and '.join(map(str, owners))}"
    elif close := _close(path, key, section, known):
        message += f"; did you mean {' or '.join(close)}?"
    return f"{message} (settings{' of ' + where if where else ''}: {', '.join(known)})"


def _close(path: str, key: str, section: str, siblings: Sequence[str]) -> list[str]:
    """Return settings that may have been meant: misspelt here, else of the same name elsewhere."""
    if found := get_close_matches(key, siblings, n=1, cutoff=0.7):
        return [_join(section, name) for name in found]
    everywhere = [
        _join(other, name)
        for other, hint in type_hints(Settings).items()
        if is_dataclass(hint) and isinstance(hint, type)
        for cls in _variants(hint)
        for name in type_hints(cls)
    ]
    leaf = path.rpartition(".")[2]
    same_leaf = list(dict.fromkeys(name for name in everywhere if name.rpartition(".")[2] == leaf))
    return get_close_matches(path, same_leaf, n=2, cutoff=0)


def wrong_type(path: str, value: Any, hint: Any) -> str:
    """Say which kind of value the setting takes."""
    return f"{path}={show(value)}: must be {describe(hint)}"


def describe(hint: Any) -> str:
    """Return the kind of value that an annotation stands for, in words."""
    if get_origin(hint) in (Union, types.UnionType):
        inner = next(arg for arg in get_args(hint) if arg is not type(None))
        return f"{describe(inner)} or null"
    if get_origin(hint) is tuple:
        return "a list, such as [a,b]"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return "one of " + ", ".join(hint.__members__)
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    return words.get(hint, "a group of settings")


def show(value: Any) -> str:
    """Return a value as it would be written on the command line."""
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(show(item) for item in value) + "]"
    words = {None: "null", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else str(value)


def _variants(hint: type) -> tuple[type, ...]:
    return VARIANTS.get(hint, (hint,))


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
