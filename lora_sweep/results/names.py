"""What tells the trials of a sweep apart, as names and tags for people and trackers. No torch."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, get_type_hints

from lora_sweep.config import to_plain
from lora_sweep.config.plain import show
from lora_sweep.config.settings import Settings
from lora_sweep.results.card import flatten
from lora_sweep.results.summary import varied_values

LONGEST_VALUE = 32
LONGEST_NAME = 120
LONGEST_TAG = 64  # wandb's limits
LONGEST_GROUP = 128
TIME_OF_DAY = re.compile(r"\d\d-\d\d-\d\d")  # what Hydra's folder of a sweep is called by default
PATHS = frozenset({"dataset.path", "model.path", "model.vae", "prior.path"})
"""Settings that may hold a path of this machine, which says nothing elsewhere."""

NO_AXES = ("hydra", "results", "tracker", "sweep")
"""Sections of the command line that make no trial another."""

Values = Mapping[str, str]


@dataclass(frozen=True)
class TrialName:
    """What one trial is called in its sweep: `rank=16 seed=1`; and all that varies, as tags.

    Empty where nothing varies.
    """

    name: str = ""
    tags: tuple[str, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        """As JSON values, for another process."""
        return {"name": self.name, "tags": list(self.tags)}

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> TrialName:
        """The name of `to_plain`."""
        return cls(values["name"], tuple(values["tags"]))


def names_of(
    trials: Mapping[str, Settings], asked: Mapping[str, Sequence[str]] | None = None
) -> dict[str, TrialName]:
    """The name of each trial of a sweep, by id; no two are equal.

    asked: each trial's overrides. They name what varies as the user did, `experiment=y2k_v4`, where
    they tell the trials apart; else the settings do.
    """
    if len(trials) < 2:
        return {id_: TrialName() for id_ in trials}
    values = axis_values(trials, asked)
    told = _telling(list(values.values()))
    texts = {
        id_: " ".join(f"{k}={shortened(v, LONGEST_VALUE)}" for k, v in row.items() if k in told)
        for id_, row in values.items()
    }
    count = Counter(texts.values())
    return {
        # What differs may lie in the pictures alone: then the id tells them apart.
        id_: TrialName(
            shortened(text if count[text] == 1 else f"{text} {id_}", LONGEST_NAME),
            tuple(shortened(f"{key}={value}", LONGEST_TAG) for key, value in values[id_].items()),
        )
        for id_, text in texts.items()
    }


def axis_values(
    trials: Mapping[str, Settings], asked: Mapping[str, Sequence[str]] | None = None
) -> dict[str, dict[str, str]]:
    """Of each trial, what varies by short name, as text; of paths of this machine the last part."""
    found = _by_override(trials, asked) if asked else None
    if found is None:
        flat = [flatten(to_plain(settings)) for settings in trials.values()]
        free = {name for values in flat for name in values if is_free(name)}
        kept = [{k: v for k, v in values.items() if k not in free} for values in flat]
        found = [
            {name: show(value) for name, value in values.items()} for values in varied_values(kept)
        ]
    short = short_names(name for values in found for name in values)
    return {
        id_: {short[name]: without_path(name, value) for name, value in values.items()}
        for id_, values in zip(trials, found, strict=True)
    }


def _by_override(
    trials: Mapping[str, Settings], asked: Mapping[str, Sequence[str]]
) -> list[dict[str, str]] | None:
    """None where two trials would have the same values."""
    rows: list[dict[str, str]] = []
    for id_ in trials:
        pairs = (text.lstrip("+~").partition("=") for text in asked.get(id_, ()))
        rows.append({k: v for k, _, v in pairs if re.split(r"[./]", k)[0] not in NO_AXES})
    names = dict.fromkeys(name for row in rows for name in row)
    varied = [name for name in names if len({row.get(name) for row in rows}) > 1]
    found = [{name: row[name] for name in varied if name in row} for row in rows]
    distinct = {tuple(sorted(values.items())) for values in found}
    return found if len(distinct) == len(rows) else None


def _telling(rows: Sequence[Values]) -> set[str]:
    """The keys that a name needs: not those whose value follows from that of one before."""
    told: list[str] = []
    for key in dict.fromkeys(name for row in rows for name in row):
        if not any(
            len({(row.get(other), row.get(key)) for row in rows})
            == len({row.get(other) for row in rows})
            for other in told
        ):
            told.append(key)
    return set(told)


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Settings by their dotted name: what each may be called where these alone are spoken of.

    `optimizer.name` is optimizer, `lora.rank` is rank; a name that two would have is left long.
    """
    short = {name: _short(name) for name in names}
    count = Counter(short.values())
    return {name: value if count[value] == 1 else name for name, value in short.items()}


def group_name(asked: str | None, folder: Path, names: Mapping[str, TrialName]) -> str:
    """What a sweep is called: as asked, or as its folder, unless that tells only the time.

    Then by what varies and a hash of its trials' ids, which are the keys of `names`: the same sweep
    started again, in another folder, has the same name.
    """
    if asked or not TIME_OF_DAY.fullmatch(folder.name):
        return shortened(asked or folder.name, LONGEST_GROUP)
    keys = dict.fromkeys(tag.partition("=")[0] for name in names.values() for tag in name.tags)
    axes = shortened("-".join(keys) or "trials", LONGEST_GROUP - 10)
    return f"{axes}-{digest(' '.join(sorted(names)), 6)}"


def shortened(text: str, limit: int) -> str:
    """One line of at most `limit` characters; texts that differ stay different."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(line) <= limit:
        return line
    return f"{line[: limit - 7].rstrip()}…{digest(text, 6)}"


def digest(text: str, length: int = 8) -> str:
    """The first hex digits of SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]


def without_path(name: str, value: str) -> str:
    """The value of a setting; of a path of this machine only the last part."""
    if name not in PATHS:
        return value
    if value.startswith("~") or PurePosixPath(value).is_absolute():
        return PurePosixPath(value).name
    return PureWindowsPath(value).name if PureWindowsPath(value).is_absolute() else value


@cache
def _short(name: str) -> str:
    section, _, leaf = name.rpartition(".")
    kind = get_type_hints(Settings).get(section)
    alone = kind is not None and len(fields(kind)) == 1  # snr.gamma is all there is of snr
    return section if section and (leaf == "name" or alone) else leaf


@cache
def is_free(name: str) -> bool:
    """Whether a setting is not in a trial's identity."""
    part: Any = Settings
    for key in name.split("."):
        field = next((each for each in fields(part) if each.name == key), None)
        if field is None:  # of one choice of its section: all of these are
            return False
        if not field.metadata.get("identity", True):
            return True
        part = get_type_hints(part)[key]
    return False
