"""A trial that pauses at a step is measured there, and goes on as if it had not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from runs import PIVOT, STEPS, count_steps, record_of, rows_of, small, weights_of

from lora_sweep.config.settings import Evaluate, Train
from lora_sweep.results.store import Store
from lora_sweep.sweep.request import TrialRequest, resolve_request
from lora_sweep.sweep.run import run_requests
from lora_sweep.sweep.stages import spec_of, stages
from lora_sweep.sweep.unit import unit_from_plain, units_of

pytestmark = pytest.mark.usefixtures("one_base")

Roots = Callable[[str], Path]


def request_in(root: Path, steps: int = STEPS) -> TrialRequest:
    settings = small(root, "pivotal", evaluate=Evaluate(loss_timesteps=1))
    train = Train(max_train_steps=steps, batch_size=2, log_every=1, checkpoints_kept=9)
    return resolve_request(replace(settings, train=train))


def up_to(request: TrialRequest, step: int) -> TrialRequest:
    return replace(request, stop_step=step)


def of_steps(folder: Path) -> list[object]:
    return [row for row in rows_of(folder) if "loss" in row]


@pytest.mark.parametrize("stops", [(2,), (PIVOT,), (1, 5)])
def test_pauses_change_neither_weights_nor_rows(
    stops: tuple[int, ...], new_root: Roots, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = new_root("whole")
    (whole,) = run_requests([request_in(first)], Store(first))
    root = new_root("paused")
    request, seen = request_in(root), count_steps(monkeypatch)
    for stop in stops:
        (paused,) = run_requests([up_to(request, stop)], Store(root))
        record = record_of(paused.folder)
        assert (record["state"], record["steps"], record["error"]) == ("waiting", stop, None)
        measured = [row["step"] for row in rows_of(paused.folder) if "val_loss" in row]
        assert measured[-1] == stop and not weights_of(paused.folder)
    (done,) = run_requests([request], Store(root))
    assert seen == list(range(STEPS))
    assert weights_of(done.folder) == weights_of(whole.folder)
    assert of_steps(done.folder) == of_steps(whole.folder)
    measured = [row["step"] for row in rows_of(done.folder) if "val_loss" in row]
    assert measured == [*stops, STEPS]
    assert done.record.scores == whole.record.scores


def test_where_it_has_paused_already_nothing_is_done(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_in(root)
    run_requests([up_to(request, 4)], Store(root))
    before, seen = rows_of(root / "runs" / request.id), count_steps(monkeypatch)
    for stop in (4, 4):
        run_requests([up_to(request, stop)], Store(root))
    assert seen == [] and rows_of(root / "runs" / request.id) == before


def test_a_longer_trial_goes_on_from_where_a_shorter_one_has_paused(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_requests([up_to(request_in(root), 2)], Store(root))
    seen = count_steps(monkeypatch)
    run_requests([up_to(request_in(root, 2 * STEPS), 4)], Store(root))
    assert seen == [2, 3]


def test_what_a_pausing_trial_is_travels_to_workers(root: Path) -> None:
    request = up_to(request_in(root), 2)
    ((unit,), _) = units_of([request], root)
    assert unit_from_plain(unit.to_plain()).requests[0].stop_step == 2
    assert unit.steps == 2


def test_stages_of_a_pausing_trial_have_the_keys_of_the_whole_one(root: Path) -> None:
    request = request_in(root)
    whole, part = stages(spec_of(request)), stages(spec_of(up_to(request, PIVOT + 1)))
    assert [each.key for each in part] == [each.key for each in whole]
    assert part[-1].stop == PIVOT + 1
    assert stages(spec_of(up_to(request, PIVOT)))[-1] == whole[0]
