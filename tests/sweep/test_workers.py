"""Several processes train a sweep to the bytes of one, whatever becomes of a process."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from runs import child, record_of, rows_of, small, wait_for_step, weights_of

from lora_sweep.config.settings import AdamW, Evaluate, Settings
from lora_sweep.results.store import Store
from lora_sweep.sweep.request import TrialRequest, resolve_request
from lora_sweep.sweep.run import TrialResult, run_requests
from lora_sweep.sweep.unit import unit_from_plain, units_of

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

Roots = Callable[[str], Path]


def lengths(settings: Settings, *steps: int) -> list[Settings]:
    return [replace(settings, train=replace(settings.train, max_train_steps=n)) for n in steps]


def sweep(root: Path, *steps: int) -> list[TrialRequest]:
    """Two families, one for each seed; the trials of a seed share the steps before a pivot."""
    train = {"checkpoint_every": 2, "batch_size": 1}
    settings = small(root, "pivotal", train=train, evaluate=Evaluate(loss_timesteps=1))
    trials = [trial for seed in (0, 1) for trial in lengths(replace(settings, seed=seed), *steps)]
    return [resolve_request(trial) for trial in trials]


def outcomes(results: list[TrialResult]) -> list[Any]:
    return [
        (r.record.id, r.record.state, r.record.scores, rows_of(r.folder), weights_of(r.folder))
        for r in results
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Callable[..., list[Any]]:
    """What the sweep comes to in one process."""
    known: dict[tuple[int, ...], list[Any]] = {}

    def get(*steps: int) -> list[Any]:
        if steps not in known:
            root = tmp_path_factory.mktemp("whole")
            (root / "cache").symlink_to(shared_cache)
            known[steps] = outcomes(run_requests(sweep(root, *steps), Store(root)))
        return known[steps]

    return get


def holder(root: Path, trial: str) -> int | None:
    """The process that works, or last worked, on a trial."""
    try:
        return int(json.loads((root / "runs" / trial / ".lock").read_text())["pid"])
    except (OSError, ValueError, KeyError):
        return None


@contextlib.contextmanager
def killing(root: Path, trial: str, at_step: int, most: int) -> Iterator[list[int]]:
    """SIGKILL processes that work on a trial and have reached a step of it; yields their ids."""
    killed: list[int] = []
    over = threading.Event()
    metrics = root / "runs" / trial / "metrics.jsonl"

    def reached() -> bool:
        return at_step == 0 or (metrics.is_file() and f'"step": {at_step},' in metrics.read_text())

    def watch() -> None:
        while not over.is_set() and len(killed) < most:
            pid = holder(root, trial)
            # At the end of its patience the parent holds the lock itself.
            if pid not in (None, os.getpid(), *killed) and reached():
                assert pid is not None
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                killed.append(pid)
            time.sleep(0.002)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def workers_of(pid: int) -> list[int]:
    """Worker processes whose parent is `pid`; other tests may have left a browser open."""
    found: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            is_child = int(stat.read_text().rsplit(")", 1)[1].split()[1]) == pid
            if is_child and b"lora_sweep" in (stat.parent / "cmdline").read_bytes():
                found.append(int(stat.parent.name))
    return found


def ends_within(pids: list[int], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not any(Path(f"/proc/{pid}").exists() for pid in pids):
            return True
        time.sleep(0.05)
    return False


def test_a_unit_is_the_same_after_its_way_as_json(root: Path) -> None:
    requests = sweep(root, 4, 6)
    units, saved = units_of(requests, root, "a sweep")
    assert len(units) == 2 and saved == 4
    for unit in units:
        assert unit_from_plain(json.loads(json.dumps(unit.to_plain()))) == unit


def test_a_worker_killed_on_the_way_is_replaced_and_two_workers_leave_the_bytes_of_one(
    new_root: Roots, whole: Callable[..., list[Any]], capfd: pytest.CaptureFixture[str]
) -> None:
    root = new_root("two")
    requests = sweep(root, 8, 12)
    with killing(root, requests[1].id, at_step=5, most=1) as killed:
        results = run_requests(requests, Store(root), workers=2)
    assert outcomes(results) == whole(8, 12)
    said = capfd.readouterr().err
    assert len(killed) == 1 and "killed by SIGKILL (time 1 of 3)" in said
    assert "going on from step" in said
    assert workers_of(os.getpid()) == []


def test_a_family_that_kills_its_worker_three_times_is_recorded_and_the_rest_go_on(
    new_root: Roots, capfd: pytest.CaptureFixture[str]
) -> None:
    root = new_root("deadly")
    requests = sweep(root, 2)
    with killing(root, requests[0].id, at_step=0, most=9) as killed:
        bad, good = run_requests(requests, Store(root), workers=2)
    assert len(killed) == 3 and bad.failed and not good.failed
    record = record_of(bad.folder)
    assert record["state"] == "failed"
    assert record["error"].startswith("its worker died 3 times; the last time it was killed by SIG")
    assert "available are" in record["error"]
    assert f"{requests[0].name}: failed: its worker died 3 times" in capfd.readouterr().err


def test_ctrl_c_on_the_terminal_ends_the_step_of_every_worker_and_saves_it(
    new_root: Roots, tmp_path: Path, whole: Callable[..., list[Any]]
) -> None:
    root, log = new_root("interrupted"), tmp_path / "log"
    requests = sweep(root, 8, 12)

    def work() -> None:
        os.setpgid(0, 0)
        with contextlib.suppress(KeyboardInterrupt):
            run_requests(requests, Store(root), workers=2)
            return
        os._exit(130)

    with child(work, log) as pid:
        wait_for_step(root, 3)
        os.killpg(pid, signal.SIGINT)  # as a terminal does: to all that it has in its foreground
        _, status = os.waitpid(pid, 0)
    said = log.read_text()
    assert os.waitstatus_to_exitcode(status) == 130, said
    assert "stopping after this step" in said and "0 of 4 trials are done, 4 are left" in said
    assert "Traceback" not in said
    # On a busy machine the second worker may not have begun.
    records = [record_of(path.parent) for path in root.glob("runs/*/trial.json")]
    waiting = [r for r in records if r["error"] == "interrupted"]
    assert waiting and {r["state"] for r in records} == {"waiting"}
    for record in waiting:
        steps = [row["step"] for row in rows_of(root / "runs" / record["id"])]
        assert steps[-1] == record["steps"]
    # One that was asked between two segments has no step to speak of.
    assert re.search(r"[1-9]\d* of 32 steps are taken and saved", said), said
    assert outcomes(run_requests(requests, Store(root), workers=1)) == whole(8, 12)


def test_a_second_ctrl_c_ends_all_workers_at_once_and_loses_the_step_alone(
    new_root: Roots, tmp_path: Path
) -> None:
    root = new_root("at once")
    long_steps = {"gradient_accumulation_steps": 128, "batch_size": 1, "checkpoint_every": 1}
    settings = small(root, "frozen", train=long_steps)
    requests = [resolve_request(replace(settings, seed=seed)) for seed in (0, 1)]

    def work() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            run_requests(requests, Store(root), workers=2)
            return
        os._exit(130)

    with child(work, tmp_path / "log") as pid:
        wait_for_step(root, 1)
        workers = workers_of(pid)
        for _ in range(2):
            os.kill(pid, signal.SIGINT)
            time.sleep(0.2)
        _, status = os.waitpid(pid, 0)
    said = (tmp_path / "log").read_text()
    assert os.waitstatus_to_exitcode(status) == 130 and "Traceback" not in said, said
    assert len(workers) == 2 and ends_within(workers, 1)
    for path in root.glob("runs/*/trial.json"):
        record = record_of(path.parent)
        assert record["steps"] < 6 and record["state"] in ("waiting", "running")
        assert len(rows_of(path.parent)) in (record["steps"], record["steps"] + 1)


def test_workers_stop_once_so_many_trials_have_diverged(
    new_root: Roots, capfd: pytest.CaptureFixture[str]
) -> None:
    root = new_root("diverging")
    settings = small(root, "frozen", train={"batch_size": 1}, optimizer=AdamW(lr=1e30))
    requests = [resolve_request(replace(settings, seed=seed)) for seed in range(4)]
    results = run_requests(requests, Store(root), workers=2, max_failures=1)
    states = [result.record.state.value for result in results]
    assert "diverged" in states and "waiting" in states and set(states) <= {"diverged", "waiting"}
    said = capfd.readouterr().err
    assert "the loss is nan at step 2; optimizer=adamw, lr=1e+30" in said
    assert "failed or diverged and sweep.max_failures=1; run the same command again" in said


def test_workers_whose_parent_is_killed_end_their_step_save_it_and_go(
    new_root: Roots, tmp_path: Path
) -> None:
    root = new_root("orphans")
    requests = sweep(root, 200)
    with child(lambda: run_requests(requests, Store(root), workers=2), tmp_path / "log") as pid:
        wait_for_step(root, 3)
        workers = workers_of(pid)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert len(workers) == 2 and ends_within(workers, 30)
    begun = [record_of(path.parent) for path in root.glob("runs/*/trial.json")]
    assert begun and {record["state"] for record in begun} == {"waiting"}
    # On a busy machine the second worker may have been before its first step.
    assert any(record["steps"] >= 3 for record in begun if record["error"])


def test_two_sweeps_at_once_on_one_folder_train_each_trial_once_and_both_see_all(
    new_root: Roots, tmp_path: Path, whole: Callable[..., list[Any]]
) -> None:
    root = new_root("shared")
    requests = sweep(root, 8, 12)
    logs = [tmp_path / "first", tmp_path / "second"]

    def work(number: int) -> Callable[[], None]:
        def run() -> None:
            some = requests if number == 0 else requests[::-1]
            results = run_requests(some, Store(root))
            assert not any(result.failed for result in results)
            print("all done")

        return run

    with child(work(0), logs[0]) as first, child(work(1), logs[1]) as second:
        for pid in (first, second):
            assert os.waitpid(pid, 0)[1] == 0, [log.read_text() for log in logs]
    told = [log.read_text() for log in logs]
    assert all("all done" in each for each in told)
    for request in requests:
        assert sum(each.count(f"{request.name}: done in") for each in told) == 1
    assert outcomes(run_requests(requests, Store(root))) == whole(8, 12)
