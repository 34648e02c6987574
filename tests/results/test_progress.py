from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from lora_sweep.results.progress import Progress, closing_summary, duration, status


def console(terminal: bool) -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    return Console(file=text, force_terminal=terminal, width=100, highlight=False), text


class Clock:
    """A clock that moves when told."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_without_a_terminal_there_is_a_line_now_and_then_and_at_the_end() -> None:
    out, text = console(False)
    clock = Clock()
    with Progress("rank 4", 100, console=out, line_seconds=15, clock=clock) as progress:
        for step in range(1, 101):
            clock.seconds += 1
            progress.update(step, {"loss": 0.5, "lr/unet": 1e-4, "lr/te": 5e-5})
    lines = text.getvalue().splitlines()
    assert lines[0] == "rank 4  step 1/100  loss 0.5000  lr 1.00e-04  1m39s left"
    assert [int(line.split("/")[0].split()[-1]) for line in lines] == [1, *range(16, 101, 15), 100]
    assert "\x1b" not in text.getvalue()


def test_the_time_left_counts_from_where_this_process_began() -> None:
    out, _ = console(False)
    clock = Clock()
    with Progress("n", 100, first_step=60, console=out, clock=clock) as progress:
        assert progress.seconds_left(60) is None
        clock.seconds = 20
        assert progress.seconds_left(70) == 60


def test_the_loss_is_smoothed_without_a_pull_towards_zero_or_nan() -> None:
    out, text = console(False)
    with Progress("n", 3, console=out, line_seconds=0, clock=Clock()) as progress:
        for step, loss in enumerate([2.0, 2.0, float("nan")], start=1):
            progress.update(step, {"loss": loss})
    assert text.getvalue().count("loss 2.0000") == 3


def test_in_a_terminal_there_is_a_bar_with_loss_and_learning_rate() -> None:
    out, text = console(True)
    with Progress("rank [red]4", 10, console=out) as progress:
        progress.update(5, {"loss": 0.25, "lr": 3e-4})
        progress.note("a note [bold]as it is[/bold]")
    shown = text.getvalue()
    assert "rank [red]4" in shown
    assert "loss 0.2500" in shown
    assert "lr 3.00e-04" in shown
    assert "a note [bold]as it is[/bold]" in shown


def test_a_row_without_loss_or_rate_is_shown_as_progress() -> None:
    out, text = console(False)
    with Progress("n", 1, console=out) as progress:
        progress.update(1, {"val_loss": 0.5, "loss": None, "lr": None})
    assert text.getvalue().startswith("n  step 1/1")


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("total", [None, 3])
def test_a_slow_job_says_what_it_does_and_when_it_is_done(
    terminal: bool, total: int | None
) -> None:
    out, text = console(terminal)
    with status("drawing class pictures", total=total, console=out) as done:
        done(3)
    assert re.search(r"drawing class pictures: done in \ds", text.getvalue())


def test_the_summary_has_state_measures_and_whole_paths(tmp_path: Path) -> None:
    out, text = console(False)
    path = tmp_path / ("x" * 150)
    closing_summary(
        "rank 4", "done", seconds=3725, scores={"val_loss": 0.123456, "drift": None},
        paths={"adapter": path}, console=out,
    )  # fmt: skip
    lines = text.getvalue().splitlines()
    assert lines == ["rank 4: done in 1h02m", "  val_loss 0.1235  drift -", f"  adapter  {path}"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.6, "1m00s"), (200, "3m20s"), (7500, "2h05m"), (3600, "1h00m"), (-5, "0s")],
)
def test_durations_have_their_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_slow_job_beside_training_shares_the_terminal_with_the_bar() -> None:
    out, text = console(True)
    with Progress("rank 4", 10, console=out) as progress:
        with status("encoding pictures", total=3, console=out) as done:
            done(2)
            progress._bar.refresh()  # which a thread does now and then
            progress.update(1, {"loss": 0.25})
        progress._bar.refresh()
    shown = text.getvalue()
    assert "2/3" in shown and re.search(r"encoding pictures: done in \ds", shown)
    assert shown.rindex("loss 0.2500") > shown.rindex("2/3")


def test_after_a_restart_the_time_left_is_judged_by_the_steps_since() -> None:
    now = [0.0]
    progress = Progress("trial", 100, clock=lambda: now[0])
    now[0] = 3600.0  # an hour of drawing class pictures
    progress.restart(10)
    now[0] += 5.0
    assert progress.seconds_left(20) == 40.0
