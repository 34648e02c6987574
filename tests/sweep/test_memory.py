"""What a trial is expected to need in memory, by the best that is known."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from keyed import finish
from runs import small

from lora_sweep.config.settings import Lora, Model
from lora_sweep.results.store import Store
from lora_sweep.sweep.cost.keys import finish_key, phases, step_key
from lora_sweep.sweep.cost.machine import this_machine
from lora_sweep.sweep.cost.peak import computed_peak
from lora_sweep.sweep.cost.records import Records, StepCost
from lora_sweep.sweep.memory import gib, predicted_memory
from lora_sweep.sweep.request import Resolver, TrialRequest
from lora_sweep.sweep.run import run_requests


def request_of(root: Path, te_mode: str = "pivotal", rank: int = 2) -> TrialRequest:
    return Resolver().resolve(small(root, te_mode, lora=Lora(rank=rank)))


def calibrated(root: Path, request: TrialRequest, memory: int) -> None:
    records = Records(Store(root), this_machine())
    for trains in phases(request):
        records.write(StepCost(step_key(request, trains), 2.0, 1.0, memory + trains, "today"))


def test_without_measurements_it_is_what_can_be_computed(tmp_path: Path) -> None:
    request = request_of(tmp_path)
    computed = computed_peak(request.settings, "cpu")
    assert computed is not None and predicted_memory(request) == computed.total
    calibrated(tmp_path, request, 500)
    assert predicted_memory(request_of(tmp_path, rank=4)) != 501, "of another rank it tells nothing"


def test_calibrations_of_the_same_steps_tell(tmp_path: Path) -> None:
    request = request_of(tmp_path)
    calibrated(tmp_path, request, 500)
    assert predicted_memory(request) == 501, "before the pivot, where it is more"
    beside = replace(finish(memory=900), key=finish_key(request))
    Records(Store(tmp_path), this_machine()).write(beside)
    assert predicted_memory(request) == 900, "the measures, where they take more"


def test_other_ranks_lie_between_those_that_were_measured(tmp_path: Path) -> None:
    calibrated(tmp_path, request_of(tmp_path, rank=2), 200)
    calibrated(tmp_path, request_of(tmp_path, rank=6), 600)
    assert predicted_memory(request_of(tmp_path, rank=4)) == 401


def test_trials_that_were_trained_here_tell(root: Path) -> None:
    train = {"max_train_steps": 45, "log_every": 5}
    request = Resolver().resolve(small(root, "frozen", train=train))
    (result,) = run_requests([request], Store(root))
    rows = map(json.loads, (result.folder / "metrics.jsonl").read_text().splitlines())
    peak = max(row.get("memory_gib", 0.0) for row in rows)
    assert peak > 0
    assert predicted_memory(request) == round(peak * 2**30)


def test_of_a_base_that_is_not_known_nothing_is_predicted(tmp_path: Path) -> None:
    request = request_of(tmp_path)
    model = Model(name="other", path="owner/name")
    there = replace(request, settings=replace(request.settings, model=model), base_hash="there")
    assert predicted_memory(there) is None


def test_damaged_records_predict_nothing_and_raise_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    request = request_of(tmp_path)
    calibrated(tmp_path, request, 500)
    for path in tmp_path.rglob("*.json"):
        path.write_text("{")
    computed = predicted_memory(request_of(tmp_path / "elsewhere"))
    assert predicted_memory(request) == computed
    assert capfd.readouterr() == ("", "")


def test_predicting_imports_no_torch() -> None:
    code = "import sys, lora_sweep.sweep.memory; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=os.environ, timeout=60).returncode == 0


@pytest.mark.parametrize(
    ("size", "shown"), [(None, "unknown"), (3 * 2**20, "3 MiB"), (3 * 2**29, "1.5 GiB")]
)
def test_sizes_are_written_for_people(size: int | None, shown: str) -> None:
    assert gib(size) == shown
