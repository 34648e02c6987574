"""The errors that a user may see, each with a message that names what was wrong and what is
allowed.
"""

from __future__ import annotations

from collections.abc import Sequence


class LoraSweepError(Exception):
    """Base of every error that is reported as one clear message and a non-zero exit."""


class SettingsError(LoraSweepError):
    """One or more settings are wrong; carries every problem found, not only the first.

    hint: what could be done instead, and is no problem itself.
    """

    def __init__(self, problems: Sequence[str], hint: str | None = None) -> None:
        self.problems = tuple(problems)
        self.hint = hint
        lines = [f"- {problem}" for problem in self.problems]
        super().__init__("\n".join(lines if hint is None else [*lines, hint]))


class DataError(LoraSweepError):
    """Pictures or captions cannot be used."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(f"- {problem}" for problem in self.problems))


class ModelError(LoraSweepError):
    """The base cannot be loaded, or is not an SDXL."""


class HubUnreachable(ModelError):
    """Which base a hub name stands for cannot be known: no copy is here, and no network."""


class StoreError(LoraSweepError):
    """A file of the results folder cannot be written or is damaged."""


class Diverged(LoraSweepError):
    """Training ran away: the loss or the gradient norm became NaN or infinite."""

    def __init__(self, step: int, what: str, value: float) -> None:
        self.step = step
        self.what = what
        self.value = value
        super().__init__(f"the {what} is {value} at step {step}")
