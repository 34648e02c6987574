"""SIGKILL at any moment, the same call again: the study is the one that nobody disturbed."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
from made_studies import Pretend, ended_well, run, settings_of, told
from runs import child

from lora_sweep.config.study import Method, Study

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

TRIALS = 30
STUDIES = {
    "tpe and hyperband": settings_of(
        trials=TRIALS,
        pruner=Method("hyperband", {"min_resource": 10}),
        sampler=Method("tpe", {"n_startup_trials": 5}),
    ),
    "gp and median": settings_of(
        trials=12,
        pruner=Method("median", {"n_startup_trials": 2}),
        sampler=Method("gp", {"n_startup_trials": 3}),
    ),
    "nsgaii": settings_of(trials=TRIALS, sampler=Method("nsgaii", {"population_size": 5})),
    "qmc and halving": settings_of(
        trials=TRIALS,
        pruner=Method("successive_halving", {"min_resource": 10}),
        sampler=Method("qmc"),
    ),
}


def kill_somewhere(root: Path, study: Study, seconds: float, log: Path) -> bool:
    """Kill the study after so long; False if it had ended."""
    with child(lambda: run(root, study, Pretend(seconds=0.02)), log) as pid:
        time.sleep(seconds)
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            assert status == 0, log.read_text(encoding="utf-8")
            return False
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return True


@pytest.mark.parametrize(
    "name",
    [
        "tpe and hyperband",
        *(pytest.param(name, marks=pytest.mark.slow) for name in list(STUDIES)[1:]),
    ],
)
def test_a_study_killed_five_times_ends_with_the_trials_of_the_undisturbed_one(
    name: str, tmp_path: Path
) -> None:
    study, log, chance = STUDIES[name], tmp_path / "log.txt", random.Random(name)
    began = time.monotonic()
    run(tmp_path / "whole", study, Pretend(seconds=0.02))
    span = time.monotonic() - began  # of this machine; five parts of it seldom make the whole
    killed = tmp_path / "killed"
    parts = [chance.uniform(0.05, 0.25) for _ in range(5)]
    kills = sum(kill_somewhere(killed, study, part * span, log) for part in parts)
    assert kills >= 3, "the study was hardly ever killed in time"
    with child(lambda: run(killed, study), log) as pid:
        ended_well(pid, log)
    assert told(killed, study) == told(tmp_path / "whole", study)
