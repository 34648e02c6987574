"""What cannot be done is refused in one message that says what is wrong and what is allowed."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from runs import small

import lora_sweep.__main__ as command
from lora_sweep.config.settings import AdamW8bit, Dataset, Device, Model, Precision
from lora_sweep.errors import SettingsError
from lora_sweep.nano import WEIGHTS
from lora_sweep.sweep.request import resolve_request
from lora_sweep.sweep.run import run_trial

Cli = Callable[..., tuple[int, str]]


@pytest.fixture
def cli(root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Cli:
    """Runs the command line in this process; gives exit status and what it said."""

    def run(*arguments: str, results: Path = root) -> tuple[int, str]:
        argv = ["lora_sweep", "train.max_train_steps=2", f"results.dir={results}", *arguments]
        monkeypatch.setattr(sys, "argv", argv)
        with pytest.raises(SystemExit) as caught:
            command.main()
        said = capfd.readouterr().err
        assert "Traceback" not in said, said
        assert isinstance(caught.value.code, int)
        return caught.value.code, said

    return run


def nothing_was_begun(root: Path) -> bool:
    """Whether no trial has a record, a row or a file of weights."""
    return not [path for path in root.glob("runs/*/*") if path.name != ".lock"]


SETTINGS = {
    "an option that does not exist": (["--verbos"], "--verbos"),
    "a key that does not exist": (["lora.rnak=4"], r"lora\.rnak.*did you mean lora\.rank"),
    "a group that does not exist": (["optimiser=adamw"], r"optimiser.*did you mean optimizer"),
    "a choice that does not exist": (["te_mode=pivotl"], r"did you mean te_mode=pivotal"),
    "a key of another choice": (["optimizer=adamw", "optimizer.d_coef=2"], r"d_coef.*prodigy"),
    "a wrong type": (["rank=four"], r"rank=four: must be a whole number"),
    "rank 0": (["rank=0"], r"lora\.rank=0: must be at least 1"),
    "negative steps": (["train.max_train_steps=-5"], r"max_train_steps=-5: must be at least 1"),
    "Prodigy with unequal rates": (["optimizer.te_lr=0.5"], r"te_lr=0\.5: must be .*lr=1\.0"),
    "a resolution that cannot be": (["model.resolution=60"], r"resolution=60: must be a multiple"),
    "a text side that never trains": (
        ["te_mode.frac=0.01", "train.max_train_steps=null", "train.steps_per_image=1"],
        r"te_mode\.frac=0\.01: of 31 steps that is step 0",
    ),
    "nothing left to train": (
        ["optimizer=adamw", "optimizer.lr=0"], r"optimizer\.lr=0: .*trains until step 1"
    ),
    "layers that do not exist": (
        ["lora.target_modules=[to_k,to_w]"], r"target_modules.*'to_w'.*there are .*to_k.*to_out\.0"
    ),
    "blocks that do not exist": (
        ["lora.blocks=[up_blocks.9]"], r"lora\.blocks.*'up_blocks\.9'.*there are .*up_blocks\.0"
    ),
    "text layers that do not exist": (
        ["te_mode=lora", "lora.te_target_modules=[to_k]"], r"te_target_modules.*'to_k'.*q_proj"
    ),
    "a base that is not there": (["model.path=/nowhere/sdxl"], r"/nowhere/sdxl.*allowed"),
    "a data set that is not there": (
        ["dataset=folder", "dataset.path=/nowhere"], r"dataset\.path=/nowhere does not exist"
    ),
    "no class pictures": (["prior=real"], r"prior\.path=null: must be a folder"),
    "a W&B key that is missing": (
        ["tracker=wandb", "tracker.offline=false"], r"tracker\.offline=false.*wandb login"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SETTINGS)
def test_wrong_settings_are_refused_before_anything_is_written(
    case: str, cli: Cli, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(root / "no netrc"))
    arguments, expected = SETTINGS[case]
    status, said = cli(*arguments)
    assert status == 2
    assert re.search(expected, said, re.DOTALL), said
    assert said.count("lora_sweep: ") <= 1, "one message"
    assert nothing_was_begun(root)


needs_no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


@needs_no_gpu
@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"train": {"device": Device.cuda}}, r"train\.device=cuda: .*no CUDA"),
        ({"model": Model(precision=Precision.fp16)}, r"model\.precision=fp16: must be fp32"),
        ({"model": Model(vae_precision=Precision.fp16)}, r"vae_precision=fp16: must be fp32 or"),
        ({"optimizer": AdamW8bit()}, r"adamw8bit: needs a (CUDA GPU|package)"),
    ],
    ids=["cuda", "fp16", "fp16 of the VAE", "adamw8bit"],
)  # fmt: skip
def test_what_needs_a_gpu_is_refused_without_one(
    sections: dict[str, Any], expected: str, root: Path
) -> None:
    with pytest.raises(SettingsError, match=expected):
        run_trial(small(root, **sections))
    assert nothing_was_begun(root)


@needs_no_gpu
def test_a_missing_gpu_and_a_missing_folder_are_told_together(root: Path) -> None:
    train, dataset = {"device": Device.cuda}, Dataset(name="folder", path="/nowhere")
    with pytest.raises(SettingsError) as caught:
        run_trial(small(root, train=train, dataset=dataset))
    assert len(caught.value.problems) == 2


def test_problems_of_settings_pictures_and_captions_come_in_one_message(
    cli: Cli, root: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (80, 80), "red").save(folder / "whole.png")
    (folder / "whole.txt").write_text("a red square")
    (folder / "torn.png").write_bytes((folder / "whole.png").read_bytes()[:60])
    (folder / "torn.txt").write_text("a TOK square")
    status, said = cli("dataset=folder", f"dataset.path={folder}", "rank=0", "seed=-1")
    assert status == 2 and said.count("lora_sweep: ") == 1
    assert "lora.rank=0" in said and "seed=-1" in said and "torn.png" in said
    assert nothing_was_begun(root)


def test_a_wrong_setting_is_told_once(cli: Cli) -> None:
    _, said = cli("dataset=face", "dataset.set=standing")
    assert said.count("dataset.set=standing") == 1 and "1 problem" in said
    _, said = cli("dataset=folder", "dataset.path= ")
    assert "1 problem" in said and "dataset.path" in said


def test_nothing_is_downloaded_when_the_settings_are_wrong_already(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lora_sweep.sweep import request

    monkeypatch.setattr(request, "load_examples", lambda *arguments: pytest.fail("it is read"))
    dataset = Dataset(name="hub", path="owner/name")
    with pytest.raises(SettingsError, match="seed=-1"):
        resolve_request(small(root, dataset=dataset, seed=-1))


def picture_folder(kind: str, folder: Path) -> None:
    """Three pictures with captions, and one fault."""
    folder.mkdir()
    if kind == "empty":
        return
    for index in range(3):
        Image.new("RGB", (80, 70), (80 * index, 0, 0)).save(folder / f"{index}.png")
        (folder / f"{index}.txt").write_text(f"a TOK square {index}")
    if kind == "cut short":
        data = (folder / "1.png").read_bytes()
        (folder / "1.png").write_bytes(data[: len(data) // 2])
    elif kind == "a text":
        (folder / "1.png").write_text("not a picture")
    elif kind == "unknown names":
        rows = [{"file_name": f"{name}.png", "text": "a TOK square"} for name in (0, 1, 2, 9)]
        _metadata(folder, rows)
    elif kind == "wrong column":
        _metadata(folder, [{"file_name": f"{i}.png", "caption": "a TOK square"} for i in range(3)])
    elif kind == "no abstraction":
        (folder / "1.txt").write_text("a TOKYO square")
    elif kind == "no caption":
        (folder / "1.txt").unlink()


def _metadata(folder: Path, rows: list[dict[str, str]]) -> None:
    for path in folder.glob("*.txt"):
        path.unlink()
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "metadata.jsonl").write_text(lines)


PICTURES = {
    "empty": r"dataset\.path=.*holds no pictures",
    "cut short": r"1\.png is damaged or cut short",
    "a text": r"1\.png is not a picture that can be read; allowed are PNG, JPEG",
    "unknown names": r"line 4: there is no file '9\.png'",
    "wrong column": r"caption_column=text.*caption",
    "no abstraction": r"1\.png: the caption 'a TOKYO square' holds none of the abstractions TOK",
    "no caption": r"1\.png has no caption; add one in",
}


@pytest.mark.parametrize("kind", PICTURES)
def test_pictures_that_cannot_be_used_are_refused_by_name(
    kind: str, cli: Cli, root: Path, tmp_path: Path
) -> None:
    picture_folder(kind, tmp_path / "pictures")
    status, said = cli("dataset=folder", f"dataset.path={tmp_path / 'pictures'}")
    assert status == 2 and said.count("lora_sweep: ") == 1
    assert re.search(PICTURES[kind], said), said
    assert nothing_was_begun(root)


@pytest.mark.parametrize("fault", ["no model_index", "another class", "a broken index", "no UNet"])
def test_a_base_that_is_not_an_sdxl_is_refused(
    fault: str, cli: Cli, root: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "base"
    shutil.copytree(WEIGHTS, folder)
    index = folder / "model_index.json"
    if fault == "no model_index":
        index.unlink()
    elif fault == "another class":
        index.write_text(index.read_text().replace("StableDiffusionXLPipeline", "FluxPipeline"))
    elif fault == "a broken index":
        index.write_text("{")
    else:
        shutil.rmtree(folder / "unet")
    status, said = cli(f"model.path={folder}")
    assert status == 2 and said.count("lora_sweep: ") == 1
    assert "model.path" in said and str(folder) in said
    assert nothing_was_begun(root)


def test_a_results_folder_that_cannot_be_written_is_refused_with_what_to_do(
    cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    for place in (tmp_path / "file", tmp_path / "file" / "results", Path("/proc/results")):
        status, said = cli(results=place)
        assert status != 0 and "set results.dir" in said and str(place.parent) in said, said
        assert said.count("lora_sweep: ") == 1
