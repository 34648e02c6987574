from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_sweeps import Made

from lora_sweep.errors import StoreError
from lora_sweep.results.report.read import Found, read_sweep_file
from lora_sweep.results.report.write import find_sweep, write_report
from lora_sweep.results.summary import FORMAT


def found_in(made: Made) -> Found:
    return find_sweep(made.folder, made.store)


def rewrite(path: Path, **changes: Any) -> None:
    content = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(content | changes), "utf-8")


def test_a_sweep_is_its_trials_by_what_varies_repeats_together(made: Made) -> None:
    found = found_in(made)
    assert [(axis.name, axis.values) for axis in found.axes] == [
        ("optimizer", ("prodigy", "adamw")),
        ("rank", (4, 16, 64)),
        ("seed", (0, 1, 2)),
    ]
    assert found.groups[:2] == ((0, 1, 2), (3, 4, 5))
    assert found.title == "optimizer, rank"
    assert [trial.state for trial in found.trials].count("done") == 17
    assert found.trials[-1].scores == {}
    assert found.trials[0].curves.lines["loss"][0][-1] == 120


def test_a_sweep_has_the_name_it_was_given(own: Made) -> None:
    rewrite(own.folder.sweep, name="ranks", fixed=["optimizer=prodigy"])
    found = found_in(own)
    assert (found.title, found.fixed) == ("ranks", ("optimizer=prodigy",))


def test_trials_not_yet_begun_wait(own: Made) -> None:
    content = json.loads(own.folder.sweep.read_text("utf-8"))
    content["trials"].append({"id": "ffffffffffff", "overrides": ["rank=99", "seed=0"]})
    own.folder.sweep.write_text(json.dumps(content), "utf-8")
    last = found_in(own).trials[-1]
    assert (last.state, last.settings, last.samples) == ("waiting", {}, ())
    write_report(own.folder, own.store)


@pytest.mark.parametrize(
    "file", ["trial.json", "config.yaml", "metrics.jsonl", "samples/samples.json"]
)
def test_a_damaged_file_spoils_its_own_trial_alone_and_is_said(own: Made, file: str) -> None:
    damaged = own.store.trial("000000000001").path / file
    damaged.write_bytes(b"{\x00[")
    first, *others = found_in(own).trials
    if file != "metrics.jsonl":  # of which a killed process may leave a part
        assert first.state == "unreadable"
        assert first.problem is not None and damaged.name in first.problem
    assert all(trial.state == "done" for trial in others)
    assert write_report(own.folder, own.store).stat().st_size > 10_000


def test_pictures_that_are_missing_or_cut_are_counted_and_the_rest_shown(own: Made) -> None:
    samples = own.store.trial("000000000001").samples
    first, second, *_ = sorted(samples.glob("*.png"))
    first.unlink()
    second.write_bytes(second.read_bytes()[:60])
    page = write_report(own.folder, own.store).read_text("utf-8")
    assert "2 pictures are listed in samples.json and cannot be read" in page


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "its format is None"),
        ('{"format": "1"}', "its format is '1'"),
        ("{", "cannot be read"),
        ('{"format": 1, "trials": [{"id": "a"}]}', "a trial without 'overrides'"),
        ('{"format": 1, "trials": 5}', "is damaged"),
        (json.dumps({"format": FORMAT + 1}), "written by a newer lora_sweep"),
    ],
)
def test_a_sweep_file_that_cannot_be_used_is_refused(own: Made, content: str, message: str) -> None:
    own.folder.sweep.write_text(content, "utf-8")
    with pytest.raises(StoreError, match=message):
        read_sweep_file(own.folder.sweep)
