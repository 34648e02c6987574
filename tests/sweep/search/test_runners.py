"""Signs of life: who has died, told by heartbeats and, on one machine, at once."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import optuna
import pytest
from runs import child

from lora_sweep.errors import SettingsError
from lora_sweep.sweep.search.runners import BEATS_MISSED, RUNNER, Runner
from lora_sweep.sweep.search.storage import open_storage

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def study_in(folder: Path) -> optuna.Study:
    storage = open_storage(None, folder / "journal.log")
    return optuna.create_study(study_name="s", storage=storage, load_if_exists=True)


def of_another(study: optuna.Study, beat: int, host: str = "elsewhere") -> Any:
    """A running trial of a process on another machine."""
    study.set_user_attr(f"{RUNNER}:far", {"host": host, "pid": 1, "beat": beat})
    trial = study.ask()
    trial.set_user_attr(RUNNER, "far")
    return trial


def latest(study: optuna.Study) -> Any:
    return study.get_trials(deepcopy=False)[-1]


def test_a_process_elsewhere_lives_as_long_as_its_heartbeat_changes(tmp_path: Path) -> None:
    study, clock = study_in(tmp_path), Clock()
    of_another(study, 0)
    with Runner(study, tmp_path, 10, clock=clock) as runner:
        for beat in range(1, 5):
            assert runner.lives(latest(study))
            clock.now += 10 * BEATS_MISSED - 1
            of_another(study, beat)
        assert runner.lives(latest(study))
        clock.now += 10 * BEATS_MISSED + 1
        assert not runner.lives(latest(study))


def test_a_trial_without_an_owner_is_given_the_same_time(tmp_path: Path) -> None:
    study, clock = study_in(tmp_path), Clock()
    study.ask()
    with Runner(study, tmp_path, 10, clock=clock) as runner:
        assert runner.lives(latest(study))
        clock.now += 10 * BEATS_MISSED + 1
        assert not runner.lives(latest(study))


def test_a_trial_that_was_let_go_is_free_and_ones_own_is_not(tmp_path: Path) -> None:
    study = study_in(tmp_path)
    trial = study.ask()
    with Runner(study, tmp_path, 10) as runner:
        runner.claim(trial)
        assert runner.has(latest(study)) and runner.lives(latest(study))
        runner.let_go(trial)
        assert not runner.has(latest(study)) and not runner.lives(latest(study))


def test_heartbeats_are_written_while_it_lives_and_its_end_is_said(tmp_path: Path) -> None:
    study = study_in(tmp_path)
    with Runner(study, tmp_path, 0.05) as runner:
        key = f"{RUNNER}:{runner.id}"
        end = time.monotonic() + 20
        while study.user_attrs[key]["beat"] < 2 and time.monotonic() < end:
            time.sleep(0.02)
        assert study.user_attrs[key]["beat"] >= 2
    assert study.user_attrs[key]["beat"] == -1


def hold(folder: Path) -> None:
    study = study_in(folder)
    with Runner(study, folder, 1000) as runner:
        runner.claim(study.ask())
        (folder / "held").touch()
        time.sleep(60)


def test_on_one_machine_a_death_is_known_at_once(tmp_path: Path) -> None:
    with child(lambda: hold(tmp_path), tmp_path / "log.txt") as pid:
        while not (tmp_path / "held").exists():
            time.sleep(0.01)
        study = study_in(tmp_path)
        with Runner(study, tmp_path, 1000) as runner:
            assert runner.lives(latest(study))
            with pytest.raises(SettingsError, match=r"study\.join=true works beside it"):
                runner.be_alone(print)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            assert not runner.lives(latest(study))
            runner.be_alone(print)


def test_who_wants_to_be_alone_watches_a_process_elsewhere_for_a_while(tmp_path: Path) -> None:
    study, said = study_in(tmp_path), list[str]()
    of_another(study, 3)
    with Runner(study, tmp_path, 0.05, alone=True) as runner:
        runner.be_alone(said.append)
        assert said == ["waiting 0 s at most for a sign of life from elsewhere"]
        assert not runner.lives(latest(study))

    class Beating(Runner):
        def _beat_of(self, runner: str) -> Any:
            of_another(study, 4)
            return super()._beat_of(runner)

    with (
        Beating(study, tmp_path, 1, alone=True) as runner,
        pytest.raises(SettingsError, match="process 1 on elsewhere works on this study"),
    ):
        runner.be_alone(said.append)
