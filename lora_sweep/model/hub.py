"""The files of a base on the hub: found in the local cache, else downloaded, else one message that
says why not and what to do. No torch.
"""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from lora_sweep.errors import ModelError
from lora_sweep.model.folder_files import files_of

Wanted = Callable[[Collection[str]], list[str]]
"""Of a repository's files those that are to be had; or those that are missing."""

_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")

SPARE = 1 << 30  # bytes that a download leaves free


def is_hub_name(place: str) -> bool:
    """Whether a place that is no local one has the form owner/name."""
    return _NAME.fullmatch(place) is not None


def hub_folder(
    name: str, revision: str | None, wanted: Wanted, missing: Wanted, setting: str = "model.path"
) -> Path:
    """The local folder of a repository with all wanted files in it.

    missing: what a set of files lacks. Raises ModelError, naming the setting.
    """
    cached = _cached_folder(name, revision)
    if cached is not None and not missing(files_of(cached)):
        return cached
    try:
        return _download(name, revision, wanted, missing, setting)
    except ModelError:
        raise
    except Exception as error:  # of many libraries: httpx, huggingface_hub, the system
        lacking = missing(files_of(cached) if cached is not None else ())
        raise ModelError(explain(error, name, revision, setting, lacking)) from error


def _download(
    name: str, revision: str | None, wanted: Wanted, missing: Wanted, setting: str
) -> Path:
    from huggingface_hub import HfApi, snapshot_download

    info: Any = HfApi().model_info(name, revision=revision, files_metadata=True, timeout=10)
    sizes = {each.rfilename: int(each.size or 0) for each in info.siblings or ()}
    if lacking := missing(sizes):
        raise ModelError(f"{setting} is {name!r}: the repository has no {', '.join(lacking)}")
    files = wanted(sizes)
    _check_space(name, info.sha, {file: sizes[file] for file in files}, setting)
    return Path(snapshot_download(name, revision=info.sha, allow_patterns=files))


def _check_space(name: str, commit: str, sizes: dict[str, int], setting: str) -> None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.constants import HF_HUB_CACHE

    there = {f for f in sizes if isinstance(try_to_load_from_cache(name, f, revision=commit), str)}
    needed = sum(size for file, size in sizes.items() if file not in there)
    place = Path(HF_HUB_CACHE).absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    free = shutil.disk_usage(place).free
    if needed + SPARE > free:
        raise ModelError(_no_space(name, setting, f"{needed / 2**30:.1f} GiB are to be downloaded"))


def _no_space(name: str, setting: str, why: str) -> str:
    from huggingface_hub.constants import HF_HUB_CACHE

    place = Path(HF_HUB_CACHE)
    existing = next(each for each in (place, *place.absolute().parents) if each.exists())
    free = shutil.disk_usage(existing).free / 2**30
    return (
        f"{setting} is {name!r}: {why}, and the cache folder {place} has {free:.1f} GiB free; free "
        "some space there, or set HF_HOME to a folder on another disk; model.variant=fp16 takes "
        "half, where the repository has it"
    )


def explain(
    error: BaseException, name: str, revision: str | None, setting: str, lacking: Collection[str]
) -> str:
    """Why a repository cannot be had, in one message with what to do."""
    from huggingface_hub.errors import (
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    at = f" at revision {revision!r}" if revision else ""
    told = f"{setting} is {name!r}"
    if _is_full(error):
        return _no_space(name, setting, "the download ended because the disk is full")
    if isinstance(error, GatedRepoError):
        return (
            f"{told}: its owner asks for consent; give it at https://huggingface.co/{name}, then "
            "run `hf auth login` here with a token of that account, or set HF_TOKEN"
        )
    if isinstance(error, RevisionNotFoundError):
        return f"{told}: there is no revision {revision!r} of it; null is the newest"
    if isinstance(error, RepositoryNotFoundError):
        return (
            f"{told}: the hub has no model of that name, or it is private; if it is yours, run "
            "`hf auth login` first"
        )
    files = f" ({_some(lacking)} missing)" if lacking else ""
    mark = f" --revision {revision}" if revision else ""
    return (
        f"{told}{at}: it is not in the local cache{files}, and the hub cannot be reached "
        f"({_reason(error)}); where there is a network, run `hf download {name}{mark}` and copy "
        f"the folder that it names here, for {setting}=<folder>"
    )


def _some(lacking: Collection[str]) -> str:
    names = list(lacking)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more} {'is' if len(names) == 1 else 'are'}"


def _reason(error: BaseException) -> str:
    from huggingface_hub.errors import OfflineModeIsEnabled

    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set"
    line = str(error).strip().splitlines()
    return f"{type(error).__name__}: {line[0]}" if line else type(error).__name__


def _is_full(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__ or error.__context__
    return False


def _cached_folder(name: str, revision: str | None) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    for file in ("model_index.json", "config.json"):
        found = try_to_load_from_cache(name, file, revision=revision)
        if isinstance(found, str):
            return Path(found).parent
    return None
