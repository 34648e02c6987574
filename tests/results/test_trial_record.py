from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import lora_sweep
from lora_sweep.errors import StoreError
from lora_sweep.results import trial_record
from lora_sweep.results.store import Store
from lora_sweep.results.trial_record import TrialRecord, TrialState

RECORD = TrialRecord(
    "abc", TrialState.done, "rank 4", 100, 12.5, 6.25, {"val_loss": 0.1, "drift": None},
    {"python": "3.11"}, "0" * 40,
)  # fmt: skip


def test_a_record_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    trial = Store(tmp_path).trial("abc")
    assert trial.read_record() is None
    trial.write_record(RECORD)
    assert trial.read_record() == RECORD


def test_a_record_is_plain_json_with_null_for_scores_that_are_not_finite(tmp_path: Path) -> None:
    trial = Store(tmp_path).trial("abc")
    trial.write_record(RECORD.with_(scores={"val_loss": float("nan")}, state=TrialState.diverged))
    values = json.loads(trial.record.read_text())
    assert values["state"] == "diverged"
    assert values["scores"] == {"val_loss": None}
    assert values["format"] == trial_record.FORMAT


def test_a_record_of_a_newer_lora_sweep_is_refused_with_both_versions(tmp_path: Path) -> None:
    trial = Store(tmp_path).trial("abc")
    trial.write_record(RECORD.with_(format=trial_record.FORMAT + 1))
    with pytest.raises(StoreError, match=r"trial\.json has format 2, .* reads up to 1: update"):
        trial.read_record()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "not a trial record: "),
        ("[]", "holds a list"),
        ("{}", "format is None"),
        ('{"format": 1, "id": "a", "state": "dreaming"}', "dreaming"),
        ('{"format": 1, "id": "a", "state": "done", "colour": 1}', "unknown fields colour"),
        ('{"format": 1, "state": "done"}', "id"),
    ],
)
def test_a_damaged_record_is_refused_with_its_path(
    tmp_path: Path, content: str, reason: str
) -> None:
    trial = Store(tmp_path).trial("abc").create()
    trial.record.write_text(content)
    with pytest.raises(StoreError, match=rf"abc/trial\.json .*{reason}.*remove the file"):
        trial.read_record()


def test_a_record_never_lands_in_another_trials_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="trial abc does not belong in"):
        Store(tmp_path).trial("xyz").write_record(RECORD)


def test_versions_name_what_decides_a_result() -> None:
    versions = trial_record.collect_versions()
    assert versions["lora_sweep"] == lora_sweep.__version__
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"torch", "diffusers", "transformers", "peft"} <= versions.keys()


def test_the_commit_is_that_of_the_source_and_not_of_a_repository_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*arguments: str) -> str:
        person = ("-c", "user.name=n", "-c", "user.email=e@example.org")
        command = ["git", "-C", str(tmp_path), *person, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    package = tmp_path / "lora_sweep"
    package.mkdir()
    shutil.copy(Path(lora_sweep.__file__), package / "__init__.py")
    monkeypatch.setattr(lora_sweep, "__file__", str(package / "__init__.py"))
    assert trial_record.find_commit() is None
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "somebody else's")
    assert trial_record.find_commit() is None
    git("add", ".")
    git("commit", "-q", "-m", "ours")
    assert trial_record.find_commit() == git("rev-parse", "HEAD")
