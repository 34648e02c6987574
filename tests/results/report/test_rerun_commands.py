from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from lora_sweep.config import to_plain
from lora_sweep.config.compose import compose
from lora_sweep.results.card import flatten
from lora_sweep.results.report.commands import Rerun, comfyui_lines, diffusers_code
from lora_sweep.results.report.read import ReportTrial, read_trials
from lora_sweep.results.store import Store

ASKED = (
    ["rank=8", "optimizer=adamw", "optimizer.lr=3e-4", "seed=7"],
    ["dataset=folder", "dataset.path=/my dogs", "dataset.class_noun=dog",
     "dataset.instance_prompt='a photo of TOK, \"it\\'s\" {a} [b] = c'"],
    ["te_mode=lora", "snr=gamma5", "prior=real", "prior.path=/people", "dataset=face"],
    ["dataset.abstractions=[TOK,S2]", "lora.rank=24", "schedule=cosine"],
)  # fmt: skip


def trial(tmp_path: Path, settings: dict[str, Any], overrides: Sequence[str] | None) -> ReportTrial:
    store = Store(tmp_path)
    folder = store.trial("0123456789ab").create()
    folder.config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    (found,) = read_trials(store, [(folder.id, None if overrides is None else tuple(overrides))])
    return found


def composed(command: str) -> dict[str, Any]:
    program, overrides = shlex.split(command)[:3], shlex.split(command)[3:]
    assert program == ["python", "-m", "lora_sweep"]
    return flatten(to_plain(compose(overrides)))


@pytest.mark.parametrize("asked", ASKED)
def test_the_command_of_a_trial_of_a_sweep_composes_to_its_settings(
    tmp_path: Path, asked: list[str]
) -> None:
    settings = to_plain(compose(asked))
    found = trial(tmp_path, settings, [*asked, "hydra.launcher.workers=2", "sweep=x"])
    command = Rerun().command(found)
    assert command is not None
    assert "hydra" not in command and "sweep=x" not in command
    assert composed(command) == flatten(settings)


@pytest.mark.parametrize("asked", ASKED)
def test_a_trial_named_alone_has_a_command_from_its_settings(
    tmp_path: Path, asked: list[str]
) -> None:
    settings = to_plain(compose(asked))
    command = Rerun().command(trial(tmp_path, settings, None))
    assert command is not None
    assert composed(command) == flatten(settings)


def test_what_is_asked_for_behind_replaces_the_same_key(tmp_path: Path) -> None:
    asked = ["dataset=folder", "dataset.path=dogs", "dataset.class_noun=dog", "dataset.holdout=2"]
    found = trial(tmp_path, to_plain(compose(asked)), asked)
    command = Rerun().command(found, "dataset.holdout=0")
    assert command is not None
    assert command.count("holdout") == 1
    assert composed(command)["dataset.holdout"] == compose(["dataset.holdout=0"]).dataset.holdout


def test_settings_of_another_version_have_no_command(tmp_path: Path) -> None:
    settings = to_plain(compose([])) | {"a_setting_of_the_future": 1}
    assert Rerun().command(trial(tmp_path, settings, None)) is None
    assert Rerun().command(trial(tmp_path / "other", {}, None)) is None


def test_the_code_is_that_of_the_card(tmp_path: Path) -> None:
    found = trial(tmp_path, {}, None)
    assert diffusers_code(found) is None
    found.folder.card.write_text("# x\n\n## diffusers\n\n```python\nprint(1)\n```\n", "utf-8")
    assert diffusers_code(found) == "print(1)\n"


def test_the_files_are_told_by_their_names_and_the_mode_of_the_text_side() -> None:
    told = "\n".join(
        comfyui_lines(
            {
                "results.name": "dog",
                "te_mode.name": "pivotal",
                "dataset.abstractions": ["TOK"],
                "lora.use_dora": True,
            }
        )
    )
    for part in ("dog.safetensors", "<lora:dog:1>", "dog_emb.safetensors", "TOK", "DoRA"):
        assert part in told
    assert "DualCLIPLoader" in "\n".join(comfyui_lines({"te_mode.name": "full"}))
    assert "_emb" not in "\n".join(comfyui_lines({"te_mode.name": "lora"}))
