"""python -m lora_sweep.results.report, on every kind of folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from made_sweeps import Made, make_sweep

from lora_sweep.results.report.__main__ import main


def said(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    captured = capsys.readouterr()
    return captured.out.strip(), captured.err.strip()


def test_a_sweeps_folder_gets_its_report(own: Made, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(own.folder.path)]) == 0
    assert said(capsys) == (str(own.page), "")
    assert own.page.read_text("utf-8").startswith("<!doctype html>")


def test_trials_a_results_folder_and_its_runs_get_one_too(
    own: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    trials = [str(own.store.trial(f"{k:012x}").path) for k in (1, 2, 3)]
    for folders, place in (
        (trials, own.store.root),
        (trials[:1], Path(trials[0])),
        ([str(own.store.root)], own.store.root),
        ([str(own.store.runs)], own.store.runs),
    ):
        assert main(folders) == 0
        assert said(capsys) == (str(place / "report.html"), "")


def test_a_running_sweep_is_shown_as_far_as_it_is(
    own: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    for k in (2, 3, 4):
        (own.store.trial(f"{k:012x}").path / "trial.json").unlink()
    assert main(["--text", str(own.folder.path)]) == 0
    out, _ = said(capsys)
    assert "The answer so far: 3 waiting." in out
    assert main([str(own.folder.path)]) == 0


def test_the_page_can_go_elsewhere(
    own: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "a" / "page.html"
    assert main([str(own.folder.path), "--out", str(target)]) == 0
    assert said(capsys)[0] == str(target)
    assert "../runs/000000000001" in target.read_text("utf-8")


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("missing", "is no folder; allowed are a sweep's folder"),
        ("empty", "holds neither a sweep.json nor trials; allowed are"),
        ("runs/not a trial!", "its name cannot be a trial's id"),
        ("sweep.json", "is no folder"),
    ],
)
def test_wrong_folders_get_one_line_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], named: str, message: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "runs" / "not a trial!").mkdir(parents=True)
    (tmp_path / "sweep.json").touch()
    assert main([str(tmp_path / named)]) == 2
    out, err = said(capsys)
    assert not out
    assert err.startswith("lora_sweep: ") and message in err and "\n" not in err


def test_trials_of_two_results_folders_are_refused(
    own: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, other = make_sweep(tmp_path / "other", ranks=(4,), seeds=(0,), failed=0)
    assert main([str(own.store.root), str(other.root)]) == 2
    assert "of different results folders" in said(capsys)[1]


def test_a_file_in_the_way_is_said(own: Made, capsys: pytest.CaptureFixture[str]) -> None:
    own.page.mkdir()
    assert main([str(own.folder.path)]) == 2
    assert "report.html" in said(capsys)[1]


def test_it_runs_without_torch(own: Made) -> None:
    script = (
        "import sys; from lora_sweep.results.report.__main__ import main; "
        f"status = main([{str(own.folder.path)!r}]); "
        "sys.exit(status or 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
