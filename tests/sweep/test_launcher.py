"""The command line of a sweep: hydra/launcher=tree hands all trials on in one piece."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from runs import before_step, count_steps, record_of, rows_of, weights_of

import lora_sweep.__main__ as command
from lora_sweep.results.lock import file_lock
from lora_sweep.results.store import SweepFolder
from lora_sweep.sweep import launch

pytestmark = pytest.mark.usefixtures("one_base")

SMALL = ("dataset=face", "te_mode=pivotal", "train.batch_size=1", "train.log_every=1",
         "evaluate=off", "evaluate.loss_timesteps=1")  # fmt: skip
Run = Callable[..., list[Any]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command line in this process; gives what it returned for each trial."""
    real = command._Outcome.run_sweep

    def run(root: Path, *arguments: str) -> list[Any]:
        returned: list[Any] = []

        def kept(self: Any, asked: Any) -> list[Any]:
            returned.extend(results := real(self, asked))
            return results

        monkeypatch.setattr(command._Outcome, "run_sweep", kept)
        argv = ["lora_sweep", "-m", *SMALL, f"results.dir={root}", *arguments]
        monkeypatch.setattr(sys, "argv", argv)
        with pytest.raises(SystemExit) as caught:
            command.main()
        assert caught.value.code == 0
        return returned

    return run


def test_hydras_own_launcher_leaves_the_same_bytes(
    run: Run, new_root: Callable[[str], Path]
) -> None:
    axes = ("rank=2", "train.max_train_steps=2,4", "optimizer=prodigy,adamw")
    tree, basic = new_root("tree"), new_root("basic")
    run(tree, *axes)
    assert run(basic, *axes, "hydra/launcher=basic") == []
    found, expected = (
        {
            path.name: (weights_of(path), rows_of(path), record_of(path)["scores"])
            for path in (root / "runs").iterdir()
        }
        for root in (tree, basic)
    )
    assert found == expected and len(found) == 4


def test_results_come_in_the_order_asked_for_and_duplicates_are_trained_once(
    run: Run, root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    trained = count_steps(monkeypatch)
    # The longest family is trained first; seed=1 is asked for in two ways.
    results = run(root, "seed=1,0", "train.max_train_steps=2,4,2", "rank=2")
    assert len(trained) == 2 * (1 + 1 + 1 + 2), "a pivot at 1 of 2 steps, and at 2 of 4"
    (folder,) = root.glob("multirun/*/*")
    asked = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))["trials"]
    assert [trial["overrides"][-3:] for trial in asked] == [
        [f"seed={seed}", f"train.max_train_steps={steps}", "rank=2"]
        for seed in (1, 0)
        for steps in (2, 4, 2)
    ]
    ids = [trial["id"] for trial in asked]
    assert len(set(ids)) == 4 and ids[0] == ids[2] and ids[3] == ids[5]
    assert results == [record_of(root / "runs" / id_)["scores"] for id_ in ids]
    said = capfd.readouterr().err
    assert "duplicates dropped            2" in said
    with (folder / "summary.csv").open(encoding="utf-8") as lines:
        assert [row["id"] for row in csv.DictReader(lines)] == list(dict.fromkeys(ids))
    table = said[said.index("trial  ") :]
    assert [table.count(f"\n{id_}  ") for id_ in ids] == [1] * 6


def test_summary_csv_is_kept_up_to_date_while_the_sweep_goes_on(
    run: Run, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "SUMMARY_SECONDS", 0.0)
    seen: list[list[str]] = []

    def look() -> None:
        (path,) = root.glob("multirun/*/*/summary.csv")
        with path.open(encoding="utf-8") as lines:
            seen.append([row["state"] for row in csv.DictReader(lines)])

    for step in (1, 3):
        before_step(monkeypatch, step, look)
    run(root, "rank=2", "train.max_train_steps=2,4", "te_mode=frozen")
    assert seen == [["waiting", "waiting"], ["done", "running"]]


def test_a_sweep_begun_in_the_same_second_as_another_has_a_folder_of_its_own(
    run: Run, root: Path
) -> None:
    folder = root / "multirun" / "now"
    arguments = ("te_mode=frozen", "train.max_train_steps=1", f"hydra.sweep.dir={folder}")
    with file_lock(SweepFolder(folder).lock_file):  # as the other holds it
        run(root, *arguments, "rank=2,3")
    run(root, *arguments, "rank=2,3,4")
    found: list[int] = []
    for name in ("now-2", "now"):
        sweep = json.loads((folder.with_name(name) / "sweep.json").read_text(encoding="utf-8"))
        found.append(len(sweep["trials"]))
        assert (folder.with_name(name) / "report.html").is_file()
    assert found == [2, 3]


def test_a_file_of_conf_that_is_edited_once_training_has_begun_changes_no_trial(
    run: Run, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "conf" / "optimizer" / "mine.yaml"
    mine.parent.mkdir(parents=True)
    text = "defaults:\n  - /schema/optimizer@_here_: adamw\n  - _self_\nlr: {}\n"
    mine.write_text(text.format(0.001))

    def edit() -> None:
        mine.write_text(text.format("nonsense"))

    before_step(monkeypatch, 1, edit)
    run(root, "optimizer=mine", f"hydra.searchpath=[file://{mine.parents[1]}]", "rank=2,3,4",
        "train.max_train_steps=2")  # fmt: skip
    assert "nonsense" in mine.read_text()
    rates: list[float] = []
    for folder in (root / "runs").iterdir():
        settings = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        rates.append(settings["optimizer"]["lr"])
        assert {row["lr/unet"] for row in rows_of(folder) if "lr/unet" in row} == {0.001}
    assert rates == [0.001] * 3
