"""A Weights & Biases run that is fed rows: never asks for a key, never waits for long, never stops
what it follows.
"""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lora_sweep.config.settings import Wandb
from lora_sweep.files import make_folder, without_nan
from lora_sweep.results.measures import MEASURES
from lora_sweep.results.wandb_files import (
    SECOND_ID,
    RunPlan,
    mark_sent,
    remove_unsent,
    staged_in,
)
from lora_sweep.results.wandb_mode import check_run

if TYPE_CHECKING:
    from wandb import Run

Row = Mapping[str, Any]
Say = Callable[[str], None]

INIT_SECONDS = 30.0  # to reach the server; then the run goes on offline
RETRY_SECONDS = 600.0  # for which a server that could not be reached is left alone


@dataclass(frozen=True)
class Picture:
    """A validation picture; `prompt` as it was asked for."""

    path: Path
    prompt: str
    seed: int


class WandbTracker:
    """A W&B run; each row is sent once, in the order of the steps.

    Whatever W&B raises ends the sending, with one line; metrics.jsonl has every row.
    """

    def __init__(self, run: Run, plan: RunPlan, settings: Wandb, say: Say) -> None:
        self._run: Run | None = run
        self._plan, self._settings, self._say = plan, settings, say
        # A resumed online run has rows already; W&B drops steps that go backward without a word.
        self._next_step = run.starting_step
        self._sent: set[str] = set()
        self._pictured: set[int] = set()
        _active.add(self)
        self._guarded("beginning", self._define_measures)

    def log(self, step: int, row: Row) -> None:
        values = {k: v for k, v in without_nan(dict(row)).items() if k != "step" and v is not None}
        self._send(step, values)

    def pictures(self, step: int, pictures: Sequence[Picture]) -> None:
        if pictures and step >= self._next_step and step not in self._pictured:
            self._pictured.add(step)
            self._guarded(f"step {step}", lambda: self._send_pictures(step, pictures))

    def finish(self, summary: Row, failed: bool = False, settled: bool = True) -> None:
        self._guarded("the end", lambda: self._finish(summary, failed, settled))
        self._close()

    def _define_measures(self) -> None:
        assert self._run is not None
        for measure in MEASURES.values():
            best = {"lower": ",min", "higher": ",max", None: ""}[measure.better]
            self._run.define_metric(measure.name, summary=f"last{best}")

    def _send(self, step: int, values: Mapping[str, Any]) -> None:
        if self._run is None or not values or step < self._next_step:
            return
        run = self._run
        self._guarded(f"step {step}", lambda: run.log(dict(values), step=step))
        self._sent |= set(values)
        self._next_step = step

    def _send_pictures(self, step: int, pictures: Sequence[Picture]) -> None:
        import wandb

        images = [wandb.Image(str(p.path), caption=f"{p.prompt} (seed {p.seed})") for p in pictures]
        table = wandb.Table(columns=["trial", "step", "prompt", "seed", "picture"])
        for picture, image in zip(pictures, images, strict=True):
            table.add_data(self._plan.name, step, picture.prompt, picture.seed, image)
        with staged_in(self._plan.folder):
            self._send(step, {"samples": images, "samples_table": table})

    def _finish(self, summary: Row, failed: bool, settled: bool) -> None:
        run = self._run
        if run is None:
            return
        values = {k: v for k, v in without_nan(dict(summary)).items() if v is not None}
        for name in MEASURES.keys() & values.keys():
            last = values.pop(name)
            # From the rows W&B keeps {last, min} by itself; a plain number would take their place.
            if name not in self._sent and not run.starting_step:
                values[name] = {"last": last}
        run.summary.update(values)
        run.finish(exit_code=int(failed))
        if settled:
            mark_sent(self._settings, self._plan)

    def _guarded(self, where: str, act: Callable[[], None]) -> None:
        if self._run is None:
            return
        try:
            act()
        except Exception as error:
            # Broad on purpose: a tracker ends no training, whatever it raises.
            say_once(self._say, f"W&B stopped ({first_line(error)}); metrics.jsonl has every row")
            self._close()

    def _close(self) -> None:
        self._run = None
        _active.discard(self)


_active: set[WandbTracker] = set()
_said: set[str] = set()
_unreachable: dict[str, tuple[float, str]] = {}  # by server: when, and why


def start_run(settings: Wandb, plan: RunPlan, say: Say) -> Run | None:
    """A run, online where a key is configured and the server answers, else offline.

    None when W&B is switched off or cannot write. `say` gets a line unless the run is online, the
    same line once. An offline run takes the place of those of its id that were not sent yet: it is
    fed from the first step. Raises SettingsError.
    """
    mode, reason = check_run(settings)
    if mode == "disabled":
        return None
    try:
        make_folder(plan.folder)
        if mode == "online":
            run, reason, plan = _start_online(settings, plan)
            if run is not None:
                return run
        remove_unsent(plan)
        run = _init(settings, plan, mode="offline")
    except Exception as error:
        # Broad on purpose: not all that wandb raises is its own, and none of it stops a training.
        say_once(say, f"W&B: {reason}, and cannot be written offline ({first_line(error)})")
        return None
    runs = shlex.quote(str(Path(run.dir).parents[1]))
    say_once(say, f"W&B: {reason}; writing offline, send it later with: wandb sync {runs}")
    return run


def _start_online(settings: Wandb, plan: RunPlan) -> tuple[Run | None, str, RunPlan]:
    """The run; else why there is none, and the plan with an id that is free."""
    import wandb

    server = wandb.setup().settings.base_url
    tried, reason = _unreachable.get(server, (-math.inf, ""))
    began = time.monotonic()
    if began - tried < RETRY_SECONDS:
        return None, reason, plan
    try:
        return _init(settings, plan, mode="online", resume="allow"), "", plan
    except Exception as error:
        reason = f"no run on the server ({first_line(error)})"
        if time.monotonic() - began > INIT_SECONDS / 2:  # a sweep would wait again for each trial
            _unreachable[server] = (time.monotonic(), reason)
    # Its service keeps the id of a run that failed to start until the service is torn down.
    if _active:  # tearing down would end these runs
        return None, reason, replace(plan, id=f"{plan.id}{SECOND_ID}")
    wandb.teardown()
    return None, reason, plan


def _init(settings: Wandb, plan: RunPlan, **more: Any) -> Run:
    import wandb

    chosen: dict[str, Any] = {
        "console": "off",
        "silent": True,  # the one line that matters is said here
        "disable_git": True,
        "disable_code": True,
        "init_timeout": INIT_SECONDS,
        "host": "",
        # Of several runs in one process each would measure the same machine.
        "x_disable_stats": plan.group is not None,
        # The metadata hold the command line, which may name private things.
        "x_disable_meta": True,
        "x_disable_machine_info": True,
        "x_save_requirements": False,
    }
    known = wandb.Settings.model_fields
    return wandb.init(
        id=plan.id,
        project=settings.project,
        entity=settings.entity,
        name=plan.name,
        group=plan.group,
        job_type=plan.job_type,
        tags=list(plan.tags),
        config=dict(plan.config),
        dir=str(plan.folder),
        reinit="create_new",  # the default gives back the run before, with its settings
        settings=wandb.Settings(**{k: v for k, v in chosen.items() if k in known}),
        **more,
    )


def say_once(say: Say, line: str) -> None:
    """Say a line unless this process has said it before: a sweep has hundreds of runs."""
    if line not in _said:
        _said.add(line)
        say(line)


def first_line(error: Exception) -> str:
    """What an error says, in short."""
    return (str(error).partition("\n")[0] or type(error).__name__)[:200]
