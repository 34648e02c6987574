"""What a user sees while a trial trains: a bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bar
from rich.text import Text

SMOOTHING = 0.95  # weight of the past in the loss that is shown
LINE_SECONDS = 15.0  # between lines where there is no terminal
LEARNING_RATE = "lr"  # rows name effective learning rates lr, lr/unet, lr_te, …
UNITS = ((3600, "h"), (60, "m"), (1, "s"))

_shown: list[Bar] = []


class Progress:
    """The progress of one trial. `update` takes the rows of metrics.jsonl.

    total_steps: optimizer steps of the whole trial. first_step: done before, when resuming or going
    on from a shared prefix; the time left is judged from the steps after it.
    """

    def __init__(
        self,
        name: str,
        total_steps: int,
        *,
        first_step: int = 0,
        console: Console | None = None,
        line_seconds: float = LINE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.total_steps = total_steps
        self.first_step = first_step
        self.console = console or standard_console()
        self.line_seconds = line_seconds
        self.clock = clock
        self._began = clock()
        self._said = -float("inf")
        self._average = 0.0
        self._weight = 0.0
        self._rate: float | None = None
        self._bar = _bar(self.console)
        self._task = self._bar.add_task(
            name, total=total_steps, completed=first_step, facts="", start=True
        )

    def __enter__(self) -> Progress:
        self._began = self.clock()
        if self.console.is_terminal:
            self._bar.start()
            joins_bars(self._bar, True)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar in _shown:
            joins_bars(self._bar, False)
            self._bar.stop()

    def update(self, step: int, row: Mapping[str, Any]) -> None:
        """Show one row: its `loss`, and the highest value whose name begins with `lr`."""
        loss = row.get("loss")
        if isinstance(loss, (int, float)) and loss == loss:
            self._average = SMOOTHING * self._average + (1 - SMOOTHING) * loss
            self._weight = SMOOTHING * self._weight + (1 - SMOOTHING)
        rates = [v for k, v in row.items() if k.startswith(LEARNING_RATE) and v is not None]
        self._rate = max(rates) if rates else self._rate
        facts = self._facts(step)
        if self.console.is_terminal:
            self._bar.update(self._task, completed=step, facts=facts)
        elif self.clock() - self._said >= self.line_seconds or step >= self.total_steps:
            self._said = self.clock()
            self.note(f"{self.name}  step {step}/{self.total_steps}  {facts}")

    def restart(self, step: int) -> None:
        """Judge the time left from here on: what came before was other work, or done earlier."""
        self.first_step = step
        self._began = self.clock()

    def note(self, line: str) -> None:
        """One line of text, above the bar if there is one."""
        _say(self.console, line)

    def seconds_left(self, step: int) -> float | None:
        """By the mean speed since `first_step`; None before anything was done."""
        done = step - self.first_step
        if done <= 0:
            return None
        return (self.clock() - self._began) / done * (self.total_steps - step)

    def _facts(self, step: int) -> str:
        facts: list[str] = []
        if self._weight:
            facts.append(f"loss {self._average / self._weight:.4f}")
        if self._rate is not None:
            facts.append(f"lr {self._rate:.2e}")
        left = self.seconds_left(step)
        if left is not None:
            facts.append(f"{duration(left)} left")
        return "  ".join(facts)


@contextlib.contextmanager
def status(
    message: str, *, total: int | None = None, console: Console | None = None
) -> Iterator[Callable[[int], None]]:
    """A slow job beside training; yields a function to call with how many more are done.

    total: how many there are, for example class pictures to draw; None shows only that it works.
    """
    out = console or standard_console()
    began = time.monotonic()
    if not out.is_terminal:
        _say(out, f"{message} ({total}) …" if total is not None else f"{message} …")
        yield lambda count: None
    else:
        with _some_bar(out) as bar:
            task = bar.add_task(message, total=total, facts="")
            finished = 0

            def advance(count: int) -> None:
                nonlocal finished
                finished += count
                facts = f"{finished}/{total}" if total is not None else ""
                bar.update(task, completed=finished, facts=facts)

            try:
                yield advance
            finally:
                bar.remove_task(task)
    _say(out, f"{message}: done in {duration(time.monotonic() - began)}")


def closing_summary(
    name: str,
    state: str,
    *,
    seconds: float,
    scores: Mapping[str, float | None] | None = None,
    paths: Mapping[str, Path] | None = None,
    console: Console | None = None,
) -> None:
    """What came out of a trial: its state, its measures, where its files are."""
    out = console or standard_console()
    _say(out, f"{name}: {state} in {duration(seconds)}")
    shown = {key: "-" if value is None else f"{value:.4g}" for key, value in (scores or {}).items()}
    if shown:
        _say(out, "  " + "  ".join(f"{key} {value}" for key, value in shown.items()))
    width = max((len(key) for key in paths or {}), default=0)
    for key, path in (paths or {}).items():
        _say(out, f"  {key:<{width}}  {path}")


def say(line: str) -> None:
    """One line for the user."""
    _say(standard_console(), line)


@cache
def standard_console() -> Console:
    """Standard error: standard output stays free for what commands print.

    One for the whole process: it moves a bar down for the lines that are said above it.
    """
    return Console(stderr=True, highlight=False)


def duration(seconds: float) -> str:
    """A length of time in its two largest units: 2h05m, 3m20s, 12s."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for size, unit in UNITS:
        count, left = divmod(left, size)
        if parts:
            parts.append(f"{count:02d}{unit}")
        elif count or unit == "s":
            parts.append(f"{count}{unit}")
    return "".join(parts[:2])


def joins_bars(bar: Bar, shown: bool) -> None:
    """Say that a bar is, or no longer is, what its terminal shows: slow jobs are added to it."""
    if shown:
        _shown.append(bar)
    elif bar in _shown:
        _shown.remove(bar)


@contextlib.contextmanager
def _some_bar(console: Console) -> Iterator[Bar]:
    """The bar that is on this console now, or a new one: a terminal can have one at a time."""
    shown = next((bar for bar in _shown if bar.console is console), None)
    if shown is not None:
        yield shown
        return
    with _bar(console) as bar:
        yield bar


def _bar(console: Console) -> Bar:
    return Bar(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[facts]}", markup=False),
        console=console,
        transient=True,
    )


def _say(console: Console, line: str) -> None:
    # As Text and unwrapped: names are the user's, and paths must stay in one piece.
    console.print(Text(line), soft_wrap=True)
