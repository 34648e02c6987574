"""The keys of a TOML with their values checked, and the ones that are not known."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from lora_sweep.translate.kohya.keys import KINDS, KNOWN, SECRET

WORDS = {
    "text": "text",
    "whole": "a whole number",
    "number": "a number",
    "numbers": "a number, or a list of one or two",
    "switch": "true or false",
    "pairs": 'a list of "key=value", or a table',
    "size": "a number of pixels, or width and height",
}


@dataclass
class Keys:
    """Keys and values of one table; what is not given has sd-scripts' default."""

    table: dict[str, Any]
    values: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def has(self, key: str) -> bool:
        """Whether the key is there, and is not the empty text that GUIs write for nothing."""
        return self.values.get(key) not in (None, "")

    def __getitem__(self, key: str) -> Any:
        return self.values[key] if self.has(key) else KINDS[key][1]


def read_keys(table: Mapping[str, Any]) -> Keys:
    """Check every value's type; unknown keys come with the nearest known one."""
    renamed = {"caption_extention": "caption_extension"}  # sd-scripts takes both
    keys = Keys({renamed.get(key, key): value for key, value in table.items()})
    for key, value in keys.table.items():
        if key not in KNOWN:
            close = get_close_matches(key, KNOWN, n=1, cutoff=0.7)
            keys.unknown.append(f"{key}" + (f" (did you mean {close[0]}?)" if close else ""))
        elif key in KINDS and value not in (None, ""):
            kind = KINDS[key][0]
            try:
                keys.values[key] = _convert(kind, value)
            except (ValueError, SyntaxError):
                keys.problems.append(f"{key}={value!r}: must be {WORDS[kind]}")
    return keys


def shown(key: str, value: Any) -> str:
    """Return `key=value`, without the value of a key that is secret."""
    if key in SECRET:
        return key
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"{key}={text}"


def _convert(kind: str, value: Any) -> Any:
    if isinstance(value, bool) is not (kind == "switch"):
        raise ValueError
    match kind:
        case "text" if isinstance(value, str):
            return value
        case "switch":
            return value
        case "whole" if isinstance(value, int) or float(value).is_integer():
            return int(value)
        case "number" if isinstance(value, int | float | str):
            # kept as it is: a warm-up of 1.0 is all steps to sd-scripts, one of 1 is one step
            return float(value) if isinstance(value, str) else value
        case "numbers":
            return [float(each) for each in (value if isinstance(value, list) else [value])]
        case "pairs":
            return _pairs(value)
        case "size":
            return _size(value)
        case _:
            raise ValueError


def _pairs(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        value = value.split()
    if isinstance(value, Mapping):
        items = [(str(key), each) for key, each in value.items()]
    elif isinstance(value, list) and all("=" in str(each) for each in value):
        items = [(str(each).partition("=")[0], str(each).partition("=")[2]) for each in value]
    else:
        raise ValueError
    return {key.strip(): _literal(each) for key, each in items}


def _literal(value: Any) -> Any:
    """As sd-scripts: Python's literals; else text, as for a network's arguments."""
    if not isinstance(value, str):
        return value
    try:
        return ast.literal_eval(value.strip())
    except (ValueError, SyntaxError):
        return value


def _size(value: Any) -> tuple[int, int]:
    if isinstance(value, str):
        value = [int(part) for part in value.replace("x", ",").split(",")]
    sides = value if isinstance(value, list) else [value]
    if not 1 <= len(sides) <= 2 or not all(type(side) is int for side in sides):
        raise ValueError
    return sides[0], sides[-1]
