from __future__ import annotations

import io

import pytest
from rich.console import Console
from sweep_rows import NAMES, a_row

from lora_sweep.results.closing_table import print_table
from lora_sweep.results.summary import SweepRow
from lora_sweep.results.trial_record import TrialState

ROWS = [
    a_row("first", 4, scores=NAMES | {"val_loss": 0.5}),
    a_row("best", 16, "prodigy", scores=NAMES | {"val_loss": 0.25}),
    a_row("failed", 8, state=TrialState.failed, scores={}, error="OSError: [bold]no[/bold] disk"),
    a_row("worst", 4, "prodigy", scores=NAMES | {"val_loss": None}),
]


def printed(width: int, rows: list[SweepRow] = ROWS, *, terminal: bool = True) -> list[str]:
    out = io.StringIO()
    print_table(rows, Console(file=out, width=width, force_terminal=terminal, color_system=None))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_the_best_comes_first_and_those_without_a_result_last_with_their_reasons() -> None:
    lines = printed(200)
    assert [line.split()[0] for line in lines[1:5]] == ["best", "first", "failed", "worst"]
    assert lines[0].split()[:6] == [
        "trial", "optimizer.name", "lora.rank", "state", "steps", "seconds"
    ]  # fmt: skip
    assert lines[1].split()[1:7] == ["prodigy", "16", "done", "500", "62", "0.25"]
    assert lines[4].split()[6] == "-", "a loss that is not finite"
    assert lines[5] == "failed: failed: OSError: [bold]no[/bold] disk"


def test_a_trial_asked_for_twice_is_one_row() -> None:
    lines = printed(200, [*ROWS, ROWS[0]])
    assert sum(line.startswith("first") for line in lines) == 1


@pytest.mark.parametrize("width", range(54, 110, 7))
def test_on_a_narrow_terminal_what_tells_trials_apart_stays_and_what_is_left_out_is_said(
    width: int,
) -> None:
    lines = printed(width)
    assert max(map(len, lines[:5])) <= width and not any("…" in line for line in lines)
    heads, (said, *_) = lines[0].split(), [line for line in lines if line.startswith("no room")]
    assert heads[:4] == ["trial", "optimizer.name", "lora.rank", "state"] and "val_loss" in heads
    gone = said.removeprefix("no room for ").partition(":")[0].split(", ")
    assert sorted(heads + gone) == sorted(printed(200)[0].split())


def test_in_a_log_nothing_is_left_out() -> None:
    lines = printed(40, terminal=False)
    assert lines[0].split()[-1] == "prompt" and not any("no room" in line for line in lines)


def test_where_even_that_has_no_room_settings_are_called_by_one_word() -> None:
    lines = printed(45)
    assert lines[0].split() == ["trial", "optimizer", "rank", "state", "val_loss"]
    assert not any("…" in line for line in lines[:5])
