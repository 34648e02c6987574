"""What is seen of a study while it goes on: value and rung of each trial, the best so far."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from lora_sweep.results.board import Board, BoardTrial
from lora_sweep.results.live_table import LiveTable
from lora_sweep.results.trial_record import TrialState
from lora_sweep.results.views import SweepLines, TrialBar, view_of


def shown(board: Board) -> str:
    console = Console(file=StringIO(), force_terminal=True, width=110, height=30, color_system=None)
    console.print(LiveTable(board, lambda: "", console).render())
    return console.file.getvalue()  # type: ignore[attr-defined]


def study() -> Board:
    board = Board([], 0)
    board.expected = 8
    return board


def test_a_study_begins_without_trials_and_is_no_single_trial() -> None:
    board = study()
    assert "0/8 done" in shown(board)
    board.add(BoardTrial("a", "0: rank=4", 90))
    assert not isinstance(view_of(board, lambda: "", Console(file=StringIO())), TrialBar)


def test_value_rung_and_best_are_shown_once_there_are_any() -> None:
    board = study()
    for number, label in enumerate(("0: rank=4", "1: rank=8")):
        board.add(BoardTrial(str(number), label, 90))
    assert "rung" not in shown(board)
    board.trials["0"].facts = {"value": "0.2076", "rung": "2"}
    board.changed("0", TrialState.pruned, 30, None)
    board.headline = "best so far: val_loss 0.2 of trial 1"
    table = shown(board)
    (row,) = (line for line in table.splitlines() if "rank=4" in line)
    assert row.split()[-2:] == ["0.2076", "2"] and "pruned" in row
    assert "1 pruned" in table and board.headline in table


def test_a_line_of_a_log_has_the_best_too() -> None:
    board = study()
    board.headline = "best so far: val_loss 0.2 of trial 1"
    assert SweepLines(board).line() == f"0 of 8 trials done  step 0/0  {board.headline}"
