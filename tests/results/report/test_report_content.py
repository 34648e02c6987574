from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_sweeps import Made, make_sweep

from lora_sweep.results.report.content import build_content, chosen_measure, curves_content
from lora_sweep.results.report.pictures import build_album
from lora_sweep.results.report.sources import find
from lora_sweep.results.report.write import find_sweep


def content_of(made: Made) -> dict[str, Any]:
    found = find_sweep(made.folder, made.store)
    return build_content(found, build_album(found), made.page.parent)


@pytest.fixture(scope="module")
def content(made: Made) -> dict[str, Any]:
    return content_of(made)


def test_it_is_json_without_numbers_that_json_has_not(content: dict[str, Any]) -> None:
    again = json.loads(json.dumps(content, allow_nan=False))
    assert again["trials"] == content["trials"]


def test_the_best_by_val_loss_is_named_with_how_sure_that_is(content: dict[str, Any]) -> None:
    assert content["measure"] == "val_loss"
    best = content["verdicts"]["val_loss"]["standings"][0]
    k = content["groups"][best["group"]][0]
    assert content["trials"][k]["values"][:2] == ["prodigy", 16]
    assert best["chance"] > 0.95
    assert content["verdicts"]["val_loss"]["floor"] > 0
    assert "fit_loss" not in content["verdicts"]  # no direction is better
    assert [m["name"] for m in content["measures"]][:3] == ["val_loss", "fit_loss", "gap"]


def test_a_failed_trial_has_its_reason_and_no_scores(content: dict[str, Any]) -> None:
    failed = content["trials"][-1]
    assert failed["state"] == "failed"
    assert failed["reason"].startswith("out of memory")
    assert failed["scores"] == {} and failed["samples"] == []
    assert content["states"] == {"done": 17, "failed": 1}


def test_a_trial_has_its_command_and_the_code_that_loads_it(content: dict[str, Any]) -> None:
    first, last = content["trials"][0], content["trials"][16]
    assert "optimizer=prodigy rank=4 seed=0" in first["command"]
    assert first["usage"] == last["usage"] == 0, "the same but for the id is kept once"
    assert "{id}" in content["usages"][0] and first["id"] not in content["usages"][0]
    assert first["folder"] == "../../../runs/000000000001"


def test_settings_that_all_share_are_kept_once(content: dict[str, Any]) -> None:
    assert content["common"]["train.max_train_steps"] == 120
    assert set(content["trials"][0]["settings"]) >= {"lora.rank", "optimizer.name"}
    assert not set(content["trials"][0]["settings"]) & set(content["common"])


def test_the_tree_names_trials_by_their_position(content: dict[str, Any]) -> None:
    families = content["tree"]["families"]
    assert [family["trials"] for family in families] == [list(range(9)), list(range(9, 18))]


def test_importance_is_of_every_measure(content: dict[str, Any]) -> None:
    shares = content["importance"]["val_loss"]["shares"]
    assert set(shares) == {"optimizer", "rank", "seed"}
    assert content["importance"].keys() == {m["name"] for m in content["measures"]}


def test_held_out_pictures_of_a_packaged_set_are_not_trained_on_again(
    content: dict[str, Any],
) -> None:
    assert content["all_pictures"] == [None] * 6
    assert content["holdout"]["brought"] == 3


def test_pictures_of_ones_own_that_were_kept_back_have_a_command_that_trains_on_them(
    tmp_path: Path,
) -> None:
    folder, store = make_sweep(tmp_path, ranks=(4,), seeds=(0,), failed=0)
    for trial in store.trials():
        text = trial.config.read_text("utf-8")
        trial.config.write_text(text.replace("path: null", f"path: {tmp_path}", 1), "utf-8")
    commands = content_of(Made(folder, store, folder.report))["all_pictures"]
    assert all(command.endswith("dataset.holdout=0") for command in commands)


def test_a_data_set_that_varies_is_warned_of(own: Made) -> None:
    sweep = json.loads(own.folder.sweep.read_text("utf-8"))
    for row, name in zip(sweep["trials"], ("face", "huggy") * 2, strict=True):
        row["overrides"].append(f"dataset={name}")
    own.folder.sweep.write_text(json.dumps(sweep), "utf-8")
    assert content_of(own)["warnings"] == [
        "dataset varies: val_loss on different held-out pictures cannot be compared."
    ]


def test_how_trials_are_measured_makes_none_another(own: Made) -> None:
    for k, trial in enumerate(own.store.trials()):
        text = trial.config.read_text("utf-8")
        assert "every: null" in text
        trial.config.write_text(text.replace("every: null", f"every: {k + 1}"), "utf-8")
    own.folder.sweep.unlink()
    found = find([own.store.root])
    assert [axis.name for axis in found.axes] == ["lora.rank", "seed"]


def test_without_val_loss_the_next_measure_decides() -> None:
    assert chosen_measure({}) is None
    assert chosen_measure({"prompt": None, "subject": None}) == "subject"  # type: ignore[dict-item]
    assert chosen_measure({"drift": None}) == "drift"  # type: ignore[dict-item]


def test_curves_are_one_for_each_trial(made: Made) -> None:
    curves = curves_content(find_sweep(made.folder, made.store))
    assert len(curves) == 18
    assert curves[0]["lines"]["val_loss"][0] == [30, 60, 90, 120]
    assert curves[-1] == {"lines": {}, "raw": [[], []]}


def test_a_study_is_judged_by_its_objectives(tmp_path: Path) -> None:
    folder, store = make_sweep(tmp_path)
    about = json.loads(folder.sweep.read_text())
    folder.sweep.write_text(json.dumps({**about, "study": {"objectives": ["subject", "drift"]}}))
    found = find_sweep(folder, store)
    content = build_content(found, build_album(found), folder.path)
    assert content["measure"] == "subject" and content["objectives"] == ["subject", "drift"]
    verdicts = content["verdicts"]
    assert chosen_measure(verdicts, ["nothing"]) == "val_loss" == chosen_measure(verdicts)
