"""Where a study is kept: a journal that survives a kill, databases, what cannot be reached."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import optuna
import pytest
from made_studies import Pretend, run, settings_of, told, trials_of
from runs import child

from lora_sweep.errors import SettingsError, StoreError
from lora_sweep.sweep.search import storage
from lora_sweep.sweep.search.storage import (
    JournalLock,
    close_storage,
    dashboard_command,
    open_storage,
    storage_problems,
    without_password,
)


def test_a_journal_of_which_a_line_was_cut_off_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    optuna.create_study(storage=open_storage(None, path), study_name="a")
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"op_code": 4, "wor')
    study = optuna.load_study(study_name="a", storage=open_storage(None, path))
    study.enqueue_trial({})
    again = optuna.load_study(study_name="a", storage=open_storage(None, path))
    assert len(again.trials) == 1 and path.read_bytes().startswith(whole)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_the_lock_of_a_process_that_was_killed_is_free_at_once(tmp_path: Path) -> None:
    path, mark = tmp_path / "journal.log", tmp_path / "held"

    def hold() -> None:
        JournalLock(path).acquire()
        mark.touch()
        time.sleep(60)

    with child(hold, tmp_path / "log.txt") as pid:
        while not mark.exists():
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    began = time.monotonic()
    optuna.create_study(storage=open_storage(None, path))
    assert time.monotonic() - began < 5


def test_a_study_may_be_kept_elsewhere(tmp_path: Path) -> None:
    at_home = settings_of(trials=3)
    run(tmp_path / "a", at_home)
    for url in (f"journal://{tmp_path}/other/here.log", f"sqlite:///{tmp_path}/db/study.db"):
        study = settings_of(trials=3, storage=url)
        root = tmp_path / url[:6]
        run(root, study)
        ids = [trial.user_attrs["trial"] for trial in trials_of(root, study)]
        assert ids == [trial.user_attrs["trial"] for trial in trials_of(tmp_path / "a", at_home)]
        assert not (root / "studies" / "made" / "journal.log").exists()


@pytest.mark.parametrize(
    "url",
    ["study.db", "mysql://localhost/a", "journal://", "redis://localhost", "postgres:/a"],
)
def test_what_is_no_storage_is_refused(url: str) -> None:
    (problem,) = storage_problems(url)
    assert f"study.storage={url}: must be null or journal://FILE" in problem


def test_passwords_are_not_shown() -> None:
    url = "postgresql+psycopg://me:secret@host:5432/studies"
    assert without_password(url) == "postgresql+psycopg://me:***@host:5432/studies"
    assert "secret" not in dashboard_command(url, Path("j"), None)
    assert "secret" not in storage_problems("mysql://me:secret@host/a")[0]


def test_a_server_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "REACH_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        began = time.monotonic()
        with pytest.raises(StoreError, match="cannot be reached: no answer in 1 seconds") as caught:
            open_storage(f"postgresql+psycopg://me:secret@127.0.0.1:{port}/a", Path("unused"))
        assert time.monotonic() - began < 5 and "secret" not in str(caught.value)
    assert storage.CONNECT_SECONDS < 20


def test_a_server_that_is_not_there_and_a_folder_that_cannot_be_made_are_told(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(StoreError, match="cannot be reached"):
        open_storage(f"postgresql+psycopg://me@127.0.0.1:{port}/a", Path("unused"))
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file"):
        open_storage(f"sqlite:///{tmp_path}/file/study.db", Path("unused"))
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match="folder"):
        open_storage(f"sqlite:///{tmp_path}/folder", Path("unused"))


def test_a_study_of_the_same_name_with_another_space_is_refused_with_the_difference(
    tmp_path: Path,
) -> None:
    from made_studies import SPACE, choice

    from lora_sweep.sweep.search.space import Part, Space

    run(tmp_path, settings_of(trials=2))
    before = told(tmp_path, settings_of())
    other = Space((Part({"rank": choice(2, 32), "optimizer": choice("prodigy", "adamw")}),))
    with pytest.raises(SettingsError) as caught:
        run(tmp_path, settings_of(trials=2), Pretend(), other)
    message = str(caught.value)
    assert "rank is 2,32 and was 2,4,8,16" in message
    assert "optimizer.lr [optimizer=adamw] was" in message and "study.name=…" in message
    fixed = Space(SPACE.parts, ("train.max_train_steps=60",))
    with pytest.raises(SettingsError, match=r"max_train_steps is 60 and was 90"):
        run(tmp_path, settings_of(trials=2), Pretend(), fixed)
    with pytest.raises(SettingsError, match=r"objectives is \[gap\] and was \[val_loss\]"):
        run(tmp_path, settings_of(trials=2, objectives=("gap",)))
    assert told(tmp_path, settings_of()) == before
    run(tmp_path, settings_of(trials=2, name="another"), Pretend(), other)


def test_a_study_that_somebody_else_made_is_left_alone(tmp_path: Path) -> None:
    file = f"sqlite:///{tmp_path}/study.db"
    made = open_storage(file, Path("unused"))
    optuna.create_study(study_name="made", storage=made).add_trial(optuna.create_trial(value=1.0))
    close_storage(made)
    with pytest.raises(SettingsError, match="lora_sweep did not make"):
        run(tmp_path, settings_of(trials=2, storage=file))
