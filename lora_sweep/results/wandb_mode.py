"""Whether W&B is online, offline or off, decided before anything asks for a key."""

from __future__ import annotations

import netrc
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from lora_sweep.config.settings import Wandb
from lora_sweep.errors import SettingsError
from lora_sweep.results.names import LONGEST_GROUP, LONGEST_TAG

SERVICE = "WANDB_SERVICE"
WANDB_MODES = ("online", "offline", "disabled", "dryrun", "run", "shared")


def check_run(settings: Wandb) -> tuple[str, str]:
    """The mode in which a run would start, and why; raises SettingsError where none can."""
    _check(settings)
    _leave_the_service_of_another_process()
    try:
        import wandb  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError as error:
        raise SettingsError(
            [f"tracker=wandb needs the package wandb ({error}): pip install wandb, or tracker=none"]
        ) from error
    return choose_mode(settings, os.environ, lambda: has_key(os.environ))


def choose_mode(
    settings: Wandb, environ: Mapping[str, str], key_is_known: Callable[[], bool]
) -> tuple[str, str]:
    """(online | offline | disabled, why); raises SettingsError where the wishes contradict.

    WANDB_MODE may take a run offline or off, against the settings; it never takes one online.
    """
    variable = environ.get("WANDB_MODE")
    if variable is not None and variable not in WANDB_MODES:
        raise SettingsError(
            [f"WANDB_MODE={variable!r} is not one of {', '.join(WANDB_MODES)}; unset or change it"]
        )
    if variable == "disabled":
        return "disabled", "WANDB_MODE=disabled"
    if variable in ("offline", "dryrun"):
        return "offline", f"WANDB_MODE={variable}"
    if settings.offline:
        return "offline", "tracker.offline=true"
    if key_is_known():
        return "online", "a key is configured"
    if settings.offline is False:
        raise SettingsError(
            [
                "tracker.offline=false, but no W&B key is configured: run wandb login, set "
                "WANDB_API_KEY, or leave tracker.offline at null"
            ]
        )
    return "offline", "no key is configured"


def has_key(environ: Mapping[str, str]) -> bool:
    """Whether wandb would find a key by itself: it must never come to ask for one."""
    import wandb

    known = wandb.setup().settings
    if known.api_key or known.identity_token_file:
        return True
    path = environ.get("NETRC")
    candidates = [Path(path)] if path else [Path.home() / ".netrc", Path.home() / "_netrc"]
    hosts = {urlsplit(known.base_url).netloc}
    if known.base_url == type(known)().base_url:
        hosts.add("api.wandb.ai")  # where keys for the default server have long been kept
    for candidate in candidates:
        try:
            entries = netrc.netrc(candidate)
        except (OSError, netrc.NetrcParseError):
            continue
        return any((entry := entries.authenticators(h)) and entry[2] for h in hosts)
    return False


def _leave_the_service_of_another_process() -> None:
    """wandb hands its service to child processes; of a child that is killed it keeps the runs open,
    and whoever takes over could not open them again.
    """
    if os.getpid() not in _owner_of_service:
        _owner_of_service[:] = [os.getpid()]
        os.environ.pop(SERVICE, None)


_owner_of_service: list[int] = []


def _check(settings: Wandb) -> None:
    problems = [
        f"tracker.tags has {tag!r}: a W&B tag has 1 to {LONGEST_TAG} characters"
        for tag in settings.tags
        if not 1 <= len(tag) <= LONGEST_TAG
    ]
    if settings.group is not None and len(settings.group) > LONGEST_GROUP:
        problems.append(
            f"tracker.group={settings.group!r} has more than {LONGEST_GROUP} characters"
        )
    if problems:
        raise SettingsError(problems)
