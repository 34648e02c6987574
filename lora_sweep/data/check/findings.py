"""What may be wrong with a training set: the kinds, and the findings of one check."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum

MAX_DETAILS = 1000
"""Findings of a kind that are kept in words; all are counted. Half a million pictures may each have
one."""


class Kind(Enum):
    """A kind of finding: its name, and why it matters."""

    listing = ("list of pictures", "training would refuse the set as it is")
    unreadable = ("unreadable", "training would refuse the set as it is")
    low_resolution = ("low resolution", "training would enlarge it, and learn the enlarging")
    blur = ("blurred", "the LoRA learns blur as a part of the subject")
    far_away = ("subject far away", "most of its pixels teach nothing of the subject; crop it")
    duplicate = ("near-duplicate", "it counts twice in training; keep the better one")
    mirror = ("mirror image", "the two teach no more than one does; dataset.flip=true mirrors")
    same_scene = ("one scene", "background, clothes and light become part of the subject")
    no_variety = ("no variety", "the LoRA will draw this one picture, whatever the prompt says")
    other_faces = ("more than one face", "it is unclear which face is the subject; crop it")
    no_caption = ("no caption", "write one, or give all one by dataset.instance_prompt")
    long_caption = ("caption too long", "the text encoders see 77 tokens, and no more")
    no_abstraction = (
        "caption without the abstraction",
        "the picture teaches the new tokens nothing",
    )

    @property
    def title(self) -> str:
        return self.value[0]

    @property
    def reason(self) -> str:
        return self.value[1]


@dataclass(frozen=True)
class Finding:
    """One thing found; `picture` is its picture's place in the set, None for the set itself."""

    kind: Kind
    picture: int | None
    text: str


@dataclass
class Findings:
    """All findings of a check, counted; of each kind the first MAX_DETAILS in words."""

    counts: Counter[Kind] = field(default_factory=Counter)
    details: list[Finding] = field(default_factory=list)

    def add(self, kind: Kind, picture: int | None, text: str) -> None:
        """Count a finding and keep its words, unless there are very many of its kind."""
        self.counts[kind] += 1
        if self.counts[kind] <= MAX_DETAILS:
            self.details.append(Finding(kind, picture, text))

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def of_kind(self, kind: Kind) -> list[Finding]:
        """Those of one kind that were kept in words, in the order found."""
        return [finding for finding in self.details if finding.kind is kind]

    def by_picture(self) -> dict[int, list[Finding]]:
        """Those kept in words, by the place of their picture."""
        found: dict[int, list[Finding]] = {}
        for finding in self.details:
            if finding.picture is not None:
                found.setdefault(finding.picture, []).append(finding)
        return found
