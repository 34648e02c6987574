"""Several processes at one study: nothing is lost, nothing is done twice, nobody fails another."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_studies import Pretend, ended_well, run, settings_of, trials_of
from optuna.trial import TrialState
from runs import child

from lora_sweep.config.study import Method, Study

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

TRIALS = 16


def joined(**changes: object) -> Study:
    pruner = Method("successive_halving", {"min_resource": 10})
    return settings_of(trials=TRIALS, pruner=pruner, join=True, heartbeat=1, **changes)


def work(root: Path, study: Study, luck: int) -> None:
    run(root, study, Pretend(luck=luck, seconds=0.05))


def all_are_told_once(root: Path, study: Study) -> None:
    trials = trials_of(root, study)
    assert [trial.number for trial in trials] == list(range(TRIALS))
    failed = [t.user_attrs.get("reason") for t in trials if t.state is TrialState.FAIL]
    assert failed == [] and all(trial.state.is_finished() for trial in trials)
    for trial in trials:
        metrics = root / "runs" / trial.user_attrs["trial"] / "metrics.jsonl"
        steps = [line for line in metrics.read_text().splitlines() if '"loss"' in line]
        assert len(steps) == len(set(steps))


def together(root: Path, study: Study, processes: int, tmp_path: Path, *, kill: bool) -> None:
    """Run the study in several processes; with kill, the first of them dies on the way."""
    with contextlib.ExitStack() as stack:
        logs = [tmp_path / f"log{number}.txt" for number in range(processes)]
        pids = [
            stack.enter_context(child(lambda n=n: work(root, study, n), log))  # type: ignore[misc]
            for n, log in enumerate(logs)
        ]
        if kill:
            end = time.monotonic() + 60
            while len(list(root.glob("runs/*/trial.json"))) < 4 and time.monotonic() < end:
                time.sleep(0.01)
            os.kill(pids[0], signal.SIGKILL)
            os.waitpid(pids[0], 0)
        for pid, log in list(zip(pids, logs, strict=True))[1 if kill else 0 :]:
            ended_well(pid, log)


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_processes_share_a_study_and_take_over_from_one_that_dies(
    kind: str, tmp_path: Path
) -> None:
    url = None if kind == "journal" else f"sqlite:///{tmp_path}/study.db"
    study = joined(storage=url)
    together(tmp_path / "results", study, 3, tmp_path, kill=True)
    all_are_told_once(tmp_path / "results", study)


def programs() -> Path | None:
    """Where Debian's PostgreSQL has its programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database on a server of its own, which listens on a socket file alone."""
    bin_ = programs()
    if bin_ is None:
        if os.environ.get("CI"):
            pytest.fail("PostgreSQL is not installed: apt-get install postgresql")
        pytest.skip("PostgreSQL is not installed")
    folder = Path(f"/tmp/lora-sweep-postgres-{os.getpid()}")  # a socket's path must be short
    folder.mkdir(mode=0o700)
    # The server refuses to run as root.
    other = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if other:
        shutil.chown(folder, "postgres")

    def call(*words: str) -> None:
        subprocess.run([*other, *words], check=True, capture_output=True, timeout=120, cwd=folder)

    data = folder / "data"
    try:
        call(str(bin_ / "initdb"), "-D", str(data), "-U", "me", "-A", "trust", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        call(str(bin_ / "pg_ctl"), "-D", str(data), "-o", options, "-w", "-l",
             str(folder / "log"), "start")  # fmt: skip
        try:
            yield f"postgresql+psycopg://me@/postgres?host={folder}"
        finally:
            call(str(bin_ / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.postgres
def test_several_processes_write_to_one_postgresql(postgres: str, tmp_path: Path) -> None:
    study = joined(storage=postgres, name="several")
    together(tmp_path / "results", study, 4, tmp_path, kill=True)
    all_are_told_once(tmp_path / "results", study)


@pytest.mark.postgres
def test_a_study_in_postgresql_is_the_one_in_a_journal(postgres: str, tmp_path: Path) -> None:
    from made_studies import told

    pruner = Method("hyperband", {"min_resource": 10})
    for name, url in (("there", postgres), ("here", None)):
        for trials in (5, 9):  # and goes on in another process' connection
            run(tmp_path / name, settings_of(trials=trials, pruner=pruner, storage=url))
    there = told(tmp_path / "there", settings_of(storage=postgres))
    assert there == told(tmp_path / "here", settings_of())
