"""Trials run as one job: looked up, merged into a stage tree, trained family by family. No torch
where the training is done by other processes.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lora_sweep.config.settings import Settings
from lora_sweep.errors import LoraSweepError, SettingsError, StoreError
from lora_sweep.results.board import FAULTY, Board, BoardTrial
from lora_sweep.results.names import TrialName, names_of
from lora_sweep.results.progress import say
from lora_sweep.results.store import Store
from lora_sweep.results.tracker import tracker_problems
from lora_sweep.results.trial_record import TrialRecord, TrialState
from lora_sweep.results.views import view_of
from lora_sweep.sweep.cluster.options import ClusterOptions
from lora_sweep.sweep.executor import Executor, InProcess
from lora_sweep.sweep.gpus import gpus_for
from lora_sweep.sweep.interrupt import STOPPING, Interrupt, interruptible
from lora_sweep.sweep.lookup import settled
from lora_sweep.sweep.pool import WorkerPool
from lora_sweep.sweep.request import TrialRequest, resolve_request
from lora_sweep.sweep.trial_log import catch_up
from lora_sweep.sweep.unit import Unit, units_of


@dataclass(frozen=True)
class TrialResult:
    """What became of a trial."""

    record: TrialRecord
    folder: Path

    fault: Exception | None = None  # what stopped it in this run
    submitted: bool = False  # somebody else trains it, and nobody waits for that

    @property
    def failed(self) -> bool:
        """Whether there is no adapter to use, and none will come."""
        return self.record.state is not TrialState.done and not self.submitted


def run_trial(settings: Settings) -> TrialResult:
    """Train the trial that the settings ask for, go on with it, or find that it is done.

    Raises SettingsError, DataError and ModelError before anything of the trial is written,
    StoreError where the results folder cannot be used. What stops the training itself is recorded
    in trial.json; it is raised, save that a trial that diverges is a result. The first SIGINT or
    SIGTERM while steps are taken lets the step end and saves it; then KeyboardInterrupt is raised.
    """
    from lora_sweep.sweep.device import device_problems  # these import torch
    from lora_sweep.sweep.targets import target_problems

    problems = device_problems(settings) + target_problems(settings)
    problems += tracker_problems(settings.tracker)
    request = resolve_request(settings, problems)
    (result,) = run_requests([request], Store(Path(settings.results.dir)))
    if isinstance(result.fault, LoraSweepError):
        raise result.fault
    if result.fault is not None:
        raise LoraSweepError(f"{request.name} failed: {result.record.error}") from result.fault
    return result


def run_requests(
    requests: Sequence[TrialRequest],
    store: Store,
    group: str | None = None,
    *,
    workers: int | None = 1,
    max_failures: int | None = None,
    names: Mapping[str, TrialName] | None = None,
    cluster: ClusterOptions | None = None,
    on_end: Callable[[], None] = lambda: None,
) -> list[TrialResult]:
    """Train what is not settled yet; results in the order of the requests, equal ones repeated.

    A trial that fails is recorded and the rest go on, unless `max_failures` of this run have failed
    or diverged: then steps in hand are ended and saved, and what is left stays as it is.

    workers: processes that train; 1 stays in this one; None takes one per visible GPU, and one
    where there is none. Each gets whole families, those with the most steps first; a family is not
    cut, so more workers than families help nobody. Results are the same for any number.
    group: the sweep's name for trackers. names: what trackers and the live table call the trials;
    without them, what varies among the settings. cluster: whose machines train, in place of
    `workers` here; where it is asked to detach, what is left comes back as submitted. on_end: is
    called when a trial is done, failed or diverged.

    Raises StoreError where the results folder cannot be used, ClusterError where a cluster does not
    do its part, and KeyboardInterrupt after the step in which it was asked for.
    """
    store.check_writable()
    by_id = {request.id: request for request in requests}
    states = {id_: settled(store, id_, r.settings, say) for id_, r in by_id.items()}
    names = names or names_of({id_: request.settings for id_, request in by_id.items()})
    open_requests = [by_id[id_] for id_, state in states.items() if state is None]
    units, saved = units_of(open_requests, store.root, group, names)
    labels = {id_: name.name or by_id[id_].name for id_, name in names.items()}
    board = _board(by_id, states, labels, units, saved)
    board.on_end = on_end
    if not units:
        catch_up(requests, store, group, names)
        return [_result(store, request) for request in requests]
    executor = executor_of(units, workers, alone=len(by_id) == 1, cluster=cluster)
    execute(lambda interrupt: executor.run(units, board, interrupt), board, max_failures)
    catch_up(requests, store, group, names)
    return [
        _result(store, request, executor.faults.get(request.id), executor.left)
        for request in requests
    ]


def _board(
    requests: Mapping[str, TrialRequest],
    states: Mapping[str, TrialState | None],
    labels: Mapping[str, str],
    units: Sequence[Unit],
    saved: int,
) -> Board:
    trials = [
        BoardTrial(
            id_,
            labels[id_],
            request.max_train_steps,
            states[id_] or TrialState.waiting,
            request.max_train_steps if states[id_] is TrialState.done else 0,
        )
        for id_, request in requests.items()
    ]
    return Board(trials, sum(unit.steps for unit in units), saved)


def executor_of(
    units: Sequence[Unit],
    workers: int | None,
    *,
    alone: bool,
    cluster: ClusterOptions | None = None,
) -> Executor:
    """Who trains the units, and no more than there are; workers: None is one per visible GPU.

    Raises SettingsError where others are asked for and this process trains together with its like.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        if cluster is not None or (workers or 1) > 1:
            raise SettingsError([
                f"hydra.launcher.workers={workers}: must be null or 1, and hydra/launcher=tree, "
                "where several processes train one trial"
            ])  # fmt: skip
        return InProcess(alone=alone)
    if cluster is not None:
        from lora_sweep.sweep.cluster.build import cluster_executor

        return cluster_executor(cluster)
    gpus = gpus_for(units)
    count = min(len(units), workers if workers is not None else max(1, len(gpus)))
    if count <= 1:
        return InProcess(alone=alone)
    return WorkerPool(count, gpus)


def execute(work: Callable[[Interrupt], None], board: Board, max_failures: int | None) -> None:
    """Work, showing how it stands; raises KeyboardInterrupt if a user asked to stop."""
    with interruptible() as interrupt:
        board.on_fault = lambda: _stop_at(max_failures, board, interrupt)
        view = view_of(board, notice=lambda: STOPPING if interrupt.asked else "")
        interrupt.aloud = not view.shows_notice
        try:
            with view:
                work(interrupt)
        except KeyboardInterrupt:
            if len(board.trials) > 1:
                say(_left(board))
            if interrupt.by_user:
                raise
            say(f"stopped early: {interrupt.reason}; run the same command again to go on")


def _stop_at(max_failures: int | None, board: Board, interrupt: Interrupt) -> None:
    if max_failures is not None and board.faults >= max_failures:
        interrupt.stop(
            f"{board.faults} of the trials failed or diverged and sweep.max_failures={max_failures}"
        )


def _left(board: Board) -> str:
    """How a sweep stands that was stopped."""
    counts: Counter[TrialState] = board.counts
    faulty = sum(counts[state] for state in FAULTY)
    done = counts[TrialState.done]
    left = len(board.trials) - done - faulty
    failed = f", {faulty} failed or diverged" if faulty else ""
    steps = f"{board.position} of {board.total_steps} steps are taken and saved"
    return f"{done} of {len(board.trials)} trials are done{failed}, {left} are left; {steps}"


def _result(
    store: Store, request: TrialRequest, fault: Exception | None = None, left: bool = False
) -> TrialResult:
    folder = store.trial(request.id)
    try:
        record = folder.read_record() or TrialRecord(request.id, name=request.name)
    except StoreError as error:
        fault = fault or error
        record = TrialRecord(request.id, name=request.name)
    if fault is not None and record.state in (TrialState.waiting, TrialState.running):
        # The fault may be that nothing could be written, of itself neither.
        record = record.with_(state=TrialState.failed, error=str(fault))
    submitted = left and record.state in (TrialState.waiting, TrialState.running)
    return TrialResult(record, folder.path, fault, submitted)
