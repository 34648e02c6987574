"""python -m lora_sweep.results.generate: what it draws, and what it refuses."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from finished_runs import PROMPT, train_two
from PIL import Image
from tools_help import help_without

from lora_sweep.model.base import Base
from lora_sweep.results.finished import FinishedTrial
from lora_sweep.results.generate import draw
from lora_sweep.results.generate.__main__ import main
from lora_sweep.results.trial_record import TrialState


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> list[FinishedTrial]:
    return train_two(tmp_path_factory.mktemp("results"))


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch, base: Base) -> None:
    monkeypatch.setattr(draw, "load_base", lambda *arguments: base)


def generate(trials: Sequence[FinishedTrial], *arguments: str | Path) -> int:
    root = trials[0].folder.path.parents[1]
    ids = [trial.id for trial in trials]
    return main([*ids, "--results", str(root), *map(str, arguments)])


def test_every_trial_draws_every_prompt_with_every_seed(
    trials: list[FinishedTrial], loaded: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    prompts = (PROMPT, 'a {subject}, "quoted" 🐶 <script>\nsecond line')
    asked = [word for prompt in prompts for word in ("--prompt", prompt)]
    assert generate(trials, *asked, "--seeds", "3", "--count", "2", "--out", out) == 0
    assert capsys.readouterr().out == f"{out}\n"
    listed = json.loads((out / "pictures.json").read_text(encoding="utf-8"))
    rows = [(p["prompt"], p["seed"], p["trial"]) for p in listed["pictures"]]
    ids = [trial.id for trial in trials]
    assert rows == [(prompt, seed, id) for prompt in prompts for seed in (3, 4) for id in ids]
    texts = [p["text"] for p in listed["pictures"]]
    assert texts[:2] == ["a photo of <s0><s1> woman", "a photo of TOK woman"]
    assert texts[4].startswith("a <s0><s1>, ") and texts[5].startswith("a TOK, ")
    assert listed["steps"] == 2 and listed["size"] == 64
    pictures = [(out / p["file"]).read_bytes() for p in listed["pictures"]]
    assert len(set(pictures)) == 8, "no two trials, prompts or seeds give one picture"
    with Image.open(out / "grid.png") as grid:
        assert grid.width > 2 * 64 and grid.height > 4 * 64
    assert {path.name for path in out.iterdir()} == {
        "grid.png", "pictures.json", *(p["file"] for p in listed["pictures"]),
    }  # fmt: skip


def test_a_validation_picture_is_drawn_again_to_the_byte_however_many_trials_are_drawn(
    trials: list[FinishedTrial], loaded: None, tmp_path: Path
) -> None:
    for count, order in ((2, trials), (1, trials[::-1]), (1, trials[:1])):
        assert generate(order, "--prompt", PROMPT, "--out", tmp_path / f"{count}") == 0
        for trial in order:
            drawn = (tmp_path / f"{count}" / f"prompt-0-seed-0-{trial.id}.png").read_bytes()
            (sample,) = trial.folder.samples.glob("*.png")
            assert drawn == sample.read_bytes()


def test_a_prompt_that_does_not_name_the_subject_is_spoken_of(
    trials: list[FinishedTrial], loaded: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate(trials, "--prompt", "a woman", "--steps", "1", "--out", tmp_path) == 0
    assert "'a woman' does not name the subject of" in capsys.readouterr().err
    for named in ("{subject}", "TOK's cat", "<s0><s1>"):
        assert generate(trials[:1], "--prompt", named, "--steps", "1", "--out", tmp_path) == 0
        assert "does not name" not in capsys.readouterr().err


def test_words_that_the_encoders_do_not_see_are_spoken_of(
    trials: list[FinishedTrial], loaded: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate(trials, "--prompt", "TOK " * 80, "--steps", "1", "--out", tmp_path) == 0
    assert "the encoders see 77" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--prompt is missing: say what to draw"),
        (["--prompt", " "], "--prompt is empty"),
        (["--prompt", "TOK", "--seeds", "1,x"], "--seeds=1,x: must be whole numbers"),
        (["--prompt", "TOK", "--seeds", "-1"], "--seeds=-1: must be whole numbers"),
        (["--prompt", "TOK", "--seeds", "1,2", "--count", "3"], "--count=3: goes with one seed"),
        (["--prompt", "TOK", "--count", "0"], "--count=0: must be at least 1"),
        (["--prompt", "TOK", "--steps", "0"], "--steps=0: must be at least 1"),
        (["--prompt", "TOK", "--batch-size", "0"], "--batch-size=0: must be at least 1"),
        (["--prompt", "TOK", "--guidance", "nan"], "--guidance=nan: must be a number"),
        (["--prompt", "TOK", "--size", "36"], "--size=36: must be a multiple of 8"),
        (["--prompt", "TOK", "--device", "cuda"], "torch finds no CUDA GPU here"),
    ],
)
def test_what_cannot_be_drawn_is_one_clear_message_and_status_2(
    arguments: list[str],
    message: str,
    trials: list[FinishedTrial],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert generate(trials, *arguments, "--out", tmp_path) == 2
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert message in line and printed.out == ""
    assert list(tmp_path.iterdir()) == []


def test_trials_that_cannot_be_used_are_refused_by_name(
    trials: list[FinishedTrial], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "results"
    shutil.copytree(trials[0].folder.path, root / "runs" / "abc123def456")
    shutil.copytree(trials[0].folder.path, root / "runs" / "abc999def456")

    def refused(*names: str) -> str:
        assert main([*names, "--results", str(root), "--prompt", "TOK"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line

    assert "there is no trial 'abc123def457'" in refused("abc123def457")
    assert "did you mean abc123def456?" in refused("abc123def457")
    assert "2 trials begin with abc: abc123def456, abc999def456" in refused("abc")
    record = trials[0].record.with_(id="abc123def456", state=TrialState.failed, error="out of disk")
    (root / "runs" / "abc123def456" / "trial.json").write_text(record.to_json())
    assert "trial abc123def456 is failed (out of disk)" in refused("abc123")
    (root / "runs" / "abc999def456" / "trial.json").write_text("{")
    assert "is not a trial record" in refused("abc999")
    assert "there is no trial in" in _in_an_empty_folder(tmp_path, capsys)


def _in_an_empty_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["abc", "--results", str(tmp_path / "empty"), "--prompt", "TOK"]) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("file", ["pytorch_lora_weights.safetensors", "my_face_emb.safetensors"])
def test_weights_that_are_missing_damaged_or_of_another_trial_are_told(
    file: str,
    trials: list[FinishedTrial],
    loaded: None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "results" / "runs" / trials[0].id
    shutil.copytree(trials[0].folder.path, folder)
    other = trials[1].folder.diffusers_weights
    for damage in (b"not weights", None, other.read_bytes()):
        (folder / file).unlink()
        if damage is not None:
            (folder / file).write_bytes(damage)
        assert main([str(folder), "--prompt", "TOK", "--out", str(tmp_path / "out")]) == 2
        assert f"{file} " in capsys.readouterr().err
        if damage is None:
            (folder / file).touch()


def test_the_command_draws_as_pasted(trials: list[FinishedTrial]) -> None:
    root = trials[0].folder.path.parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "lora_sweep.results.generate", trials[0].id[:6],
         "--prompt", "{subject} in space", "--results", "."],
        cwd=root, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    out = root / done.stdout.strip()
    assert out.parents[2] == root and out.parents[1].name == "generated"
    assert (out / "grid.png").is_file()


def test_help_comes_without_torch() -> None:
    told = help_without("lora_sweep.results.generate.__main__", "torch", "numpy", "transformers")
    assert "--seeds" in told
