"""Ways to show a board while it changes: a bar, a live table, or a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from rich.console import Console

from lora_sweep.results.board import FAULTY, Board
from lora_sweep.results.live_table import LiveTable
from lora_sweep.results.progress import LINE_SECONDS, Progress, duration, say, standard_console
from lora_sweep.results.trial_record import TrialState


class View(Protocol):
    """Shows a board for as long as the context lasts."""

    shows_notice: bool  # itself: nobody else may write to the terminal

    def __enter__(self) -> View: ...

    def __exit__(self, *exception: object) -> None: ...


def view_of(board: Board, notice: Callable[[], str], console: Console | None = None) -> View:
    """What suits the board and the terminal; `notice` is a line to be shown, when there is one."""
    out = console or standard_console()
    if len(board.trials) == 1 and not board.expected:
        return TrialBar(board, out)
    return LiveTable(board, notice, out) if out.is_terminal else SweepLines(board)


class TrialBar:
    """One trial: a bar, or a line now and then where there is no terminal."""

    shows_notice = False

    def __init__(self, board: Board, console: Console) -> None:
        (trial,) = board.trials.values()
        self.board = board
        self.progress = Progress(trial.label, board.total_steps, console=console)

    def __enter__(self) -> TrialBar:
        self.board.listener = self
        self.progress.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self.board.listener = None
        self.progress.__exit__(*exception)

    def entered(self, position: int) -> None:
        """See Listener."""
        self.progress.restart(position)

    def stepped(self, rows: Sequence[tuple[int, float, float | None]], position: int) -> None:
        """See Listener."""
        for step, loss, rate in rows:
            self.progress.update(position - rows[-1][0] + step, {"loss": loss, "lr": rate})


class SweepLines:
    """Many trials without a terminal: one line for all of them now and then."""

    shows_notice = False

    def __init__(
        self,
        board: Board,
        say: Callable[[str], None] = say,
        line_seconds: float = LINE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.board = board
        self.say = say
        self.line_seconds = line_seconds
        self.clock = clock
        self._said = -float("inf")

    def __enter__(self) -> SweepLines:
        self.board.listener = self
        return self

    def __exit__(self, *exception: object) -> None:
        self.board.listener = None

    def entered(self, position: int) -> None:
        """See Listener."""

    def stepped(self, rows: Sequence[tuple[int, float, float | None]], position: int) -> None:
        """See Listener."""
        due = self.clock() - self._said >= self.line_seconds
        if due or position >= self.board.total_steps:
            self._said = self.clock()
            self.say(self.line())

    def line(self) -> str:
        """How it stands now."""
        board, counts = self.board, self.board.counts
        facts = [f"{counts[TrialState.done]} of {board.num_trials} trials done"]
        if pruned := counts[TrialState.pruned]:
            facts.append(f"{pruned} pruned")
        if faulty := sum(counts[state] for state in FAULTY):
            facts.append(f"{faulty} failed")
        facts.append(f"step {board.position}/{board.total_steps}")
        if board.latest is not None and board.latest.loss.value is not None:
            facts.append(f"loss {board.latest.loss.value:.4f}")
        if board.latest is not None and board.latest.rate is not None:
            facts.append(f"lr {board.latest.rate:.2e}")
        left = board.seconds_left
        if left is not None:
            facts.append(f"{duration(left)} left")
        if board.headline:
            facts.append(board.headline)
        return "  ".join(facts)
