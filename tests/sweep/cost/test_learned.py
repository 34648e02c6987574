"""What trials that are done tell of the cost of steps."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from keyed import HERE
from runs import small

from lora_sweep.results.store import Store
from lora_sweep.results.trial_record import TrialRecord, TrialState
from lora_sweep.sweep.cost.keys import StepKey, phases, step_key
from lora_sweep.sweep.cost.learned import FEWEST_STEPS, learned_costs
from lora_sweep.sweep.cost.records import TRIALS, StepCost
from lora_sweep.sweep.lookup import settings_yaml
from lora_sweep.sweep.request import Resolver, TrialRequest

STEPS, PIVOT = 200, 100


def request_of(root: Path, **changes: Any) -> TrialRequest:
    train = {"max_train_steps": STEPS, "batch_size": 2}
    return Resolver().resolve(small(root, "pivotal", train=train, **changes))


def leave(
    request: TrialRequest,
    root: Path,
    *,
    state: TrialState = TrialState.done,
    torch: str = HERE.torch,
    host: str | None = None,
    before: float = 10.0,
    after: float = 20.0,
    every: int = 10,
) -> Path:
    """A trial on disk as a training leaves it: so many steps a second before and after its pivot,
    and a first group that waits.
    """
    folder = Store(root).trial(request.id).create()
    rows: list[dict[str, Any]] = []
    for step in range(1, STEPS + 1):
        row: dict[str, Any] = {"step": step, "loss": 0.1}
        if step % every == 0:
            pace = 1.0 if step == every else (before if step <= PIVOT else after)
            row |= {"steps_per_second": pace, "memory_gib": 0.5}
        rows.append(row)
    rows.append({"step": STEPS, "val_loss": 0.1})
    folder.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
    folder.config.write_text(settings_yaml(request.settings))
    folder.lock_file.write_text(json.dumps({"host": host or socket.gethostname(), "pid": 1}))
    folder.write_record(TrialRecord(request.id, state, steps=STEPS, versions={"torch": torch}))
    return folder.path


def learned(
    root: Path, *requests: TrialRequest, wanted: set[StepKey] | None = None
) -> tuple[dict[bool, StepCost], int]:
    """Costs by whether the text side trains, of the first request's kinds."""
    keys = {step_key(requests[0], trains) for trains in phases(requests[0])}
    costs, foreign = learned_costs(Store(root), requests, wanted or keys, HERE)
    return {cost.key.texts > 0: cost for cost in costs}, foreign


def test_a_done_trial_tells_its_pace_before_and_after_the_pivot(tmp_path: Path) -> None:
    request = request_of(tmp_path)
    leave(request, tmp_path)
    costs, _ = learned(tmp_path, request)
    assert {trains: cost.seconds for trains, cost in costs.items()} == {True: 0.1, False: 0.05}
    assert {cost.memory for cost in costs.values()} == {2**29}
    assert {cost.rows for cost in costs.values()} == {2.0}
    assert {cost.source for cost in costs.values()} == {TRIALS}


def test_a_group_that_waited_for_something_else_does_not_count(tmp_path: Path) -> None:
    request = request_of(tmp_path)
    path = leave(request, tmp_path) / "metrics.jsonl"
    lines = path.read_text().splitlines()
    lines[49] = json.dumps({"step": 50, "loss": 0.1, "steps_per_second": 0.01, "memory_gib": 0.5})
    path.write_text("\n".join(lines))
    assert learned(tmp_path, request)[0][True].seconds == 0.1


def test_trials_of_other_sweeps_tell_too_where_pictures_and_base_are_the_same(
    tmp_path: Path,
) -> None:
    leave(request_of(tmp_path, seed=5), tmp_path)
    request = request_of(tmp_path)
    assert set(learned(tmp_path, request)[0]) == {True, False}
    more = replace(request.settings.dataset, repeats=2)
    assert learned(tmp_path, request_of(tmp_path, dataset=more))[0] == {}


def test_of_several_trials_the_middle_one_counts(tmp_path: Path) -> None:
    for seed, pace in enumerate((8.0, 10.0, 40.0), start=1):
        leave(request_of(tmp_path, seed=seed), tmp_path, before=pace)
    assert learned(tmp_path, request_of(tmp_path))[0][True].seconds == 0.1


@pytest.mark.parametrize(
    "elsewhere", [{"torch": "1.0"}, {"host": "another"}], ids=lambda value: str(value)
)
def test_trials_of_another_machine_or_torch_are_passed_over_and_counted(
    tmp_path: Path, elsewhere: dict[str, Any]
) -> None:
    request = request_of(tmp_path)
    leave(request, tmp_path, **elsewhere)
    assert learned(tmp_path, request) == ({}, 1)


@pytest.mark.parametrize("state", [TrialState.running, TrialState.failed, TrialState.diverged])
def test_only_trials_that_are_done_tell(tmp_path: Path, state: TrialState) -> None:
    request = request_of(tmp_path)
    leave(request, tmp_path, state=state)
    assert learned(tmp_path, request) == ({}, 0)


def test_too_few_steps_tell_nothing(tmp_path: Path) -> None:
    request = request_of(tmp_path)
    leave(request, tmp_path, every=PIVOT - FEWEST_STEPS + 1)  # of the groups, one is of the start
    assert set(learned(tmp_path, request)[0]) <= {False}


def test_what_is_not_wanted_is_not_read(tmp_path: Path) -> None:
    request = request_of(tmp_path)
    leave(request, tmp_path)
    (wanted,) = [step_key(request, False)]
    assert set(learned(tmp_path, request, wanted={wanted})[0]) == {False}


@pytest.mark.parametrize("name", ["config.yaml", "metrics.jsonl", "trial.json", ".lock"])
@pytest.mark.parametrize("content", [None, "", "{", "[]", "\x00\xff"])
def test_damaged_files_tell_nothing_and_stop_nothing(
    tmp_path: Path, name: str, content: str | None
) -> None:
    folder = leave(request_of(tmp_path, seed=5), tmp_path)
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content, encoding="latin-1")
    assert learned(tmp_path, request_of(tmp_path))[0] == {}
