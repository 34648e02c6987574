"""The words after the script's name as flags, read as its argparse reads them; every fault told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from lora_sweep.translate.diffusers.flags import FLAGS, Flag, convert

NOT_A_FLAG = re.compile(r"-\d+|-\d*\.\d+")
"""argparse takes negative numbers for values."""

KINDS = {"whole": "a whole number", "number": "a number"}
SD_SCRIPTS = ("network_", "unet_lr", "dataset_config", "output_name", "max_train_epochs")
SECRET = frozenset({"hub_token"})
NONE = "None"


@dataclass
class Given:
    """The flags of a call, converted; one that was not given has the script's default."""

    values: dict[str, Any] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def has(self, name: str) -> bool:
        """Whether the flag was given."""
        return name in self.values

    def __getitem__(self, name: str) -> Any:
        return self.values[name] if name in self.values else FLAGS[name].default


def read_arguments(words: Sequence[str]) -> Given:
    """Read flags and values; what the script would refuse is in `problems`."""
    given = Given()
    position = 0
    while position < len(words):
        word = _with_dashes(words[position])
        position += 1
        if not word.startswith("--"):
            after = f" after {words[position - 2]}" if position > 1 else ""
            given.problems.append(f"{shown(word)!r}{_masked_after(after)}: belongs to no flag")
            continue
        name, equals, text = word[2:].partition("=")
        flag = _find(name, given)
        value: str | None = text if equals else None
        takes_next = flag is None or flag.kind != "switch"
        if value is None and takes_next and position < len(words) and _is_value(words[position]):
            value = words[position]
            position += 1
        if flag is not None:
            _take(flag, value, given)
    given.problems += [
        f"--{flag.name}: missing; the script requires it"
        for flag in FLAGS.values()
        if flag.required and not given.has(flag.name)
    ]
    return given


def shown(text: str) -> str:
    """The text without what looks like an access token."""
    return re.sub(r"hf_\w+", "hf_…", text)


def _masked_after(text: str) -> str:
    return shown(text.partition("=")[0])


def _with_dashes(word: str) -> str:
    # web pages make a dash of two hyphens
    return re.sub("^(?:[\u2013\u2014]-?|-[\u2013\u2014])(?=[A-Za-z])", "--", word)


def _is_value(word: str) -> bool:
    if NOT_A_FLAG.fullmatch(word):
        return True
    return not _with_dashes(word).startswith("-") or " " in word


def _find(name: str, given: Given) -> Flag | None:
    if name in FLAGS:
        return FLAGS[name]
    begun = [flag for flag in FLAGS if name and flag.startswith(name)]
    if len(begun) == 1:
        given.remarks.append(f"--{name} was read as --{begun[0]}, which it is short for")
        return FLAGS[begun[0]]
    if begun:
        could = ", ".join(f"--{flag}" for flag in begun)
        given.problems.append(f"--{name}: short for several flags: {could}")
        return None
    close = get_close_matches(name, FLAGS, n=1, cutoff=0.6)
    message = f"--{name}: the script has no such flag"
    if close:
        message += f"; did you mean --{close[0]}?"
    if name.startswith(SD_SCRIPTS):
        message += "; it is one of kohya's sd-scripts"
    given.problems.append(message)
    return None


def _take(flag: Flag, text: str | None, given: Given) -> None:
    where = f"--{flag.name}"
    if flag.kind == "switch":
        if text is not None:
            given.problems.append(f"{where}={shown(text)}: it is a switch, which takes no value")
        value: Any = True
    elif text is None:
        given.problems.append(f"{where}: its value is missing")
        return
    elif text == NONE and flag.name == "text_encoder_lr":
        # the post advises it; argparse refuses it
        value = None
    else:
        try:
            value = convert(flag.kind, text)
        except ValueError:
            kind = KINDS[flag.kind]
            given.problems.append(f"{where}={text}: must be {kind}")
            return
        if flag.choices and value not in flag.choices:
            allowed = ", ".join(flag.choices)
            given.problems.append(f"{where}={text}: must be one of {allowed}")
            return
    if given.has(flag.name):
        before = given.values[flag.name]
        if before != value:
            both = "" if flag.name in SECRET else f": {before} and {value}"
            given.problems.append(
                f"{where}: given twice{both}; the script takes the last, keep the one you mean"
            )
            return
        given.remarks.append(f"{where} is given twice, both times the same")
    given.values[flag.name] = value
