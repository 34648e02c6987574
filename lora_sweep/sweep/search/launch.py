"""A study from the command line: checked, opened, searched, summed up."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import OptunaError
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from lora_sweep.config.study import Study as StudySettings
from lora_sweep.errors import StoreError
from lora_sweep.results.board import Board
from lora_sweep.results.closing_table import print_table
from lora_sweep.results.lock import file_lock
from lora_sweep.results.progress import say
from lora_sweep.results.store import Store, StudyFolder
from lora_sweep.results.summary import SweepRow
from lora_sweep.results.wandb_sweep import log_sweep
from lora_sweep.sweep.cluster.build import cluster_executor
from lora_sweep.sweep.cluster.options import ClusterOptions
from lora_sweep.sweep.executor import Executor, InProcess
from lora_sweep.sweep.gpus import gpus_for
from lora_sweep.sweep.interrupt import Interrupt
from lora_sweep.sweep.launch import report_on
from lora_sweep.sweep.options import SweepOptions
from lora_sweep.sweep.pool import WorkerPool
from lora_sweep.sweep.request import TrialRequest
from lora_sweep.sweep.run import execute
from lora_sweep.sweep.search.best import best_lines
from lora_sweep.sweep.search.hand import Check, Compose, Hands
from lora_sweep.sweep.search.plan import plan_study
from lora_sweep.sweep.search.runners import Runner
from lora_sweep.sweep.search.samplers import LARGEST_GRID
from lora_sweep.sweep.search.search import Search
from lora_sweep.sweep.search.space import Space
from lora_sweep.sweep.search.storage import (
    close_storage,
    dashboard_command,
    open_storage,
    without_password,
)
from lora_sweep.sweep.search.study import StudyPlan, open_study
from lora_sweep.sweep.search.summary import summarize
from lora_sweep.sweep.unit import units_of

POLL_SECONDS = 1.0  # while others have the rest of the trials

MakeExecutor = Callable[[int, Sequence[str]], Executor]
"""Who trains: so many trials at once, on these GPUs."""


@dataclass(frozen=True)
class StudyAsked:
    """What a sweeper hands on."""

    study: StudySettings
    space: Space
    compose: Compose
    folder: Path  # Hydra's, which takes the summary and the report
    options: SweepOptions = field(default_factory=SweepOptions)


def run_study(
    asked: StudyAsked,
    checks: Sequence[Check] = (),
    executor_of: MakeExecutor | None = None,
) -> list[SweepRow]:
    """Search until the study has its trials; returns them in order.

    Raises SettingsError before anything is trained, StoreError where the storage cannot be reached,
    KeyboardInterrupt after the step in which it was asked for. The same call again goes on.
    """
    plan, example = plan_study(asked.study, asked.space, asked.compose, checks, asked.options)
    store = Store(Path(example.settings.results.dir))
    store.check_writable()
    files = store.study(plan.name)
    hands = Hands(plan, store, asked.compose, checks)
    with _opened(plan, files) as study:
        try:
            make = executor_of or partial(_executor, asked.options.cluster)
            _search(asked, plan, study, hands, example, make)
        finally:
            rows = summarize(plan, study, store, asked.compose, store.sweep(asked.folder))
        _close(plan, study, store, asked, rows, example)
    return rows


@contextlib.contextmanager
def _opened(plan: StudyPlan, files: StudyFolder) -> Iterator[optuna.Study]:
    """The study, in its storage; raises StoreError whenever that fails."""
    try:
        storage = open_storage(plan.settings.storage, files.journal)
        try:
            with file_lock(files.lock_file):  # two processes must not both make places for trials
                study = open_study(plan, storage)
            yield study
        finally:
            close_storage(storage)
    except (OptunaError, SQLAlchemyError) as error:
        place = without_password(plan.settings.storage or str(files.journal))
        raise StoreError(
            f"study.storage={place} failed: {type(error).__name__}: {str(error).splitlines()[0]}; "
            "trials are on disk, and the same command goes on"
        ) from error


def _search(
    asked: StudyAsked,
    plan: StudyPlan,
    study: optuna.Study,
    hands: Hands,
    example: TrialRequest,
    executor_of: MakeExecutor,
) -> None:
    files, board = hands.store.study(plan.name), Board([], 0)
    cluster = asked.options.cluster
    gpus = gpus_for(units_of([example], hands.store.root)[0]) if cluster is None else []
    workers = cluster.workers if cluster else asked.options.workers or max(1, len(gpus))
    artifacts = files.artifacts if plan.settings.pictures else None
    alone = not plan.settings.join
    with Runner(study, files.path, plan.settings.heartbeat, alone=alone) as runner:
        if alone:
            runner.be_alone(say)
        _say_what(plan, study, files)
        search = Search(plan, study, hands, runner, board, workers=workers, artifacts=artifacts)
        try:
            execute(
                lambda interrupt: _work(search, lambda: executor_of(workers, gpus), interrupt),
                board,
                asked.options.max_failures,
            )
        finally:
            search.let_go()


def _executor(cluster: ClusterOptions | None, workers: int, gpus: Sequence[str]) -> Executor:
    if cluster is not None:
        return cluster_executor(cluster)
    return InProcess() if workers <= 1 else WorkerPool(workers, gpus)


def _work(search: Search, make: Callable[[], Executor], interrupt: Interrupt) -> None:
    """Train what is to be had; wait for other processes at the study as long as they live."""
    while True:
        units = search.first()
        if units:
            make().run(units, search.board, interrupt, search.more)
        elif others := search.others():
            search.board.headline = f"waiting for {len(others)} trials of other processes"
            interrupt.check()
            time.sleep(POLL_SECONDS)
        else:
            return


def _say_what(plan: StudyPlan, study: optuna.Study, files: StudyFolder) -> None:
    settings = plan.settings
    told = sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False))
    pruner = settings.pruner.name
    rungs = f" at steps {', '.join(map(str, plan.rungs))}" if plan.rungs else ""
    ways = zip(plan.directions, settings.objectives, strict=True)
    say(
        f"study {plan.name}: {' and '.join(f'{way} {name}' for way, name in ways)}; "
        f"{plan.total} trials, {told} of them told; sampler {settings.sampler.name}, "
        f"pruner {pruner}{rungs}"
    )
    artifacts = files.artifacts if settings.pictures else None
    say(f"watch it: {dashboard_command(settings.storage, files.journal, artifacts)}")


def _close(
    plan: StudyPlan,
    study: optuna.Study,
    store: Store,
    asked: StudyAsked,
    rows: Sequence[SweepRow],
    example: TrialRequest,
) -> None:
    """The table, the best, the report."""
    sweep = store.sweep(asked.folder)
    if rows:
        print_table(rows, by=plan.settings.objectives[0])
    counts: dict[TrialState, int] = {}
    for trial in study.get_trials(deepcopy=False):
        counts[trial.state] = counts.get(trial.state, 0) + 1
    words = ", ".join(f"{count} {state.name.lower()}" for state, count in counts.items())
    say(f"study {plan.name}: {words}")
    for line in best_lines(study, plan.settings.objectives):
        say(line)
    say(f"table: {sweep.summary}")
    if rows:
        report_on(sweep, store)
        log_sweep(example.settings.tracker, plan.name, sweep, rows, say)


def describe_study(asked: StudyAsked, checks: Sequence[Check] = ()) -> list[str]:
    """What a study would be, for hydra/launcher=plan; nothing is opened or written."""
    plan, _ = plan_study(asked.study, asked.space, asked.compose, checks, asked.options)
    points = plan.space.num_points(LARGEST_GRID)
    rows: list[tuple[str, Any]] = [
        ("objectives", ", ".join(f"{w} {n}" for w, n in
                                 zip(plan.directions, plan.settings.objectives, strict=True))),
        ("trials", plan.total),
        ("sampler", plan.settings.sampler.name),
        ("pruner", plan.settings.pruner.name),
        ("rungs", ", ".join(map(str, plan.rungs)) or "none"),
        ("steps at most", f"{plan.total * plan.longest:,}"),
        ("points", f"{points:,}" if points else "endless" if not plan.space.is_finite
         else f"more than {LARGEST_GRID:,}"),
    ]  # fmt: skip
    lines = [f"{name:<14}{value}" for name, value in rows]
    lines += [f"  {key}: {text}" for key, text in plan.space.to_plain().items()]
    return lines
