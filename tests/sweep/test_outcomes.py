"""What becomes of a trial: done and looked up, or diverged; what leaves its bytes alone."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from runs import (
    STEPS,
    before_step,
    count_steps,
    only_run,
    record_of,
    rows_of,
    small,
    weights_of,
)

import lora_sweep.__main__ as command
from lora_sweep.config.settings import (
    Dataset,
    Evaluate,
    Lora,
    Optimizer,
    Prodigy,
    ProdigyPlus,
    Results,
    Train,
)
from lora_sweep.errors import LoraSweepError
from lora_sweep.sweep.request import resolve_request
from lora_sweep.sweep.run import run_trial
from lora_sweep.training import step

pytestmark = pytest.mark.usefixtures("one_base")

PROMPT = "a photo of TOK woman"


def nan_from(patch: pytest.MonkeyPatch, number: int) -> None:
    """Make the loss NaN from the given call on; without accumulation that is the step's number."""
    real, calls = step.diffusion_loss, []

    def loss(*arguments: Any) -> torch.Tensor:
        calls.append(None)
        value = real(*arguments)
        return value * math.nan if len(calls) >= number else value

    patch.setattr(step, "diffusion_loss", loss)


def test_a_done_trial_is_looked_up_and_not_a_byte_is_touched(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    first = run_trial(small(root))
    before = {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in first.folder.rglob("*")}
    trained = count_steps(monkeypatch)
    free = {
        "checkpoint_every": 1,
        "log_every": 5,
        "checkpoints_kept": 1,
        "gradient_checkpointing": True,
    }
    again = run_trial(small(root, train=free, evaluate=Evaluate(every=1, loss_timesteps=0)))
    assert again.record == first.record and again.folder == first.folder and not trained
    assert {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in first.folder.rglob("*")} == before
    assert "already done" in capfd.readouterr().err


def test_another_seed_is_another_trial(root: Path) -> None:
    request = resolve_request(small(root))
    other = resolve_request(small(root, seed=1))
    free = resolve_request(small(root, train={"checkpoint_every": 3, "threads": 2}))
    assert other.id != request.id == free.id


def test_pictures_or_a_name_asked_for_later_are_made_without_training(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run_trial(small(root)).folder
    before, rows = weights_of(folder), rows_of(folder)
    trained = count_steps(monkeypatch)
    evaluate = Evaluate(prompts=(PROMPT,), images_per_prompt=1, sample_steps=1, loss_timesteps=1)
    asked = small(root, evaluate=evaluate, results=Results(dir=str(root), name="later"))
    result = run_trial(asked)
    assert not result.failed and not trained
    assert len(list((folder / "samples").glob("*.png"))) == 1
    assert weights_of(folder) == before | {
        name.replace("lora", "later", 1): data if name.endswith("_emb.safetensors") else ANY_BYTES
        for name, data in before.items()
        if name.startswith("lora")
    }
    assert rows_of(folder) == [*rows, {"step": STEPS, **record_of(folder)["scores"]}]
    stamp = (folder / "README.md").stat().st_mtime_ns
    assert run_trial(asked).record == result.record
    assert (folder / "README.md").stat().st_mtime_ns == stamp


class _AnyBytes:
    """Equal to all bytes: the kohya file holds its own name."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, bytes)


ANY_BYTES: Any = _AnyBytes()


def test_a_loss_that_is_nan_ends_the_trial_and_names_step_and_settings(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = small(root, train={"checkpoint_every": 2, "log_every": 100})
    saved: dict[Path, bytes] = {}
    before_step(monkeypatch, 3, lambda: saved.update(files_of(only_run(root) / "checkpoints")))
    with monkeypatch.context() as patch:
        nan_from(patch, 4)
        result = run_trial(settings)
    assert result.failed and result.record.state.value == "diverged"
    record = record_of(result.folder)
    assert (record["state"], record["steps"]) == ("diverged", 4)
    assert record["error"].startswith("the loss is nan at step 4") and "lr=0.01" in record["error"]
    assert saved and files_of(result.folder / "checkpoints") == saved
    assert weights_of(result.folder) == {} and not (result.folder / "README.md").exists()
    assert [row["loss"] is None for row in rows_of(result.folder)] == [False, False, False, True]
    trained = count_steps(monkeypatch)
    assert run_trial(settings).record.state.value == "diverged" and not trained


def files_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_weights_that_run_away_in_the_last_step_are_not_exported(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = torch.optim.AdamW.step

    def run_away(self: torch.optim.AdamW, *arguments: Any) -> Any:
        result = real(self, *arguments)
        self.param_groups[0]["params"][0].data[0] = math.inf
        return result

    before_step(
        monkeypatch, STEPS - 1, lambda: monkeypatch.setattr(torch.optim.AdamW, "step", run_away)
    )
    result = run_trial(small(root, "frozen"))
    assert record_of(result.folder)["error"].startswith(
        f"the largest unet weight is inf at step {STEPS}"
    )
    assert result.failed and weights_of(result.folder) == {}


def test_a_diverged_trial_exits_with_1_and_says_which_and_why(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    nan_from(monkeypatch, 2)
    argv = ["lora_sweep", "dataset=face", "rank=2", "optimizer=adamw", "optimizer.lr=0.01"]
    monkeypatch.setattr(sys, "argv", [*argv, f"results.dir={root}", "evaluate=off"])
    with pytest.raises(SystemExit) as caught:
        command.main()
    said = capfd.readouterr().err
    assert caught.value.code == 1 and "Traceback" not in said
    assert "diverged: the loss is nan at step 2; optimizer=adamw, lr=0.01" in said


def test_a_fault_of_the_program_is_recorded_and_tried_again(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise RuntimeError("out of memory")

    settings = small(root, train={"checkpoint_every": 2})
    before_step(monkeypatch, 3, fail)
    with pytest.raises(LoraSweepError, match="failed: RuntimeError: out of memory"):
        run_trial(settings)
    record = record_of(only_run(root))
    assert (record["state"], record["steps"]) == ("failed", 2)
    assert record["error"] == "RuntimeError: out of memory"
    assert "Traceback" in capfd.readouterr().err  # for the report of the bug
    assert not run_trial(settings).failed and record_of(only_run(root))["error"] is None


def test_pictures_that_cannot_be_prepared_end_the_trial_with_a_record(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lora_sweep.sweep import trainer

    def fail(*arguments: Any) -> None:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch, pytest.raises(LoraSweepError, match="out of memory"):
        patch.setattr(trainer, "prepare", fail)
        run_trial(small(root))
    record = record_of(only_run(root))
    assert (record["state"], record["error"]) == ("failed", "RuntimeError: out of memory")


@pytest.mark.parametrize(
    ("te_mode", "optimizer", "lora"),
    [
        ("pivotal", ProdigyPlus(d0=1e-3), Lora(rank=2)),
        ("frozen", Prodigy(d0=1e-3), Lora(rank=2, dropout=0.5)),
    ],
    ids=["pivotal, averaged", "frozen, dropout"],
)
def test_evaluating_on_the_way_changes_no_byte_of_the_adapter(
    te_mode: str, optimizer: Optimizer, lora: Lora, new_root: Callable[[str], Path]
) -> None:
    often = Evaluate(
        every=3, prompts=(PROMPT,), images_per_prompt=1, sample_steps=1, loss_timesteps=1
    )
    never = Evaluate(loss_timesteps=0)
    folders = [
        run_trial(
            small(new_root(name), te_mode, optimizer=optimizer, lora=lora, evaluate=evaluate)
        ).folder
        for name, evaluate in (("often", often), ("never", never))
    ]
    assert weights_of(folders[0]) == weights_of(folders[1])
    seen = [row for row in rows_of(folders[0]) if "fit_loss" not in row]
    assert seen == rows_of(folders[1])
    measured = [row["step"] for row in rows_of(folders[0]) if "fit_loss" in row]
    assert measured == [3, STEPS]
    samples = json.loads((folders[0] / "samples/samples.json").read_text(encoding="utf-8"))
    assert [sample["step"] for sample in samples] == [3, STEPS]


def test_rows_do_not_depend_on_how_often_they_are_written(new_root: Callable[[str], Path]) -> None:
    trained = [
        run_trial(small(new_root(f"log {every}"), "frozen", train={"log_every": every})).folder
        for every in (1, 4, 100)
    ]
    rows = [rows_of(folder) for folder in trained]
    assert rows[0] == rows[1] == rows[2]
    assert [row["step"] for row in rows[0]] == list(range(1, STEPS + 1))
    assert {"step", "loss", "grad_norm", "lr/unet"} == set(rows[0][0])


def test_steps_per_image_counts_pictures_and_not_their_repeats(root: Path) -> None:
    def request(**chosen: Any) -> Any:
        dataset = Dataset(name="face", set="varied", class_noun="woman", repeats=3)
        return resolve_request(small(root, dataset=dataset, train=chosen))

    by_picture = request(max_train_steps=None, steps_per_image=75)
    assert by_picture.max_train_steps == 6 * 75 == by_picture.settings.train.max_train_steps
    assert by_picture.id == request(max_train_steps=450).id != request(max_train_steps=451).id


def test_repeats_make_epochs_longer_with_views_of_their_own(root: Path) -> None:
    dataset = Dataset(name="face", set="varied", class_noun="woman")
    once, twice = (
        run_trial(
            small(
                root,
                "frozen",
                dataset=replace(dataset, repeats=repeats),
                train={"max_train_steps": 3},
            )
        )
        for repeats in (1, 2)
    )
    assert once.folder != twice.folder and rows_of(once.folder) != rows_of(twice.folder)


def test_a_sweep_in_one_process_gives_the_bytes_of_trials_alone(
    new_root: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    swept, alone = new_root("swept"), new_root("alone")
    common = ["dataset=face", "rank=2", "train.max_train_steps=3", "train.batch_size=2"]
    common += ["evaluate=off", "evaluate.loss_timesteps=0"]
    for root, arguments in ((swept, ["-m", "seed=0,1"]), (alone, ["seed=0"]), (alone, ["seed=1"])):
        argv = ["lora_sweep", *arguments, *common, f"results.dir={root}"]
        monkeypatch.setattr(sys, "argv", argv)
        with pytest.raises(SystemExit) as caught:
            command.main()
        assert caught.value.code == 0
    found, expected = (
        {path.name: (weights_of(path), rows_of(path)) for path in (root / "runs").iterdir()}
        for root in (swept, alone)
    )
    assert found == expected and len(found) == 2


def test_threads_are_a_setting_and_not_the_machines(root: Path) -> None:
    torch.set_num_threads(2)
    run_trial(small(root, "frozen", train={"max_train_steps": 1}))
    assert torch.get_num_threads() == Train().threads == 1
