"""Sweeps on a real Ray: a killed worker costs what it had in hand, and the bytes are the same."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cluster.commands import PATIENCE, TWELVE, notes, outcomes, run, started, training, wait_until

pytestmark = [pytest.mark.ray, pytest.mark.timeout(1800)]

RAY = ("hydra/launcher=ray", "hydra.launcher.workers=2", "hydra.launcher.poll_seconds=0.5")
Roots = Callable[[str], Path]


def test_twelve_trials_with_a_killed_worker(
    new_root: Roots, tmp_path: Path, twelve: dict[str, Any]
) -> None:
    root, log = new_root("ray"), tmp_path / "log"
    with started(root, log, *TWELVE, *RAY) as process:
        first = wait_until(lambda: training(root), "task in training")
        os.kill(int(first["pid"]), signal.SIGKILL)
        assert process.wait(PATIENCE) == 0, log.read_text()
    said = log.read_text()
    assert f"job {first['id']}: " in said and "it is submitted again" in said
    assert "Traceback" not in said
    assert outcomes(root) == twelve
    began = [note["job"] for note in notes(root) if note["event"] == "began"]
    assert began.count(first["job"]) == 2


def test_more_than_the_cluster_has_and_an_address_where_nothing_is_are_refused(
    new_root: Roots,
) -> None:
    root = new_root("refused")
    status, said = run(root, *TWELVE, *RAY, "hydra.launcher.cpus=640")
    assert status == 1 and "asks for 640 of CPU, and all machines" in said, said
    status, said = run(root, *TWELVE, *RAY, "hydra.launcher.address=127.0.0.1:1")
    assert status == 1 and "hydra.launcher.address=127.0.0.1:1: Ray does not answer" in said, said
    assert "Traceback" not in said
