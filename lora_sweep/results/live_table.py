"""The trials of a running sweep as a table that is drawn anew, and all steps as one bar."""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Column, Table
from rich.text import Text

from lora_sweep.results.board import FAULTY, Board, BoardTrial
from lora_sweep.results.progress import duration, joins_bars
from lora_sweep.results.trial_record import TrialState

REFRESH_PER_SECOND = 2.0
WIDTH_WITH_RATE, WIDTH_WITH_LOSS = 80, 50  # columns of a terminal that has room for them
WIDTH_OF_NUMBERS = 26  # state, step and time left
LINES_AROUND = 3  # head of the table, line of the rest, cursor
FEWEST_ROWS = 3
KEY = re.compile(r"(?:^|(?<= ))([\w.]+)=")  # in labels such as "rank=4 seed=0"
COLORS = {
    TrialState.running: "cyan",
    TrialState.done: "green",
    TrialState.failed: "red",
    TrialState.diverged: "yellow",
    TrialState.pruned: "dim",
}
FIRST = (
    TrialState.running,
    TrialState.failed,
    TrialState.diverged,
    TrialState.waiting,
    TrialState.done,
    TrialState.pruned,
)
"""States whose trials are shown where not all can be."""


class LiveTable:
    """Shows a board on a terminal for as long as the context lasts."""

    shows_notice = True

    def __init__(self, board: Board, notice: Callable[[], str], console: Console) -> None:
        self.board = board
        self.notice = notice
        self.console = console
        self._bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None, table_column=Column(ratio=1)),
            TextColumn("{task.fields[facts]}", markup=False),
            console=console,
            expand=True,
        )
        self._all = self._bar.add_task("all", total=board.total_steps, facts="")
        self._live = Live(
            get_renderable=self.render,
            console=console,
            refresh_per_second=REFRESH_PER_SECOND,
            transient=True,
            vertical_overflow="crop",
        )
        self._streams: list[tuple[logging.StreamHandler, object]] = []

    def __enter__(self) -> LiveTable:
        before = (sys.stdout, sys.stderr)
        self._live.start()
        joins_bars(self._bar, True)
        self._catch_logging(before)
        return self

    def __exit__(self, *exception: object) -> None:
        for handler, stream in self._streams:
            handler.setStream(stream)  # pyright: ignore[reportArgumentType]
        joins_bars(self._bar, False)
        self._live.stop()

    def _catch_logging(self, before: tuple[object, object]) -> None:
        """Messages of the log go above the table: its handlers know the streams of before."""
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream in before:
                self._streams.append((handler, handler.stream))
                handler.setStream(sys.stdout if handler.stream is before[0] else sys.stderr)

    def render(self) -> RenderableType:
        """The table that fits, the bar of all steps, the notice."""
        board, size = self.board, self.console.size
        trials = list(board.trials.values())
        notice, footing, headline = self.notice(), self._footing(), board.headline
        below = sum(-(-len(line) // size.width) for line in (notice, footing, headline))
        room = max(FEWEST_ROWS, size.height - LINES_AROUND - below - len(self._bar.tasks))
        shown = trials if len(trials) <= room else self._foremost(trials, room)
        parts: list[RenderableType] = [self._table(shown, size.width)]
        if len(shown) < len(trials):
            parts.append(Text(f"and {_count_words(trials, shown)}", style="dim"))
        self._bar.update(
            self._all, completed=board.position, total=board.total_steps, facts=self._facts()
        )
        parts += [self._bar.get_renderable(), Text(footing)]
        if headline:
            parts.append(Text(headline, style="green"))
        if notice:
            parts.append(Text(notice, style="bold"))
        return Group(*parts)

    def _foremost(self, trials: list[BoardTrial], room: int) -> list[BoardTrial]:
        """Those that matter most, in the order asked for; of those done, the last."""
        ranks = {trial.id: rank for rank, trial in enumerate(trials)}

        def rank(trial: BoardTrial) -> tuple[int, int]:
            number = ranks[trial.id]
            return FIRST.index(trial.state), -number if trial.state is TrialState.done else number

        chosen = sorted(trials, key=rank)[:room]
        return sorted(chosen, key=lambda trial: ranks[trial.id])

    def _table(self, trials: list[BoardTrial], width: int) -> Table:
        with_loss, with_rate = width >= WIDTH_WITH_LOSS, width >= WIDTH_WITH_RATE
        numbers = [*(["loss"] if with_loss else []), *(["lr"] if with_rate else [])]
        more = list(dict.fromkeys(name for t in self.board.trials.values() for name in t.facts))
        room = width - WIDTH_OF_NUMBERS - 10 * (len(numbers) + len(more))
        head, labels = _labels(list(self.board.trials.values()), room)
        table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
        table.add_column(Text(head), no_wrap=True, overflow="ellipsis", ratio=1)
        table.add_column("state", no_wrap=True)
        for name in ("step", *numbers, *more, "left"):
            table.add_column(name, no_wrap=True, justify="right")
        for trial in trials:
            left = self.board.seconds_left_of(trial)
            cells = [
                f"{trial.step}/{trial.total_steps}",
                *([_known(trial.loss.value, "{:.4f}")] if with_loss else []),
                *([_known(trial.rate, "{:.2e}")] if with_rate else []),
                *(trial.facts.get(name, "") for name in more),
                "" if left is None else duration(left),
            ]
            state = Text(trial.state.value, style=COLORS.get(trial.state, ""))
            # As Text: labels may come from a user, and rich reads markup.
            table.add_row(Text(labels[trial.id]), state, *(Text(cell) for cell in cells))
        return table

    def _facts(self) -> str:
        return f"{self.board.position}/{self.board.total_steps} steps"

    def _footing(self) -> str:
        board, counts = self.board, self.board.counts
        facts = [f"{counts[TrialState.done]}/{board.num_trials} done"]
        if pruned := counts[TrialState.pruned]:
            facts.append(f"{pruned} pruned")
        if faulty := sum(counts[state] for state in FAULTY):
            facts.append(f"{faulty} failed")
        if board.shared_steps:
            facts.append(f"{board.shared_steps} steps shared")
        left = board.seconds_left
        if left is not None:
            end = time.strftime("%H:%M", time.localtime(time.time() + left))
            facts.append(f"{duration(left)} left, ends {end}")
        elif not board.has_begun:
            facts.append("starting")
        return ", ".join(facts)


def _labels(trials: list[BoardTrial], room: int) -> tuple[str, dict[str, str]]:
    """What the trials are called, with the column's head: values alone where names do not fit."""
    labels = {trial.id: trial.label for trial in trials}
    if max(map(len, labels.values()), default=0) <= room:
        return "trial", labels
    head = " ".join(dict.fromkeys(key for label in labels.values() for key in KEY.findall(label)))
    return head or "trial", {trial: KEY.sub("", label) for trial, label in labels.items()}


def _known(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def _count_words(trials: list[BoardTrial], shown: list[BoardTrial]) -> str:
    hidden = {trial.id for trial in trials} - {trial.id for trial in shown}
    counts = [
        (sum(t.id in hidden and t.state is state for t in trials), state.value) for state in FIRST
    ]
    return ", ".join(f"{count} more {state}" for count, state in counts if count)
