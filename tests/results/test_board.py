from __future__ import annotations

from collections.abc import Callable

import pytest

from lora_sweep.results.board import Board, BoardTrial, Reporter, Smoothed
from lora_sweep.results.trial_record import TrialState

State = TrialState


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def board(clock: Clock) -> Board:
    """Two families: "a" of 100 steps and "b" of 150 share their beginning; "c" is alone."""
    trials = [BoardTrial(id_, id_, steps) for id_, steps in (("a", 100), ("b", 150), ("c", 50))]
    return Board(trials, total_steps=200, shared_steps=100, clock=clock)


def steps(first: int, last: int, loss: float = 0.5) -> list[tuple[int, float, float | None]]:
    return [(step, loss, 1e-4) for step in range(first, last + 1)]


def states(board: Board) -> str:
    return " ".join(f"{trial.id}:{trial.state.value}" for trial in board.trials.values())


def test_steps_that_several_trials_share_are_counted_once_and_shown_for_each(
    board: Board, clock: Clock
) -> None:
    board.began(0, 150)
    board.entered(0, ["a", "b"], 0, 0)
    clock.now = 20.0
    board.stepped(0, steps(1, 40), 40)
    assert states(board) == "a:running b:running c:waiting"
    assert [trial.step for trial in board.trials.values()] == [40, 40, 0]
    assert board.position == 40
    assert board.seconds_left == pytest.approx(160 * 0.5)
    assert board.seconds_left_of(board.trials["b"]) == pytest.approx(110 * 0.5)
    assert board.seconds_left_of(board.trials["c"]) is None


def test_a_trial_that_is_done_leaves_the_rest_of_its_family_running(board: Board) -> None:
    board.began(0, 150)
    board.entered(0, ["a", "b"], 0, 0)
    board.stepped(0, steps(1, 100), 100)
    board.changed("a", State.done, 100, None)
    board.entered(0, ["b"], 100, 100)
    assert states(board) == "a:done b:running c:waiting"
    board.stepped(0, steps(101, 150), 150)
    board.changed("b", State.done, 150, None)
    board.ended(0)
    assert board.position == 150 and board.counts[State.done] == 2


def test_two_workers_are_added_up(board: Board, clock: Clock) -> None:
    board.began(0, 150)
    board.began(1, 50)
    board.entered(0, ["a", "b"], 0, 0)
    board.entered(1, ["c"], 0, 0)
    clock.now = 10.0
    board.stepped(0, steps(1, 30), 30)
    board.stepped(1, steps(1, 10), 10)
    assert board.position == 40
    assert board.seconds_left == pytest.approx(160 * 10 / 40)
    assert board.seconds_left_of(board.trials["c"]) == pytest.approx(40.0)


def test_a_worker_that_is_lost_gives_its_trials_and_their_steps_back(board: Board) -> None:
    board.began(0, 150)
    board.entered(0, ["a", "b"], 0, 0)
    board.stepped(0, steps(1, 30), 30)
    board.ended(0, finished=False)
    assert states(board) == "a:waiting b:waiting c:waiting" and board.position == 0
    board.began(1, 150)
    board.entered(1, ["a", "b"], 25, 25)  # from its checkpoint
    assert states(board) == "a:running b:running c:waiting" and board.position == 25


def test_the_steps_of_a_family_that_has_ended_lie_behind_whatever_became_of_it(
    board: Board,
) -> None:
    board.began(0, 150)
    board.entered(0, ["a", "b"], 0, 0)
    board.stepped(0, steps(1, 10), 10)
    for trial in ("a", "b"):
        board.changed(trial, State.failed, 10, "no memory")
    board.ended(0)
    assert board.position == 150
    assert states(board) == "a:failed b:failed c:waiting"


def test_every_new_fault_and_every_end_is_told_once(board: Board) -> None:
    told: list[int] = []
    ends: list[int] = []
    board.on_fault = lambda: told.append(board.faults)
    board.on_end = lambda: ends.append(len(ends))
    board.began(0, 150)
    board.changed("a", State.diverged, 3, "the loss is nan")
    board.changed("a", State.diverged, 3, "the loss is nan")
    board.changed("b", State.failed, 3, "no memory")
    assert told == [1, 2]
    board.changed("c", State.running, 3, None)
    board.changed("c", State.done, 50, None)
    assert told == [1, 2] and ends == [0, 1, 2]


def test_a_reporter_speaks_for_its_worker(board: Board) -> None:
    reporter = Reporter(board, worker=7)
    board.began(7, 50)
    reporter.entered(["c"], 0, 0)
    reporter.stepped(steps(1, 2), 2)
    assert board.trials["c"].worker == 7 and board.trials["c"].step == 2
    reporter.changed("c", State.done, 50, None)
    assert board.trials["c"].worker is None


def test_the_loss_is_a_running_mean_without_a_pull_towards_zero_or_nan() -> None:
    loss = Smoothed()
    assert loss.value is None
    for value in (0.5, float("nan"), 0.5):
        loss.add(value)
    assert loss.value == pytest.approx(0.5)
    loss.add(1.0)
    assert loss.value is not None and 0.5 < loss.value < 1.0


def test_whoever_listens_hears_the_position_among_all_steps(board: Board) -> None:
    heard: list[tuple[str, int]] = []

    class Ear:
        def entered(self, position: int) -> None:
            heard.append(("entered", position))

        def stepped(self, rows: object, position: int) -> None:
            heard.append(("stepped", position))

    board.listener = Ear()
    board.began(0, 50)
    board.entered(0, ["c"], 0, 0)
    board.stepped(0, steps(1, 50), 50)
    board.ended(0)
    board.began(0, 150)
    board.entered(0, ["a", "b"], 10, 10)
    assert heard == [("entered", 0), ("stepped", 50), ("entered", 60)]


def test_nothing_is_left_to_wait_for_before_the_first_step(
    board: Board, clock: Callable[[], float]
) -> None:
    assert board.seconds_left is None and not board.has_begun
    board.began(0, 150)
    board.entered(0, ["a", "b"], 0, 0)
    assert board.seconds_left is None and board.has_begun
