"""The identity of a base, which is part of a trial's id: another base, another trial. No torch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from lora_sweep.config.settings import Model
from lora_sweep.errors import HubUnreachable, ModelError
from lora_sweep.files import atomic_write
from lora_sweep.model.hub import explain, is_hub_name
from lora_sweep.nano import WEIGHTS

_PARTS = ("unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler")


def base_hash(settings: Model, memory: Path | None = None) -> str:
    """Hash of the base's files, or the hub commit when it is a hub name.

    `memory` is a JSON file that remembers file hashes by path, size and modification time, so that
    seven gigabytes are not read at every start. Raises ModelError when a named place does not
    exist.
    """
    parts = [_place_hash(settings.path, settings.revision, memory, "model.path")]
    if settings.vae is not None:
        parts.append(_place_hash(settings.vae, None, memory, "model.vae"))
    if settings.variant is not None:
        parts.append(f"variant {settings.variant}")  # one commit, one folder holds several
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _place_hash(place: str, revision: str | None, memory: Path | None, setting: str) -> str:
    path = WEIGHTS if place == "nano" else Path(place).expanduser()
    if path.is_file():
        return _file_hash(path, memory)
    if path.is_dir():
        files = sorted(
            file
            for part in _PARTS
            for file in (path / part).rglob("*")
            if file.is_file() and file.suffix in {".safetensors", ".json", ".txt"}
        )
        if not files:  # a VAE folder has its files at the top
            files = sorted(f for f in path.iterdir() if f.suffix in {".safetensors", ".json"})
        rows = [f"{file.relative_to(path)} {_file_hash(file, memory)}" for file in files]
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()
    if not is_hub_name(place):
        raise ModelError(
            f"{setting} is {place!r}: there is no such file or folder; allowed: "
            "'nano', a diffusers folder, a .safetensors file, or a hub name such as owner/name"
        )
    return _hub_commit(place, revision, setting)


def _hub_commit(name: str, revision: str | None, setting: str) -> str:
    """The commit that a hub name stands for, by the local cache first and the network second."""
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError

    files = ("model_index.json",) if setting == "model.path" else ("config.json",)
    try:
        for file in files:
            cached = try_to_load_from_cache(name, file, revision=revision)
            if isinstance(cached, str):
                return f"hub:{name}@{Path(cached).parent.name}"
        return f"hub:{name}@{HfApi().model_info(name, revision=revision, timeout=10).sha}"
    except Exception as error:  # of many libraries: httpx, huggingface_hub, the system
        answered = isinstance(error, HfHubHTTPError)
        kind = ModelError if answered else HubUnreachable
        raise kind(explain(error, name, revision, setting, files)) from error


def _file_hash(path: Path, memory: Path | None) -> str:
    status = path.stat()
    stamp = f"{path.resolve()}|{status.st_size}|{status.st_mtime_ns}"
    remembered = _read_memory(memory)
    if stamp in remembered:
        return remembered[stamp]
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    # Small files are read faster than remembered.
    if memory is not None and status.st_size > 64 << 20:
        _write_memory(memory, {**_read_memory(memory), stamp: digest.hexdigest()})
    return digest.hexdigest()


def _read_memory(memory: Path | None) -> dict[str, str]:
    try:
        return dict(json.loads(memory.read_text())) if memory is not None else {}
    except (OSError, ValueError):
        return {}  # only a memory: what is lost is read again


def _write_memory(memory: Path, content: dict[str, str]) -> None:
    atomic_write(memory, json.dumps(content))
