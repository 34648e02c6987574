"""A family trained by several workers, each a part of it, leaves the bytes of one."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sweep.runs import count_steps, record_of, rows_of, small, weights_of

from lora_sweep.config.settings import Evaluate
from lora_sweep.results.board import Board, BoardTrial, Reporter
from lora_sweep.results.checkpoint import PIN, checkpoint_steps, unpin
from lora_sweep.results.store import Store
from lora_sweep.results.trial_record import TrialState
from lora_sweep.sweep.cluster.parts import Part, cut
from lora_sweep.sweep.cluster.units import unit_of_part
from lora_sweep.sweep.interrupt import Interrupt
from lora_sweep.sweep.request import TrialRequest, resolve_request
from lora_sweep.sweep.run import run_requests
from lora_sweep.sweep.stages import spec_of
from lora_sweep.sweep.tree import build_tree
from lora_sweep.sweep.unit import unit_from_plain

Roots = Callable[[str], Path]

pytestmark = pytest.mark.usefixtures("one_base")


def family_of(root: Path, steps: Sequence[int] = (4, 6, 8)) -> list[TrialRequest]:
    """Pivotal trials, which part at their pivots after a half."""
    train = {"checkpoint_every": 1, "checkpoints_kept": 1, "batch_size": 1}
    settings = small(root, "pivotal", train=train, evaluate=Evaluate(loss_timesteps=1))
    return [
        resolve_request(replace(settings, train=replace(settings.train, max_train_steps=count)))
        for count in steps
    ]


def outcomes(root: Path, requests: Sequence[TrialRequest]) -> list[Any]:
    folders = [root / "runs" / request.id for request in requests]
    return [
        (record_of(f)["state"], record_of(f)["scores"], rows_of(f), weights_of(f)) for f in folders
    ]


_known: list[Any] = []


@pytest.fixture
def whole(new_root: Roots, one_base: None) -> list[Any]:
    """What the family comes to in one piece."""
    if not _known:
        root = new_root("whole")
        run_requests(family_of(root), Store(root))
        _known.extend(outcomes(root, family_of(root)))
    return _known


def train(parts: Sequence[Part], requests: Sequence[TrialRequest], root: Path) -> None:
    """Each part by a worker of its own, which has the results folder and the unit alone."""
    from lora_sweep.sweep.trainer import Trainer

    by_id = {request.id: request for request in requests}
    for part in parts:
        unit = unit_of_part(part, by_id, root)
        unit = unit_from_plain(json.loads(json.dumps(unit.to_plain())))
        shown = [BoardTrial(trial, trial, 8) for trial in unit.trials]
        board = Board(shown, unit.steps)
        board.began(0, unit.steps)
        assert Trainer(Interrupt()).train(unit, Reporter(board), blocking=False) == {}


@pytest.mark.parametrize("anywhere", [False, True], ids=["at forks", "anywhere"])
def test_parts_leave_the_bytes_of_the_whole_and_train_no_step_twice(
    new_root: Roots, whole: list[Any], monkeypatch: pytest.MonkeyPatch, anywhere: bool
) -> None:
    root = new_root("parts")
    requests = family_of(root)
    (family,) = build_tree(spec_of(request) for request in requests).families
    work = [float(len(segment.steps)) for segment in family.segments]
    parts = cut(family, work, 2.0, within_segments=anywhere)
    assert len(parts) == (7 if anywhere else 3)
    taken = count_steps(monkeypatch)
    train(parts, requests, root)
    assert len(taken) == family.steps_in_tree
    assert outcomes(root, requests) == whole


def test_a_part_that_comes_too_early_trains_all_by_itself(
    new_root: Roots, whole: list[Any]
) -> None:
    root = new_root("early")
    requests = family_of(root)
    (family,) = build_tree(spec_of(request) for request in requests).families
    parts = cut(family, [float(len(s.steps)) for s in family.segments], 0.0)
    train(parts[::-1], requests, root)
    assert outcomes(root, requests) == whole


def test_a_state_for_others_stays_until_it_is_let_go(new_root: Roots) -> None:
    root = new_root("pinned")
    requests = family_of(root)
    (family,) = build_tree(spec_of(request) for request in requests).families
    parts = cut(family, [float(len(s.steps)) for s in family.segments], 0.0)
    train(parts[:1], requests, root)
    owner = Store(root).trial(requests[-1].id).checkpoints
    assert checkpoint_steps(owner) == [2, 3, 8]
    assert [step for _, step in parts[0].leaves] == [2, 3]
    assert (owner / "step-000002" / PIN).is_file()
    unpin(owner, 2, keep=1)
    assert checkpoint_steps(owner) == [3, 8]


def test_a_trial_that_is_carried_a_part_of_its_way_waits_and_is_not_measured(
    new_root: Roots,
) -> None:
    root = new_root("carried")
    requests = family_of(root, (8,))
    (family,) = build_tree(spec_of(request) for request in requests).families
    work = [float(len(segment.steps)) for segment in family.segments]
    parts = cut(family, work, 3.0, within_segments=True)
    train(parts[:1], requests, root)
    folder = root / "runs" / requests[0].id
    record = record_of(folder)
    assert record["state"] == TrialState.waiting.value
    assert record["error"] == "another worker goes on with it"
    assert [row["step"] for row in rows_of(folder)] == list(range(1, record["steps"] + 1))
