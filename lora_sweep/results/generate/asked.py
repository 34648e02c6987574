"""What pictures are asked for; no torch."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lora_sweep.config.resolve import SUBJECT
from lora_sweep.errors import SettingsError
from lora_sweep.results.finished import FinishedTrial

MOST_PICTURES = 10_000


@dataclass(frozen=True)
class Asked:
    """Prompts as the user wrote them, and how to draw them; None is what the first trial has."""

    prompts: tuple[str, ...]
    seeds: tuple[int, ...]
    size: int | None = None  # pixels
    steps: int | None = None
    guidance_scale: float | None = None
    batch_size: int = 4
    device: str = "auto"


def seeds_of(text: str, count: int | None, problems: list[str]) -> tuple[int, ...]:
    """The seeds that `--seeds` and `--count` ask for; what is wrong is added to the problems."""
    parts = text.split(",")
    if count is not None and not 1 <= count <= MOST_PICTURES:
        problems.append(f"--count={count}: must be at least 1 and at most {MOST_PICTURES}")
        count = None
    if not all(re.fullmatch(r"\s*[0-9]{1,18}\s*", part) for part in parts):
        problems.append(f"--seeds={text}: must be whole numbers of at least 0, as 0,1,2")
        return ()
    first, *more = dict.fromkeys(map(int, parts))
    if count is None:
        return (first, *more)
    if more:
        problems.append(f"--count={count}: goes with one seed, from which it counts, not {text}")
    return tuple(range(first, first + count))


def check_sizes(trials: list[FinishedTrial], asked: Asked) -> None:
    """Raise SettingsError where trials of bases of different sizes are to be drawn as they are."""
    sizes = {trial.settings.model.resolution for trial in trials}
    if asked.size is None and len(sizes) > 1:
        shown = ", ".join(map(str, sorted(sizes)))
        raise SettingsError([f"the trials were trained at {shown} pixels; choose one with --size"])


def without_subject(trials: list[FinishedTrial], prompt: str) -> list[str]:
    """Ids of the trials whose subject the prompt does not name; none where it has no name."""
    if SUBJECT in prompt:
        return []
    from lora_sweep.data.captions import contains_abstraction

    words = {trial.id: trial.settings.dataset.abstractions for trial in trials}
    return [
        id
        for id, abstractions in words.items()
        if abstractions
        and not any(contains_abstraction(prompt, each) for each in abstractions)
        and "<s0>" not in prompt
    ]
