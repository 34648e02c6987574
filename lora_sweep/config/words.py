"""How values are written: as a Hydra override, and on a command line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

WIDTH = 100
INDENT = "    "
# What Hydra reads as this very text without quotes: it begins with a letter or as a path does, and
# is no number, no list and no interpolation.
BARE = re.compile(r"(?:[A-Za-z_/]|\.{1,2}/)(?:[\w./@%+:-]| (?=\S))*", re.A)
NOT_TEXT = re.compile(r"null|true|false|inf|nan", re.I)
SAFE_IN_SHELL = re.compile(r"[\w./@%+:,=-]+", re.A)


def override(setting: str, value: Any) -> str:
    """Return `setting=value` as Hydra parses it back to the same value."""
    return f"{setting}={hydra_value(value)}"


def hydra_value(value: Any, in_list: bool = False) -> str:
    """Return a value in Hydra's grammar; texts in lists are quoted unless they are one word."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case float():
            return number(value)
        case list() | tuple():
            return "[" + ",".join(hydra_value(item, in_list=True) for item in value) + "]"
        case str():
            bare = BARE.fullmatch(value) and not NOT_TEXT.fullmatch(value)
            if bare and not value.endswith(":") and not (in_list and re.search("[ :]", value)):
                return value
            return quoted(value)
        case _:
            return str(value)


def quoted(text: str) -> str:
    """Return a text in Hydra's single quotes, with interpolations taken literally."""
    literal = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
    literal = re.sub(r"(\\*)'", r"\1\1\\'", literal)
    backslashes = len(literal) - len(literal.rstrip("\\"))
    return "'" + literal + "\\" * backslashes + "'"


def number(value: float) -> str:
    """Return a number as people write it: 1e-4, 5e-6, 0.99, 1.0, 16."""
    if value != 0 and abs(value) < 1e-3:
        digits = Decimal(repr(value)).normalize().as_tuple()
        exponent = int(digits.exponent) + len(digits.digits) - 1
        mantissa = Decimal(repr(value)).scaleb(-exponent).normalize()
        return f"{mantissa}e{exponent}"
    whole = value.is_integer() and abs(value) >= 2
    return str(int(value)) if whole else repr(value)


def shell_word(word: str) -> str:
    """Return a word as a shell reads it back; double quotes where they need no escapes."""
    if SAFE_IN_SHELL.fullmatch(word):
        return word
    return shlex.quote(word) if re.search(r'["$`\\!\n]', word) else f'"{word}"'


def command_lines(words: Sequence[str]) -> str:
    """Return a command, wrapped with backslashes; words are quoted, lines as long as they must."""
    lines: list[str] = []
    line = ""
    for word in map(shell_word, words):
        if line.strip() and len(line) + len(word) + 3 > WIDTH:
            lines.append(line)
            line = INDENT
        line += word if not line.strip() else f" {word}"
    return " \\\n".join([*lines, line])
