"""How a sweep stands is told from its files, whoever runs it, or nobody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sweep.runs import small

from lora_sweep.results.store import Store
from lora_sweep.results.trial_record import TrialRecord, TrialState
from lora_sweep.sweep.cluster import attempts
from lora_sweep.sweep.cluster.ledger import read_job, write_batch
from lora_sweep.sweep.cluster.units import JobUnits
from lora_sweep.sweep.request import TrialRequest, resolve_request
from lora_sweep.sweep.status import main
from lora_sweep.sweep.unit import units_of

Roots = Callable[[str], Path]


@pytest.fixture
def submitted(new_root: Roots) -> tuple[Path, list[TrialRequest]]:
    root = new_root("results")
    requests = [resolve_request(small(root, seed=seed)) for seed in range(3)]
    jobs = [JobUnits((unit,)) for unit in units_of(requests, root)[0]]
    batch = write_batch(Store(root).cluster, "slurm", jobs, 3)
    batch.submitted({0: "7_0", 1: "7_1"})
    return root, requests


def test_before_anything_has_begun_the_jobs_are_known(
    submitted: tuple[Path, list[TrialRequest]], capsys: pytest.CaptureFixture[str]
) -> None:
    root, requests = submitted
    assert main([str(root)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[:2] == ["3 trials: 3 waiting; 0 steps are saved", "jobs that are not over:"]
    assert [line.split(":")[0].strip() for line in told[2:4]] == ["7_0", "7_1"]
    assert all(line.endswith("waits for a machine") for line in told[2:4])
    assert told[4].endswith("not submitted") and any(r.id in told[4] for r in requests)


def test_running_failed_and_stopped_ones_are_named_with_what_is_known(
    submitted: tuple[Path, list[TrialRequest]], capsys: pytest.CaptureFixture[str]
) -> None:
    root, requests = submitted
    store = Store(root)
    (folder,) = store.cluster.batches()
    first = read_job(folder.job(0))
    attempts.begin(first, [], {"host": "node17"})
    attempts.stopped(first, "the job's time is up")
    job = read_job(folder.job(1))
    attempts.begin(job, [], {"host": "node18"})
    (running,) = job.units[0].trials
    other = next(r.id for r in requests if r.id not in (running, *first.units[0].trials))
    for trial, state, error in ((running, "running", None), (other, "failed", "no memory")):
        record = TrialRecord(trial, state=TrialState(state), steps=4, error=error)
        store.trial(trial).create().write_record(record)
    store.trial(running).metrics.write_text('{"step": 5, "loss": 0.5}\n')
    assert main([str(root)]) == 0
    told = capsys.readouterr().out
    assert told.startswith("2 trials: 1 running, 1 failed; 8 steps are saved")
    assert f"({running}): step 5" in told and "failed: no memory" in told
    assert "7_1: trial" in told and "began 0s ago on node18" in told


def test_a_folder_that_is_no_sweep_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "nothing")]) == 2
    assert "is no folder" in capsys.readouterr().err
