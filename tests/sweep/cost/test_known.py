"""When a plan measures, whom, and what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from runs import small
from told import Told

from lora_sweep.config.settings import AdamW, Model, Prodigy
from lora_sweep.config.sweep import Calibrate
from lora_sweep.results.store import Store
from lora_sweep.sweep.cost import known
from lora_sweep.sweep.cost.choose import candidates_of
from lora_sweep.sweep.cost.known import Known, measured_costs, needs_calibration
from lora_sweep.sweep.cost.machine import this_machine
from lora_sweep.sweep.cost.records import Records
from lora_sweep.sweep.request import Resolver, TrialRequest
from lora_sweep.sweep.stages import spec_of
from lora_sweep.sweep.tree import build_tree


def requests_of(root: Path, **changes: Any) -> list[TrialRequest]:
    resolver = Resolver()
    settings = [small(root, "pivotal", optimizer=o, **changes) for o in (AdamW(), Prodigy())]
    return [resolver.resolve(each) for each in settings]


def measure(
    root: Path,
    requests: Sequence[TrialRequest],
    calibrate: Calibrate = Calibrate.auto,
    calibrator: Told | None = None,
    **more: Any,
) -> tuple[Known, Told, list[str]]:
    by_id, said = {request.id: request for request in requests}, list[str]()
    tree = build_tree(spec_of(request) for request in requests)
    calibrator = calibrator or Told()
    known = measured_costs(
        Store(root), requests, candidates_of(tree.families, by_id), calibrate, calibrator,
        said.append, **more,
    )  # fmt: skip
    return known, calibrator, said


def test_what_is_not_known_is_measured_and_kept(tmp_path: Path) -> None:
    requests = requests_of(tmp_path)
    known, calibrator, said = measure(tmp_path, requests)
    assert [sorted(each) for each in calibrator.asked] == [["adamw", "prodigy"]]
    assert calibrator.finishes == [True]
    assert said == ["calibrating: a few steps each of 4 kinds …"]
    assert len(list((tmp_path / "cache" / "calibration").rglob("*.json"))) == 5
    again, calibrator, said = measure(tmp_path, requests)
    assert (calibrator.asked, said) == ([], [])
    assert again.steps.known() == known.steps.known() and again.finishes == known.finishes


def test_a_new_setting_is_measured_and_nothing_else(tmp_path: Path) -> None:
    adamw, prodigy = requests_of(tmp_path)
    measure(tmp_path, [adamw])
    _, calibrator, _ = measure(tmp_path, [adamw, prodigy])
    assert (calibrator.asked, calibrator.finishes) == ([["prodigy"]], [False])


def test_trials_of_another_machine_are_mentioned_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "learned_costs", lambda *_: ([], 2))
    _, _, said = measure(tmp_path, requests_of(tmp_path), Calibrate.never)
    assert said == [
        "2 trials were trained elsewhere or with another torch, which tells nothing of time here"
    ]


def test_never_means_never(tmp_path: Path) -> None:
    requests = requests_of(tmp_path)
    known, calibrator, said = measure(tmp_path, requests, Calibrate.never)
    assert (calibrator.asked, said, known.steps.known()) == ([], [], set())
    assert list(tmp_path.iterdir()) == []


def test_always_measures_anew_and_longer(tmp_path: Path) -> None:
    requests = requests_of(tmp_path)
    _, before, _ = measure(tmp_path, requests)
    _, calibrator, _ = measure(tmp_path, requests, Calibrate.always)
    assert [sorted(each) for each in calibrator.asked] == [["adamw", "prodigy"]]
    assert calibrator.finishes == [True]
    assert calibrator.seconds[0] > before.seconds[0]


def test_always_falls_back_on_what_was_measured_before(tmp_path: Path) -> None:
    requests = requests_of(tmp_path)
    before, _, _ = measure(tmp_path, requests)
    known, _, _ = measure(tmp_path, requests, Calibrate.always, Told(failing=(1,)))
    assert known.steps.known() == before.steps.known()


def test_another_place_to_write_to_keeps_nothing(tmp_path: Path) -> None:
    root, scratch = tmp_path / "root", tmp_path / "scratch"
    known, calibrator, _ = measure(root, requests_of(root), scratch=scratch)
    assert calibrator.folder == scratch and known.steps.known()
    assert not root.exists()


def test_what_could_not_be_measured_is_said(tmp_path: Path) -> None:
    requests = requests_of(tmp_path)
    known, _, said = measure(tmp_path, requests, calibrator=Told(failing=(0,)))
    assert len(said) == 2 and "could not be calibrated" in said[1] and "no memory" in said[1]
    assert len(known.steps.known()) == 2
    _, _, said = measure(tmp_path, requests, calibrator=Told(failure="it was killed"))
    assert said[-1] == "calibration ended early: it was killed"


@pytest.mark.parametrize("path", ["large", "stabilityai/stable-diffusion-xl-base-1.0"])
def test_a_large_base_or_one_that_is_not_here_is_not_loaded_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    from lora_sweep.sweep import request

    monkeypatch.setattr(request, "base_hash", lambda *_, **__: "b" * 64)
    file = tmp_path / "large.safetensors"
    with file.open("wb") as handle:
        handle.truncate(2**31)
    place = str(file) if path == "large" else path
    requests = requests_of(tmp_path, model=Model(path=place, single_file=path == "large"))
    assert measure(tmp_path, requests)[1].asked == []
    asked = measure(tmp_path, requests, Calibrate.always)[1].asked
    assert bool(asked) is (path == "large")


def test_the_process_is_started_ahead_only_where_it_is_needed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert needs_calibration(store, Calibrate.auto)
    assert not needs_calibration(store, Calibrate.never)
    measure(tmp_path, requests_of(tmp_path))
    assert list(Records(store, this_machine()).own.iterdir())
    assert not needs_calibration(store, Calibrate.auto)
    assert needs_calibration(store, Calibrate.always)
