"""What is shown of a sweep while it trains: a table on a terminal, lines elsewhere."""

from __future__ import annotations

import io
import logging
import re
import sys
from collections.abc import Callable

import pytest
from rich.console import Console

from lora_sweep.results.board import Board, BoardTrial
from lora_sweep.results.live_table import LiveTable
from lora_sweep.results.progress import status
from lora_sweep.results.trial_record import TrialState
from lora_sweep.results.views import SweepLines, TrialBar, view_of

State = TrialState


def a_board(count: int = 6, label: str = "rank={} optimizer=adamw max_train_steps=100") -> Board:
    """Trials 0, 1, … of 100 steps; two are in training at step 40, after one that is done."""
    trials = [BoardTrial(str(n), label.format(n), 100) for n in range(count)]
    now = [0.0]
    board = Board(trials, total_steps=80 * count, shared_steps=20 * count, clock=lambda: now[0])
    board.began(0, 160)
    board.changed("0", State.done, 100, None)
    board.entered(0, ["1", "2"], 0, 0)
    now[0] = 20.0
    board.stepped(0, [(step, 0.125, 3e-4) for step in range(1, 41)], 40)
    return board


def console(width: int = 100, height: int = 30) -> Console:
    return Console(
        file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None
    )


def shown(board: Board, width: int = 100, height: int = 30, notice: str = "") -> list[str]:
    out = console(width, height)
    out.print(LiveTable(board, lambda: notice, out).render())
    assert isinstance(out.file, io.StringIO)
    return [line.rstrip() for line in out.file.getvalue().splitlines()]


def test_the_table_has_state_step_loss_rate_and_time_left_of_every_trial() -> None:
    lines = shown(a_board())
    assert lines[0].split() == ["trial", "state", "step", "loss", "lr", "left"]
    assert lines[1].split() == ["rank=0", "optimizer=adamw", "max_train_steps=100", "done",
                                "100/100"]  # fmt: skip
    for line in lines[2:4]:
        assert line.split()[3:] == ["running", "40/100", "0.1250", "3.00e-04", "30s"]
    assert all(line.split()[3:] == ["waiting", "0/100"] for line in lines[4:7])


def test_below_it_is_a_bar_of_all_steps_with_what_is_shared_and_when_it_ends() -> None:
    *_, bar, footing = shown(a_board())
    assert bar.startswith("all ━") and bar.endswith("40/480 steps")
    assert re.fullmatch(
        r"1/6 done, 120 steps shared, 3m40s left, ends \d\d:\d\d", footing
    ), footing  # fmt: skip


def test_faults_are_counted_and_a_notice_is_shown() -> None:
    board = a_board()
    board.changed("4", State.failed, 10, "no memory")
    board.changed("5", State.diverged, 12, "the loss is nan")
    *_, footing, notice = shown(board, notice="stopping after this step")
    assert footing.startswith("1/6 done, 2 failed, ") and notice == "stopping after this step"


@pytest.mark.parametrize("width", [40, 48, 60, 79, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal_and_trials_can_be_told_apart(width: int) -> None:
    lines = shown(a_board(), width)
    assert max(map(len, lines)) <= width
    assert len({line.partition("waiting")[0] for line in lines if "waiting" in line}) == 3
    assert ("loss" in lines[0]) is (width >= 50) and (" lr" in lines[0]) is (width >= 80)


def test_where_names_do_not_fit_they_stand_in_the_head_of_the_column() -> None:
    assert shown(a_board(), 60)[0].startswith("rank optimizer max_train_st")
    assert shown(a_board(), 60)[1].startswith("0 adamw 100 ")


@pytest.mark.parametrize("height", [8, 12, 24, 50])
def test_of_more_trials_than_fit_those_that_move_or_failed_are_shown_and_the_rest_counted(
    height: int,
) -> None:
    board = a_board(300)
    board.changed("250", State.failed, 10, "no memory")
    lines = shown(board, 100, height)
    assert len(lines) < height, "one line is the cursor's"
    rows = [line for line in lines if re.match(r"rank=\d+ ", line)]
    assert sum("running" in row for row in rows) == 2 and sum("failed" in row for row in rows) == 1
    (rest,) = [line for line in lines if line.startswith("and ")]
    counted = sum(int(count) for count in re.findall(r"(\d+) more", rest))
    assert counted + len(rows) == 300


def test_what_looks_like_markup_in_a_label_is_shown_as_it_is() -> None:
    lines = shown(a_board(label="name=[bold]{}[/bold]"))
    assert lines[1].startswith("name=[bold]0[/bold] ")


def test_words_go_above_the_table_and_nothing_of_it_is_left_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = console()
    monkeypatch.setattr(sys, "stderr", stream := io.StringIO())
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    try:
        with LiveTable(a_board(), lambda: "", out):
            logging.getLogger("some.library").warning("beware")
            with status("encoding pictures", total=3, console=out) as advance:
                advance(3)
    finally:
        logging.getLogger().removeHandler(handler)
    assert isinstance(out.file, io.StringIO)
    text = out.file.getvalue()
    assert "beware" in text and stream.getvalue() == "" and handler.stream is stream
    assert "encoding pictures: done in" in text
    # The last table is erased: cursor up and the line cleared, for each of its lines.
    assert text.rindex("\x1b[2K") > text.rindex("waiting")


def lines_of(board: Board, seconds: float = 15.0) -> tuple[list[str], SweepLines, list[float]]:
    said: list[str] = []
    now = [0.0]
    return said, SweepLines(board, said.append, seconds, clock=lambda: now[0]), now


def test_without_a_terminal_there_is_a_line_now_and_then_and_at_the_end() -> None:
    board = a_board()
    said, view, now = lines_of(board)
    with view:
        for step in range(41, 101):
            now[0] += 1.0
            board.stepped(0, [(step, 0.125, 3e-4)], step)
    assert said[0] == (
        "1 of 6 trials done  step 41/480  loss 0.1250  lr 3.00e-04  3m34s left"
    )  # fmt: skip
    assert len(said) == 4, "after 0, 15, 30 and 45 seconds"
    with view:
        board.began(1, 320)
        board.entered(1, ["3"], 0, 0)
        board.changed("4", State.failed, 0, "no memory")
        board.ended(0)
        board.stepped(1, [(320, 0.25, None)], 320)
    assert said[-1].startswith("1 of 6 trials done  1 failed  step 480/480")
    assert board.listener is None


@pytest.mark.parametrize(
    ("count", "terminal", "kind"),
    [(6, True, LiveTable), (6, False, SweepLines), (1, True, TrialBar), (1, False, TrialBar)],
)
def test_the_view_suits_the_number_of_trials_and_the_terminal(
    count: int, terminal: bool, kind: type
) -> None:
    board = Board([BoardTrial(str(n), str(n), 10) for n in range(count)], 10 * count)
    out = Console(file=io.StringIO(), force_terminal=terminal)
    notice: Callable[[], str] = lambda: ""  # noqa: E731
    assert isinstance(view_of(board, notice, out), kind)


def test_a_trial_alone_has_a_bar_with_its_own_steps() -> None:
    trial = BoardTrial("0", "a trial", 100)
    board, out = Board([trial], 100), Console(file=io.StringIO(), width=100)
    with TrialBar(board, out):
        board.began(0, 100)
        board.entered(0, ["0"], 60, 60)
        board.stepped(0, [(99, 0.5, 1e-4), (100, 0.5, 1e-4)], 100)
    assert isinstance(out.file, io.StringIO)
    assert "a trial  step 100/100  loss 0.5000  lr 1.00e-04" in out.file.getvalue()
