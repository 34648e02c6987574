"""The processes that work on one study: signs of life, and who has died."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from lora_sweep.errors import SettingsError
from lora_sweep.results.lock import LockHeld, file_lock

RUNNER = "runner"
"""The user attribute of a trial that names the process which has it; empty when it was let go."""

BEATS_MISSED = 4
"""Heartbeats that may be missing before a process is taken for dead."""


class Runner:
    """This process, which shows that it lives for as long as the context lasts.

    Others see the heartbeat in the storage change. Clocks are not compared: whoever looks on
    measures with its own how long nothing has changed. On one machine a lock, which the system
    releases when its holder dies, tells at once. alone: no other process works on the study, once
    `be_alone` has seen to it.
    """

    def __init__(
        self,
        study: optuna.Study,
        folder: Path,
        heartbeat: float,
        *,
        alone: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.id = secrets.token_hex(4)
        self.alone = alone
        self.grace = BEATS_MISSED * heartbeat
        self._study = study
        self._folder = folder
        self._heartbeat = heartbeat
        self._clock = clock
        self._seen: dict[str, tuple[Any, float]] = {}  # what was seen of others, and since when
        self._over = threading.Event()
        self._held = contextlib.ExitStack()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Runner:
        self._held.enter_context(file_lock(self._lock_of(self.id)))
        self._show(0)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join(self._heartbeat)
        with contextlib.suppress(Exception):  # the storage may be what has failed
            self._show(-1)
        self._held.close()
        self._lock_of(self.id).unlink(missing_ok=True)

    def claim(self, trial: Trial | FrozenTrial) -> None:
        """Say that this process has a trial."""
        self._name(trial, self.id)

    def let_go(self, trial: Trial | FrozenTrial) -> None:
        """Say that nobody has it: whoever comes next may go on with it."""
        self._name(trial, "")

    def has(self, trial: FrozenTrial) -> bool:
        """Whether a trial is this process's own."""
        return trial.user_attrs.get(RUNNER) == self.id

    def lives(self, trial: FrozenTrial) -> bool:
        """Whether the process that has a trial lives, as far as can be told by now."""
        runner = trial.user_attrs.get(RUNNER)
        if runner == "" or self.alone:
            return False
        if runner is None:  # taken a moment ago, or by a process that died in that moment
            return self._is_fresh(f"trial {trial.number}", None)
        shown = self._shown(runner)
        if shown is None or shown["beat"] < 0:
            return False
        alive_here = self._alive_here(runner, shown)
        return self._is_fresh(runner, shown["beat"]) if alive_here is None else alive_here

    def be_alone(self, say: Callable[[str], None]) -> None:
        """Make sure that no other process works on the study; raises SettingsError.

        One of another machine is watched for a while, if it has left a trial.
        """
        prefix = f"{RUNNER}:"
        named = {
            key.removeprefix(prefix): shown
            for key, shown in self._study.user_attrs.items()
            if key.startswith(prefix) and not key.endswith(self.id)
        }
        for other, shown in named.items():
            if self._alive_here(other, shown):
                raise _not_alone(shown)
        states = (TrialState.RUNNING,)
        running = self._study.get_trials(deepcopy=False, states=states)
        far = {str(trial.user_attrs.get(RUNNER)) for trial in running} & named.keys()
        for other in far:
            if self._alive_here(other, named[other]) is None:
                place = named[other]["host"]
                say(f"waiting {self.grace:.0f} s at most for a sign of life from {place}")
                while self._is_fresh(other, self._beat_of(other)):
                    if self._seen[other][0] != named[other]["beat"]:
                        raise _not_alone(named[other])
                    time.sleep(min(0.5, self._heartbeat))

    def _beat_of(self, runner: str) -> Any:
        shown = self._shown(runner)
        return shown and shown["beat"]

    def _alive_here(self, runner: str, shown: Mapping[str, Any]) -> bool | None:
        """None: it is, or was, on another machine, or has another results folder."""
        lock = self._lock_of(runner)
        if shown["beat"] < 0:
            return False
        if shown["host"] != socket.gethostname() or not lock.is_file():
            return None
        try:
            with file_lock(lock, blocking=False):
                return False
        except LockHeld:
            return True

    def _is_fresh(self, runner: str, beat: Any) -> bool:
        last, since = self._seen.get(runner, (..., 0.0))
        if last != beat:
            self._seen[runner] = (beat, self._clock())
            return True
        return self._clock() - since <= self.grace

    def _shown(self, runner: str) -> Mapping[str, Any] | None:
        return self._study.user_attrs.get(f"{RUNNER}:{runner}")

    def _beat(self) -> None:
        beat = 0
        while not self._over.wait(self._heartbeat):
            beat += 1
            with contextlib.suppress(Exception):  # tried again; whoever tells a trial will say it
                self._show(beat)

    def _show(self, beat: int) -> None:
        me = {"host": socket.gethostname(), "pid": os.getpid(), "beat": beat}
        self._study.set_user_attr(f"{RUNNER}:{self.id}", me)

    def _name(self, trial: Trial | FrozenTrial, runner: str) -> None:
        storage = self._study._storage  # pyright: ignore[reportPrivateUsage]
        with contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError):
            storage.set_trial_user_attr(trial._trial_id, RUNNER, runner)  # pyright: ignore[reportPrivateUsage]

    def _lock_of(self, runner: str) -> Path:
        return self._folder / f"runner-{runner}.lock"


def _not_alone(shown: Mapping[str, Any]) -> SettingsError:
    return SettingsError(
        [
            f"study.join=false: process {shown['pid']} on {shown['host']} works on this study; "
            "study.join=true works beside it, or wait for it to end"
        ]
    )
