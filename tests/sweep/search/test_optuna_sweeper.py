"""hydra/sweeper=optuna from the command line: real trials of a few steps, and what is refused."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from made_studies import ended_well, facts
from optuna.trial import FrozenTrial, TrialState
from runs import child

from lora_sweep.__main__ import main
from lora_sweep.sweep.search.storage import close_storage, open_storage

Roots = Callable[[str], Path]

STUDY = (
    "study=fast", "study.trials=6", "study.pruner={min_resource:2}", "dataset=face",
    "dataset.set=varied", "train.max_train_steps=4,6", "rank=2,3", "snr=none", "te_mode.frac=0.5",
    "te_mode.num_new_tokens=1", "study.enqueue=[{optimizer:prodigy,te_mode:pivotal,rank:3}]",
    "evaluate.loss_timesteps=1", "train.log_every=1",
)  # fmt: skip
PICTURES = ("evaluate=default", "evaluate.sample_steps=1", "evaluate.images_per_prompt=1")


def search(root: Path, *arguments: str) -> int:
    """The command line in this process; returns its exit status."""
    sys.argv = ["lora_sweep", "-m", "hydra/sweeper=optuna", *arguments, f"results.dir={root}"]
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    raise AssertionError("main returns no other way")


def trials_in(root: Path, name: str = "fast") -> list[FrozenTrial]:
    storage = open_storage(None, root / "studies" / name / "journal.log")
    try:
        return optuna.load_study(study_name=name, storage=storage).get_trials()
    finally:
        close_storage(storage)


@pytest.mark.usefixtures("one_base", "with_report")
def test_a_study_of_real_trials_is_pruned_gone_on_with_and_told(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert search(root, *STUDY, *PICTURES, "study.trials=3") == 0
    first = [facts(trial) for trial in trials_in(root)]
    assert search(root, *STUDY, *PICTURES) == 0
    said = capsys.readouterr().err
    trials = trials_in(root)
    assert [facts(trial) for trial in trials][:3] == first
    assert len(trials) == 6 and all(trial.state.is_finished() for trial in trials)
    assert "minimize val_loss; 6 trials, 3 of them told" in said and "best:" in said
    pruned = [trial for trial in trials if trial.state is TrialState.PRUNED]
    assert pruned
    for trial in trials:
        folder = root / "runs" / trial.user_attrs["trial"]
        rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        measured = {row["step"]: row["val_loss"] for row in rows if "val_loss" in row}
        assert trial.intermediate_values.items() <= measured.items()
        record = json.loads((folder / "trial.json").read_text())
        assert trial.value == measured[record["steps"]]
        assert list(folder.glob("checkpoints/*/state.safetensors"))
        noted = [v for k, v in trial.system_attrs.items() if k.startswith("artifacts:")]
        drawn = {path.name for path in (folder / "samples").glob(f"*{record['steps']:06d}*")}
        assert {json.loads(each)["filename"] for each in noted} == drawn
    assert list((root / "studies/fast/artifacts").iterdir())
    newest = max(root.glob("multirun/*/*/sweep.json"))
    about = json.loads(newest.read_text())
    assert about["study"]["objectives"] == ["val_loss"] and about["study"]["rungs"] == [2, 4]
    with (newest.parent / "summary.csv").open() as lines:
        states = {row["state"] for row in csv.DictReader(lines)}
    assert states == {"done", "pruned"}
    assert (newest.parent / "report.html").stat().st_size > 10_000
    go_on_with(root, pruned[0])


def go_on_with(root: Path, pruned: FrozenTrial) -> None:
    """Ask for a pruned trial by its settings: it is trained to its end, as the same trial."""
    folder = root / "runs" / pruned.user_attrs["trial"]
    before = json.loads((folder / "trial.json").read_text())
    assert before["state"] == "pruned" and before["scores"]["val_loss"] == pruned.value
    fixed = [line for line in STUDY if "study" not in line and "," not in line]
    if pruned.params["te_mode"] != "pivotal":
        fixed = [line for line in fixed if not line.startswith("te_mode.")]
    settings = [f"{key}={value}" for key, value in pruned.params.items()]
    sys.argv = ["lora_sweep", "train.batch_size=1", *PICTURES, *fixed, *settings]
    sys.argv.append(f"results.dir={root}")
    with pytest.raises(SystemExit) as ended:
        main()
    after = json.loads((folder / "trial.json").read_text())
    assert not ended.value.code and after["state"] == "done" and after["steps"] > before["steps"]


@pytest.mark.slow
@pytest.mark.usefixtures("one_base")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_real_trials_of_a_study_killed_five_times_are_those_of_the_undisturbed_one(
    new_root: Roots, tmp_path: Path
) -> None:
    whole, killed, log = new_root("whole"), new_root("killed"), tmp_path / "log.txt"
    study = (*STUDY, "study.trials=30", "train.checkpoint_every=1")

    def work(root: Path) -> None:
        assert search(root, *study) == 0

    with child(lambda: work(whole), log) as pid:
        ended_well(pid, log)
    chance, kills = random.Random(0), 0
    for _ in range(5):
        with child(lambda: work(killed), log) as pid:
            time.sleep(chance.uniform(3, 12))
            if os.waitpid(pid, os.WNOHANG) == (0, 0):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                kills += 1
    assert kills >= 3
    with child(lambda: work(killed), log) as pid:
        ended_well(pid, log)
    assert [facts(t) for t in trials_in(killed)] == [facts(t) for t in trials_in(whole)]
    for trial in trials_in(whole):
        files = [
            {
                p.name: p.read_bytes()
                for p in (r / "runs" / trial.user_attrs["trial"]).glob("*.saf*")
            }
            for r in (whole, killed)
        ]
        assert files[0] == files[1]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_four_processes_train_a_study_and_lose_nothing(root: Path) -> None:
    assert search(root, *STUDY, "study.trials=16", "hydra.launcher.workers=4") == 0
    trials = trials_in(root)
    assert [trial.number for trial in trials] == list(range(16))
    assert {trial.state for trial in trials} <= {TrialState.COMPLETE, TrialState.PRUNED}


REFUSED: dict[tuple[str, ...], str] = {
    ("study=fast", "study.sampler=tpee"): "study.sampler=tpee: there is no such sampler",
    ("study=fast", "study.pruner=medan"): "study.pruner=medan: there is no such pruner",
    ("study=fast", "study.objectives=[val_los]"): "there is no measure val_los",
    ("study=fast", "study.objectives=[subject]"): "subject needs pictures; use evaluate=default",
    ("study=fast", "optimizer=prodigy,adamm"): "optimizer=adamm: there is no such choice",
    ("study=fast", "rank=0,4"): "lora.rank=0: must be at least 1",
    ("study=fast", "lora.ranks=4,8"): "lora.ranks: there is no such setting",
    ("study=fast", "study.trial=4"): "study.trial: there is no such setting; did you mean",
    ("study=fast", "study.trials=many"): "study.trials=many: must be a whole number",
    ("study=fast", "hydra/launcher=basic"): "a study is searched with hydra/launcher=tree",
    ("study=fast", "sweep=demo"): "only hydra/sweeper=grid",
    ("study=fats",): "study=fats: there is no such choice; did you mean study=fast?",
    ("study.name=a", "study.objectives=[val_loss]"): "study.space is empty",
    ("rank=4,8", "study.objectives=[val_loss]"): "study.name=null: must be given",
    ("study=fast", "train.max_train_steps=20"): "judges at no step, since the longest trial has 20",
}  # fmt: skip


@pytest.mark.parametrize("arguments", REFUSED, ids=" ".join)
def test_what_is_wrong_is_told_before_anything_is_trained(
    arguments: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert search(tmp_path, *arguments) == 2
    assert REFUSED[arguments] in capsys.readouterr().err
    assert not (tmp_path / "runs").exists() and not (tmp_path / "studies").exists()


def test_all_problems_are_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = ("study.sampler=a", "study.pruner=b", "study.objectives=[c]", "study.storage=d")
    assert search(tmp_path, "study=fast", *wrong) == 2
    said = capsys.readouterr().err
    assert "4 problems with the settings" in said


@pytest.mark.parametrize("sweep", [("-m",), ()])
def test_a_study_without_its_sweeper_is_refused(
    sweep: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sys.argv = ["lora_sweep", *sweep, "study=fast", f"results.dir={tmp_path}"]
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "python -m lora_sweep -m hydra/sweeper=optuna study=fast" in capsys.readouterr().err


def test_a_plan_says_what_a_study_would_be_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert search(tmp_path, "study=fast", "hydra/launcher=plan") == 0
    said = capsys.readouterr().out
    assert "steps at most 1,920" in said and "optimizer.lr [optimizer=adamw]" in said
    assert not list(tmp_path.iterdir())


def test_a_password_is_neither_told_nor_written_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "postgresql+psycopg://me:secret@127.0.0.1:1/studies"  # where nobody listens
    assert search(tmp_path, "study=fast", f"study.storage='{url}'") == 1
    assert "me:***@127.0.0.1:1/studies cannot be reached" in capsys.readouterr().err
    written = [path.read_text() for path in tmp_path.rglob("multirun.yaml")]
    assert written and not any("secret" in text for text in written)
