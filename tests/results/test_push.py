"""python -m lora_sweep.results.push: what goes to the hub, what never does, and what is refused."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import yaml
from fake_hub import Hub, fake_hub
from finished_runs import train
from huggingface_hub import constants
from PIL import Image

from lora_sweep.config import to_plain
from lora_sweep.config.settings import Model
from lora_sweep.nano import WEIGHTS
from lora_sweep.results.finished import FinishedTrial
from lora_sweep.results.published import published_files
from lora_sweep.results.push import main
from lora_sweep.results.trial_record import TrialState

# huggingface_hub sends files in a way that its HTTP client is to forbid.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

TOKEN = "hf_QlwkoSecretOfTheUser"


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> FinishedTrial:
    return train(tmp_path_factory.mktemp("results"))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub that this process takes for the real one, and a user who is logged in."""
    with fake_hub() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield hub


def push(trial: FinishedTrial, *arguments: str) -> int:
    return main([trial.id, "--results", str(trial.folder.path.parents[1]), *arguments])


def test_card_samples_settings_and_weights_go_to_the_hub(
    trial: FinishedTrial, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert push(trial, "--repo", "me/dog", "--private") == 0
    assert capsys.readouterr().out == f"{hub.endpoint}/me/dog\n"
    assert hub.repos == {"me/dog": True}
    assert hub.message == f"Trial {trial.id} of lora_sweep"
    weights = ("pytorch_lora_weights.safetensors", "my_face.safetensors", "my_face_emb.safetensors")
    (sample,) = trial.folder.samples.glob("*.png")
    unchanged = {name: trial.folder.path / name for name in weights}
    unchanged[f"samples/{sample.name}"] = sample
    for name, path in unchanged.items():
        assert hub.files[name] == path.read_bytes()
    assert set(hub.files) == {*unchanged, "README.md", "config.yaml", "samples/samples.json"}
    settings = yaml.safe_load(hub.files["config.yaml"])
    assert settings["lora"] == to_plain(trial.settings)["lora"]
    card = hub.files["README.md"].decode()
    assert f"](samples/{sample.name})" in card and "lora\\.rank" in card
    assert json.loads(hub.files["samples/samples.json"])[0]["text"] == "a photo of <s0><s1> woman"


def test_neither_the_token_nor_a_path_of_this_machine_is_in_any_file_or_output(
    trial: FinishedTrial, hub: Hub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not even where a user put them into the settings."""
    base = tmp_path / "secret place" / "my_base"
    settings = replace(
        trial.settings,
        model=replace(trial.settings.model, path=str(base), vae=str(base / "vae")),
        dataset=replace(
            trial.settings.dataset, path=str(tmp_path / "pictures"), instance_prompt=f"TOK {TOKEN}"
        ),
    )
    moved = replace(trial, settings=settings)
    files = published_files(moved, "me/dog", None, TOKEN)
    texts = {name: data for name, data in files.items() if isinstance(data, bytes)}
    for name, data in texts.items():
        text = data.decode().replace("\\", "")  # Markdown escapes underscores
        assert TOKEN not in text and str(tmp_path) not in text, name
        assert str(trial.folder.path) not in text and str(Path.home()) not in text, name
    assert "'my_base'" in texts["README.md"].decode()
    assert push(trial, "--repo", "me/dog") == 0
    printed = capfd.readouterr()
    assert TOKEN not in printed.out + printed.err
    assert hub.tokens == {f"Bearer {TOKEN}"}, "it travels in the header alone"
    assert not any(TOKEN.encode() in body for _, _, body in hub.requests)
    assert not any(TOKEN.encode() in data for data in hub.files.values())
    assert not any(TOKEN in path for _, path, _ in hub.requests)


@pytest.mark.parametrize(
    ("refuses", "message"),
    [
        ({"repos/create": (401, "bad")}, "answered 401: the token is not valid"),
        ({"repos/create": (403, "no")}, "answered 403: the token may not write there"),
        ({"preupload": (404, "no")}, "answered 404: there is no such owner"),
        ({"commit": (400, f"odd\ntoken {TOKEN}")}, "answered 400: odd token ***"),
        ({"validate-yaml": (500, "down")}, "answered 500: down"),
        ({"objects/batch": (429, "slow")}, "answered 429: too many requests"),
    ],
)
def test_what_the_hub_refuses_is_one_clear_line_without_the_token(
    refuses: dict[str, tuple[int, str]],
    message: str,
    trial: FinishedTrial,
    hub: Hub,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # between tries
    hub.refuses = refuses
    assert push(trial, "--repo", "me/dog") == 1
    printed = capfd.readouterr()
    (line,) = printed.err.splitlines()
    assert line.startswith("lora_sweep: me/dog was not pushed: ") and message in line
    assert TOKEN not in printed.out + printed.err
    assert "README.md" not in hub.files


def test_a_hub_that_cannot_be_reached_is_one_clear_line(
    trial: FinishedTrial,
    hub: Hub,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")
        assert push(trial, "--repo", "me/dog") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot be reached" in line and TOKEN not in line
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert push(trial, "--repo", "me/dog") == 1
    assert "HF_HUB_OFFLINE is set" in capsys.readouterr().err


def test_what_was_public_is_not_pushed_as_private(
    trial: FinishedTrial, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert push(trial, "--repo", "me/dog") == 0
    hub.files.clear()
    assert push(trial, "--repo", "me/dog", "--private") == 2
    assert "me/dog is public already" in capsys.readouterr().err
    assert hub.files == {}


def test_nothing_is_sent_without_a_token_a_name_or_a_finished_trial(
    trial: FinishedTrial,
    hub: Hub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("dog", "me/", "me/dog/cat", "../dog", "me/do g"):
        assert push(trial, "--repo", name) == 2
        assert f"--repo={name}: must be owner/name" in capsys.readouterr().err
    assert main(["nothing", "--repo", "me/dog", "--results", str(tmp_path)]) == 2
    copy = tmp_path / "runs" / "abc"
    shutil.copytree(trial.folder.path, copy)
    record = trial.record.with_(id="abc", state=TrialState.running)
    (copy / "trial.json").write_text(record.to_json())
    assert main(["abc", "--repo", "me/dog", "--results", str(tmp_path)]) == 2
    assert "trial abc is running" in capsys.readouterr().err
    (copy / "trial.json").write_text(record.with_(state=TrialState.done).to_json())
    (copy / "my_face.safetensors").unlink()
    assert main(["abc", "--repo", "me/dog", "--results", str(tmp_path)]) == 2
    assert "my_face.safetensors is missing" in capsys.readouterr().err
    monkeypatch.delenv("HF_TOKEN")
    assert push(trial, "--repo", "me/dog") == 2
    assert "there is no token for the hub" in capsys.readouterr().err
    assert hub.requests == []


def test_a_base_of_this_machine_is_named_by_its_hub_name(
    trial: FinishedTrial, hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "runs" / trial.id
    shutil.copytree(trial.folder.path, folder)
    plain = to_plain(replace(trial.settings, model=Model(name="sdxl", path="/models/mine")))
    (folder / "config.yaml").write_text(yaml.safe_dump(plain))
    arguments = [trial.id, "--results", str(tmp_path), "--repo", "me/dog"]
    assert main(arguments) == 0
    assert "the card calls the base mine" in capsys.readouterr().err
    assert main([*arguments, "--base", "owner/mine"]) == 0
    assert capsys.readouterr().err == ""
    card = hub.files["README.md"].decode()
    assert "base_model: owner/mine" in card and "from_pretrained('owner/mine')" in card
    assert "/models" not in card.replace("\\", "")


def test_the_cards_python_on_the_hub_works_as_pasted(
    trial: FinishedTrial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = published_files(trial, "me/dog", None, TOKEN)
    folder = tmp_path / "me" / "dog"  # diffusers takes a name for a folder where there is one
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        huggingface_hub, "hf_hub_download", lambda repo, file: str(Path(repo) / file)
    )
    (code,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.S)
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    (sample,) = trial.folder.samples.glob("*.png")
    with Image.open("image.png") as pasted, Image.open(sample) as drawn:
        assert max(abs(a - b) for a, b in zip(pasted.tobytes(), drawn.tobytes(), strict=True)) <= 1
    assert str(WEIGHTS) not in code


def test_the_command_pushes_as_pasted(trial: FinishedTrial, tmp_path: Path) -> None:
    with fake_hub() as hub:
        changed = {
            "HF_ENDPOINT": hub.endpoint, "HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(tmp_path),
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "lora_sweep.results.push", trial.id[:6], "--repo", "me/dog",
             "--results", str(trial.folder.path.parents[1])],
            env=os.environ | changed, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{hub.endpoint}/me/dog\n" and done.stderr == ""
        assert "README.md" in hub.files
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(TOKEN.encode() in path.read_bytes() for path in written)
