"""A Weights & Biases run that is fed rows: never asks for a key, never waits for long."""

from __future__ import annotations

import netrc
import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lora_sweep.config.settings import Wandb
from lora_sweep.errors import SettingsError
from lora_sweep.files import make_folder, without_nan

if TYPE_CHECKING:
    from wandb import Run

Row = Mapping[str, Any]
Say = Callable[[str], None]

INIT_SECONDS = 30.0  # to reach the server; then the run goes on offline
LONGEST_TAG = 64  # wandb's limits
LONGEST_GROUP = 128
WANDB_MODES = ("online", "offline", "disabled", "dryrun", "run", "shared")


class WandbTracker:
    """A W&B run; each row is sent once, in the order of the steps."""

    def __init__(self, run: Run, say: Say) -> None:
        self._run: Run | None = run
        self._say = say
        # A resumed online run has rows already; W&B drops steps that go backward without a word.
        self._next_step = run.starting_step
        _active.add(self)

    def log(self, step: int, row: Row) -> None:
        values = {k: v for k, v in without_nan(dict(row)).items() if k != "step" and v is not None}
        self._send(step, values)

    def pictures(self, step: int, pictures: Mapping[str, Path]) -> None:
        import wandb

        images = [wandb.Image(str(path), caption=caption) for caption, path in pictures.items()]
        self._send(step, {"samples": images})

    def finish(self, summary: Row, failed: bool = False) -> None:
        import wandb

        if self._run is None:
            return
        values = {k: v for k, v in without_nan(dict(summary)).items() if v is not None}
        try:
            self._run.summary.update(values)
            self._run.finish(exit_code=int(failed))
        except (wandb.Error, OSError) as error:
            self._say(f"W&B did not close run {self._run.id}: {error}")
        self._close()

    def _send(self, step: int, values: Mapping[str, Any]) -> None:
        import wandb

        if self._run is None or not values or step < self._next_step:
            return
        try:
            self._run.log(dict(values), step=step)
        except (wandb.Error, OSError) as error:
            self._say(f"W&B stopped at step {step}: {error}; metrics.jsonl has every row")
            self._close()
        self._next_step = step

    def _close(self) -> None:
        self._run = None
        _active.discard(self)


_active: set[WandbTracker] = set()


def start_run(
    settings: Wandb,
    run_id: str,
    *,
    name: str,
    group: str | None,
    config: dict[str, Any],
    folder: Path,
    say: Say,
) -> WandbTracker | None:
    """A run, online where a key is configured and the server answers, else offline.

    None when W&B is switched off or cannot write. `say` gets one line unless the run is online.
    Raises SettingsError.
    """
    mode, reason = check_run(settings, group)
    import wandb

    if mode == "disabled":
        return None
    make_folder(folder)
    arguments: dict[str, Any] = {
        "project": settings.project,
        "entity": settings.entity,
        "name": name,
        "group": group,
        "tags": list(settings.tags),
        "config": config,
        "dir": str(folder),
        "reinit": "create_new",  # the default gives back the run before, with its settings
        "settings": _wandb_settings(),
    }
    if mode == "online":
        try:
            return WandbTracker(
                wandb.init(id=run_id, mode="online", resume="allow", **arguments), say
            )
        except (wandb.Error, OSError) as error:
            reason = f"no run on the server ({_first_line(error)})"
            run_id = _free_id(run_id)
    try:
        run = wandb.init(id=run_id, mode="offline", **arguments)
    except (wandb.Error, OSError) as error:
        say(f"W&B: {reason}, and offline failed ({_first_line(error)}); metrics.jsonl has all rows")
        return None
    say(f"W&B: {reason}; writing offline, send it later with: wandb sync {_sync_folder(run)}")
    return WandbTracker(run, say)


def check_run(settings: Wandb, group: str | None = None) -> tuple[str, str]:
    """The mode in which a run would start, and why; raises SettingsError where none can."""
    _check(settings, settings.group or group)
    try:
        import wandb  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError as error:
        raise SettingsError(
            [f"tracker=wandb needs the package wandb ({error}): pip install wandb, or tracker=none"]
        ) from error
    return choose_mode(settings, os.environ, lambda: _has_key(os.environ))


def _free_id(run_id: str) -> str:
    """wandb's service keeps the id of a run that failed to start until the service is torn down."""
    import wandb

    if _active:  # tearing down would end these runs
        return f"{run_id}-offline"
    wandb.teardown()
    return run_id


def choose_mode(
    settings: Wandb, environ: Mapping[str, str], has_key: Callable[[], bool]
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
    if has_key():
        return "online", "a key is configured"
    if settings.offline is False:
        raise SettingsError(
            [
                "tracker.offline=false, but no W&B key is configured: run wandb login, set "
                "WANDB_API_KEY, or leave tracker.offline at null"
            ]
        )
    return "offline", "no key is configured"


def _has_key(environ: Mapping[str, str]) -> bool:
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


def _wandb_settings() -> Any:
    import wandb

    chosen: dict[str, Any] = {
        "console": "off",
        "silent": True,  # the one line that matters is said here
        "disable_git": True,
        "disable_code": True,
        "init_timeout": INIT_SECONDS,
    }
    # The metadata hold the command line, which may name private things.
    if "x_disable_meta" in wandb.Settings.model_fields:
        chosen["x_disable_meta"] = True
    return wandb.Settings(**chosen)


def _check(settings: Wandb, group: str | None) -> None:
    problems = [
        f"tracker.tags has {tag!r}: a W&B tag has 1 to {LONGEST_TAG} characters"
        for tag in settings.tags
        if not 1 <= len(tag) <= LONGEST_TAG
    ]
    if group is not None and len(group) > LONGEST_GROUP:
        problems.append(f"tracker.group={group!r} has more than {LONGEST_GROUP} characters")
    if problems:
        raise SettingsError(problems)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]


def _sync_folder(run: Run) -> str:
    return shlex.quote(str(Path(run.dir).parent))
