"""The command line: exit statuses and messages, with a stand-in for training."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

import lora_sweep.__main__ as command
from lora_sweep.config import Settings
from lora_sweep.errors import Diverged

ROOT = Path(__file__).resolve().parents[2]
QUIET = ["hydra/job_logging=none", "hydra/hydra_logging=none"]


def run(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if k not in (command.DEBUG, command.FULL_ERROR)}
    return subprocess.run(
        [sys.executable, "-m", "lora_sweep", *arguments],
        cwd=cwd,
        env={**clean, "PYTHONPATH": str(ROOT), **env},
        capture_output=True,
        text=True,
        timeout=60,
    )


class Trained:
    """Stands in for training: keeps what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[Settings] = []
        self.failed = False
        self.error: Exception | None = None
        self.full_error: str | None = "not asked"

    def __call__(self, settings: Settings) -> Trained:
        self.asked.append(settings)
        self.full_error = os.environ.get(command.FULL_ERROR)
        if self.error is not None:
            raise self.error
        return self


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Trained:
    monkeypatch.delenv(command.DEBUG, raising=False)
    monkeypatch.delenv(command.FULL_ERROR, raising=False)
    stand_in, module = Trained(), types.ModuleType("lora_sweep.sweep.run")
    module.run_trial = stand_in  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lora_sweep.sweep.run", module)
    return stand_in


def status(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *arguments: str) -> int:
    argv = ["lora_sweep", *arguments, f"results.dir={tmp_path}", *QUIET]
    monkeypatch.setattr(sys, "argv", argv)
    with pytest.raises(SystemExit) as caught:
        command.main()
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_help_works_from_any_folder_and_needs_neither_torch_nor_training(tmp_path: Path) -> None:
    done = run("--help", cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == ""
    assert "te_mode" in done.stdout and "python -m lora_sweep -m rank=4,16,32" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_cfg_job_prints_the_settings_from_any_folder(tmp_path: Path) -> None:
    done = run("--cfg", "job", "experiment=y2k_v2", cwd=tmp_path)
    assert done.returncode == 0 and "subset: 14" in done.stdout


def test_wrong_settings_exit_with_2_and_all_messages_but_no_traceback(tmp_path: Path) -> None:
    done = run("rank=0", "seed=-1", cwd=tmp_path)
    assert done.returncode == 2
    assert "lora.rank=0: must be at least 1" in done.stderr and "seed=-1" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_typo_exits_with_2_and_a_suggestion(tmp_path: Path) -> None:
    done = run("optimizer=prodgy", cwd=tmp_path)
    assert done.returncode == 2 and "did you mean optimizer=prodigy?" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_debug_variable_brings_the_traceback(tmp_path: Path) -> None:
    done = run("rank=0", cwd=tmp_path, **{command.DEBUG: "1"})
    assert done.returncode != 0 and "Traceback" in done.stderr


def test_a_trial_that_is_done_exits_with_0(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert status(monkeypatch, tmp_path, "rank=8") == 0
    assert [settings.lora.rank for settings in trained.asked] == [8]


def test_a_trial_that_failed_exits_with_1(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trained.failed = True
    assert status(monkeypatch, tmp_path) == 1


def test_one_failed_trial_of_a_sweep_exits_with_1_after_the_others_ran(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trained.failed = True
    assert status(monkeypatch, tmp_path, "-m", "rank=4,8", "hydra/launcher=basic") == 1
    assert [settings.lora.rank for settings in trained.asked] == [4, 8]


def test_an_error_of_training_exits_with_1_and_its_message(
    trained: Trained,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trained.error = Diverged(step=7, what="loss", value=float("nan"))
    assert status(monkeypatch, tmp_path) == 1
    assert "the loss is nan at step 7" in capsys.readouterr().err


def test_an_interrupted_run_exits_with_130(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trained.error = KeyboardInterrupt()  # type: ignore[assignment]
    assert status(monkeypatch, tmp_path) == 130


def test_a_fault_of_ours_keeps_its_traceback(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trained.error = ValueError("a fault")
    monkeypatch.setattr(sys, "argv", ["lora_sweep", f"results.dir={tmp_path}", *QUIET])
    with pytest.raises(ValueError, match="a fault"):
        command.main()


def test_the_trial_sees_the_users_own_environment(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert status(monkeypatch, tmp_path) == 0
    assert trained.full_error is None and command.FULL_ERROR not in os.environ


def test_hydra_writes_below_the_results_folder(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here = Path.cwd()
    assert status(monkeypatch, tmp_path) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["outputs"] and Path.cwd() == here
