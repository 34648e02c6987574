"""The process that measures: real steps, and what is said where there are none."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from runs import small

from lora_sweep.config.settings import Evaluate, Lora, PriorGenerated, Wandb
from lora_sweep.errors import StoreError
from lora_sweep.sweep.cost import calibrator as module
from lora_sweep.sweep.cost.calibrator import Calibrator
from lora_sweep.sweep.request import Resolver, TrialRequest

SECONDS = {"start", "encode", "embed", "build", "caption", "loss_row", "sample_step", "picture",
    "save", "export"}  # fmt: skip


def request(root: Path, te_mode: str = "pivotal", **changes: Any) -> TrialRequest:
    return Resolver().resolve(small(root, te_mode, **changes))


def measure(folder: Path, *trials: TrialRequest, seconds: float = 60.0, **more: Any) -> Any:
    """What was told, and why no more was."""
    with Calibrator() as calibrator:
        options: dict[str, Any] = {"finish": False, "patience": 100.0, **more}
        told = list(calibrator.measure(folder, trials, seconds=seconds, **options))
        return told, calibrator.failure


def test_real_steps_are_timed_and_nothing_stays(tmp_path: Path) -> None:
    evaluate = Evaluate(prompts=("a TOK",), loss_timesteps=2)
    whole = request(
        tmp_path / "results",
        evaluate=evaluate,
        prior=PriorGenerated(num_class_images=500),  # not drawn for this
        tracker=Wandb(),
        train={"batch_size": 8},
    )
    impossible = request(tmp_path / "results", lora=Lora(target_modules=("no_such_layer",)))
    last = request(tmp_path / "results", "frozen", train={"batch_size": 1})
    told, failure = measure(tmp_path / "cache", whole, impossible, last, finish=True)
    assert failure is None
    kinds = [(line["kind"], line["trial"], line.get("text")) for line in told]
    assert kinds == [
        ("step", 0, True), ("step", 0, False), ("finish", 0, None), ("failed", 1, None),
        ("step", 2, False),
    ]  # fmt: skip
    steps = [line for line in told if line["kind"] == "step"]
    assert all(line["seconds"] > 0 and line["memory"] > 2**26 for line in steps)
    # 16 rows, half of them of the class, against one.
    assert steps[0]["seconds"] > steps[1]["seconds"] > 3 * steps[2]["seconds"]
    assert "no_such_layer" in told[3]["reason"]
    finish = told[2]
    assert set(finish) > SECONDS and all(finish[name] >= 0 for name in SECONDS)
    assert finish["start"] > finish["export"] > 0 and finish["picture"] > 0
    assert list((tmp_path / "cache").iterdir()) == []
    assert not (tmp_path / "results").exists()


def stand_in(monkeypatch: pytest.MonkeyPatch, folder: Path, code: str) -> None:
    """Another program in the place of the one that measures."""
    (folder / "stands_in.py").write_text(code)
    monkeypatch.setattr(module, "MODULE", "stands_in")
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)


def test_a_process_that_dies_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sys; print('{\"kind\": 1}', flush=True); sys.exit('first\\nno memory left')"
    stand_in(monkeypatch, tmp_path, code)
    told, failure = measure(tmp_path, request(tmp_path))
    assert (told, failure) == ([{"kind": 1}], "no memory left")
    stand_in(monkeypatch, tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert measure(tmp_path, request(tmp_path)) == ([], "it ended without a word")


def test_a_process_that_takes_too_long_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, tmp_path, "import time; time.sleep(600)")
    began = time.monotonic()
    told, failure = measure(tmp_path, request(tmp_path), seconds=0.25, patience=0.25)
    assert told == [] and failure is not None and "it took longer than" in failure
    assert time.monotonic() - began < 60


def test_a_process_that_was_started_ahead_and_is_not_needed_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, tmp_path, "import time; time.sleep(600)")
    with Calibrator() as calibrator:
        process = calibrator.start()
        assert calibrator.start() is process
        assert process.poll() is None
    assert process.poll() is not None


def test_where_nothing_can_be_written_nothing_is_measured(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"results\.dir"):
        measure(tmp_path / "file" / "cache", request(tmp_path))
