"""A base on the hub: from the cache, downloaded, or one message that says what is to be done."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import huggingface_hub
import pytest
import torch
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from lora_sweep.config.settings import Model
from lora_sweep.errors import ModelError
from lora_sweep.model import hub
from lora_sweep.model.base import load_base
from lora_sweep.model.folder_files import files_of, missing_files, read_files
from lora_sweep.model.identity import base_hash
from lora_sweep.nano import WEIGHTS

NAME, COMMIT = "somebody/an-sdxl", "c0ffee" * 6 + "c0ff"
Info = Callable[..., Any]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache."""
    folder = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))
    monkeypatch.setattr("huggingface_hub.file_download.HF_HUB_CACHE", str(folder), raising=False)
    return folder


def put_into_cache(cache: Path, name: str = NAME) -> Path:
    """The embedded base as if it had been downloaded."""
    repository = cache / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    return Path(shutil.copytree(WEIGHTS, repository / "snapshots" / COMMIT))


def online(monkeypatch: pytest.MonkeyPatch, answer: Info | BaseException) -> None:
    """What the hub says to a question about a model."""

    def model_info(self: object, *args: object, **options: object) -> Any:
        if isinstance(answer, BaseException):
            raise answer
        return answer()

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)


def repository(names: set[str], size: int = 1000) -> Info:
    files = [SimpleNamespace(rfilename=name, size=size) for name in sorted(names)]
    return lambda: SimpleNamespace(sha=COMMIT, siblings=files)


def response(status: int) -> Any:
    return httpx.Response(status, request=httpx.Request("GET", "https://huggingface.co/x"))


def refusal(**settings: Any) -> str:
    with pytest.raises(ModelError) as found:
        load_base(Model(path=NAME, **settings), torch.device("cpu"))
    return str(found.value)


def test_what_is_in_the_cache_is_loaded_without_a_question(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_into_cache(cache)
    online(monkeypatch, AssertionError("asked the hub"))
    assert load_base(Model(path=NAME), torch.device("cpu")).vae_factor == 4
    assert base_hash(Model(path=NAME)) != base_hash(Model(path=NAME, variant="fp16"))


def test_without_a_network_the_missing_files_are_named_with_how_to_get_them(cache: Path) -> None:
    folder = put_into_cache(cache)
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    message = refusal()
    assert "not in the local cache (unet/diffusion_pytorch_model.safetensors is missing)" in message
    assert "the hub cannot be reached (HF_HUB_OFFLINE is set)" in message
    assert f"run `hf download {NAME}` and copy the folder" in message


def test_a_name_that_is_nowhere_near_is_told_before_any_training(cache: Path) -> None:
    with pytest.raises(ModelError, match=r"model_index\.json is missing.*`hf download some"):
        base_hash(Model(path=NAME))
    with pytest.raises(ModelError, match=r"model\.vae is 'a/vae'.*\(config\.json is missing\)"):
        base_hash(Model(vae="a/vae"))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (GatedRepoError("", response=response(403)), "its owner asks for consent; give it at http"),
        (RepositoryNotFoundError("", response=response(401)), "no model of that name, or it is pr"),
        (RevisionNotFoundError("", response=response(404)), "there is no revision 'v9' of it"),
        (HfHubHTTPError("502 Bad Gateway", response=response(502)), "(HfHubHTTPError: 502 Bad Gat"),
        (httpx.ConnectError("no route"), "the hub cannot be reached (ConnectError: no route)"),
    ],
)
def test_what_the_hub_refuses_is_told_in_one_line(
    cache: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    online(monkeypatch, error)
    message = refusal(revision="v9")
    assert message.startswith(f"model.path is '{NAME}'") and reason in message
    assert "\n" not in message


def test_a_model_behind_consent_is_told_when_its_files_are_refused(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    online(monkeypatch, repository(files_of(WEIGHTS)))

    def download(*args: object, **options: object) -> str:
        raise GatedRepoError("", response=response(403))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert "https://huggingface.co/somebody/an-sdxl, then run `hf auth login`" in refusal()


def test_too_little_space_is_told_before_the_download_and_when_it_ends_it(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    online(monkeypatch, repository(files_of(WEIGHTS), size=1 << 40))
    message = refusal()
    assert "GiB are to be downloaded, and the cache folder" in message and "HF_HOME" in message
    online(monkeypatch, repository(files_of(WEIGHTS)))

    def download(*args: object, **options: object) -> str:
        raise RuntimeError("while writing") from OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert "the download ended because the disk is full" in refusal()


def test_only_what_is_read_is_downloaded(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = files_of(WEIGHTS) | {
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "unet/diffusion_pytorch_model.bin",
        "vae_1_0/diffusion_pytorch_model.safetensors",
        "sd_xl_base_1.0.safetensors",
        "unet/model.onnx",
    }
    online(monkeypatch, repository(names))
    asked: list[list[str]] = []

    def download(name: str, revision: str, allow_patterns: list[str]) -> str:
        assert revision == COMMIT
        asked.append(allow_patterns)
        return str(WEIGHTS)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    load_base(Model(path=NAME, vae=str(WEIGHTS / "vae")), torch.device("cpu"))
    weights = [name for name in asked[0] if name.endswith("safetensors")]
    assert weights == [
        "text_encoder/model.safetensors",
        "text_encoder_2/model.safetensors",
        "unet/diffusion_pytorch_model.safetensors",
    ]
    assert not any(name.startswith(("vae/", "clip/")) for name in asked[0])


def test_weights_cut_into_several_files_are_whole_only_with_all_of_them() -> None:
    names = files_of(WEIGHTS) - {"unet/diffusion_pytorch_model.safetensors"}
    shards = {f"unet/diffusion_pytorch_model.fp16-0000{n}-of-00003.safetensors" for n in (1, 2, 3)}
    index = "unet/diffusion_pytorch_model.safetensors.index.fp16.json"
    names |= {*shards, index}
    assert missing_files(names, "fp16", ("unet",)) == []
    assert {*shards, index} <= set(read_files(names, "fp16", ("unet",)))
    lacking = missing_files(names - {sorted(shards)[1]}, "fp16", ("unet",))
    assert lacking == ["unet/diffusion_pytorch_model.fp16.safetensors"]
    assert missing_files(names, None, ("unet",)) == ["unet/diffusion_pytorch_model.safetensors"]


def test_places_that_cannot_be_hub_names_are_never_asked_for() -> None:
    assert hub.is_hub_name("owner/name-1.0")
    assert not any(map(hub.is_hub_name, ("nano", "/a/b", "./a/b", "~/a", "a/b/c", "a b/c", "a/")))
