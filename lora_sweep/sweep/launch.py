"""A sweep from the command line: every trial checked first, run as one job, summed up."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lora_sweep.errors import StoreError
from lora_sweep.results.closing_table import print_table
from lora_sweep.results.lock import LockHeld, file_lock
from lora_sweep.results.names import TrialName, group_name, names_of
from lora_sweep.results.progress import say
from lora_sweep.results.report import write_report
from lora_sweep.results.store import Store, SweepFolder
from lora_sweep.results.summary import SweepRow, write_summary
from lora_sweep.results.trial_record import DamagedRecord, TrialRecord
from lora_sweep.results.wandb_sweep import log_sweep
from lora_sweep.sweep.asked import Check, Composed, Resolved, resolve_all, store_of
from lora_sweep.sweep.options import SweepOptions
from lora_sweep.sweep.plan import describe
from lora_sweep.sweep.run import TrialResult, run_requests
from lora_sweep.sweep.stages import spec_of
from lora_sweep.sweep.tree import build_tree
from lora_sweep.sweep.tree_plain import tree_to_plain

SUMMARY_SECONDS = 60.0  # between two writings of summary.csv while trials are trained


def run_sweep(
    trials: Sequence[Composed],
    overrides: Sequence[Sequence[str]],
    folder: Path,
    options: SweepOptions | None = None,
    about: Mapping[str, Any] | None = None,
) -> list[TrialResult | None]:
    """Run trials as one job; results in their order, None for those left out as impossible.

    overrides: what each was asked for. folder: takes the summary and the report. about: what else
    sweep.json tells of the sweep, such as its name and axes. Raises SettingsError with the problems
    of all trials, each with its number and overrides, before anything is trained.
    """
    options = options or SweepOptions()
    resolved = resolve_all(trials, overrides, options, _checks(options))
    store = store_of(resolved)
    store.check_writable()
    with _own_folder(store, folder) as sweep:
        done = _run(resolved, overrides, store, sweep, options, about or {})
    results = dict(zip(resolved.numbers, done, strict=True))
    return [results.get(number) for number in range(len(trials))]


@contextlib.contextmanager
def _own_folder(store: Store, folder: Path) -> Iterator[SweepFolder]:
    """The sweep's folder; one beside it where another sweep, begun in the same second, has it."""
    for number in itertools.count(1):
        sweep = store.sweep(folder.with_name(f"{folder.name}-{number}") if number > 1 else folder)
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(file_lock(sweep.lock_file, blocking=False))
            except LockHeld:
                continue
            yield sweep
            return


def _run(
    resolved: Resolved,
    overrides: Sequence[Sequence[str]],
    store: Store,
    sweep: SweepFolder,
    options: SweepOptions,
    about: Mapping[str, Any],
) -> list[TrialResult]:
    """Run what was resolved, and write what there is to say of it."""
    tree = build_tree(spec_of(request) for request in resolved.requests)
    for line in describe(tree):
        say(line)
    left_out = [each.to_plain() for each in resolved.left_out]
    about = {**about, "left_out": left_out, "tree": tree_to_plain(tree)}
    names = _names(resolved, overrides)
    group = group_name(about.get("name"), sweep.path, names)
    summarize = partial(_summarize, sweep, store, resolved, overrides, about)
    summarize()  # ahead, and now and then: a killed sweep has its list, and how it stood
    try:
        done = run_requests(
            resolved.requests,
            store,
            group,
            workers=options.workers,
            max_failures=options.max_failures,
            names=names,
            cluster=options.cluster,
            on_end=_at_most_every(SUMMARY_SECONDS, summarize),
        )
    finally:
        rows = summarize()
    if any(result.submitted for result in done):
        say(f"to see how it stands: python -m lora_sweep.sweep.status {sweep.path}")
        return done
    print_table(rows)
    say(f"table: {sweep.summary}")
    report_on(sweep, store)
    log_sweep(resolved.requests[0].settings.tracker, group, sweep, rows, say)
    return done


def _checks(options: SweepOptions) -> Sequence[Check]:
    """What this machine has to have: where others train, nothing."""
    if options.cluster is not None:
        return ()
    from lora_sweep.sweep.device import device_problems  # these import torch
    from lora_sweep.sweep.targets import target_problems

    return (device_problems, target_problems)


def _at_most_every(seconds: float, write: Callable[[], object]) -> Callable[[], None]:
    """Passes calls over that come sooner after the last, and what it raises: it is tried again."""
    last = time.monotonic()

    def call() -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            with contextlib.suppress(StoreError):
                write()
            last = time.monotonic()

    return call


def _names(resolved: Resolved, overrides: Sequence[Sequence[str]]) -> Mapping[str, TrialName]:
    """What trackers call the trials: what varies, in the words of the command line."""
    trials = {request.id: request.settings for request in resolved.requests}
    asked = {
        request.id: overrides[number]
        for number, request in zip(resolved.numbers, resolved.requests, strict=True)
    }
    return names_of(trials, asked)


def _summarize(
    sweep: SweepFolder,
    store: Store,
    resolved: Resolved,
    overrides: Sequence[Sequence[str]],
    about: Mapping[str, Any],
) -> list[SweepRow]:
    """Write sweep.json and summary.csv by what the trials' own records say."""
    rows: list[SweepRow] = []
    for number, request in zip(resolved.numbers, resolved.requests, strict=True):
        try:
            record = store.trial(request.id).read_record()
        except DamagedRecord:
            record = None  # it is made again before the trial goes on
        record = record or TrialRecord(request.id, name=request.name)
        rows.append(SweepRow(overrides[number], request.settings, record))
    write_summary(sweep, rows, about)
    return rows


def report_on(sweep: SweepFolder, store: Store) -> None:
    """Write the report; that it cannot be written is said, and stops nothing."""
    try:
        path = write_report(sweep, store)
    except Exception as error:
        # Broad on purpose: the trials are done and on disk, and the report can be written again.
        again = f"python -m lora_sweep.results.report {sweep.path}"
        say(f"report: not written ({type(error).__name__}: {error}); again: {again}")
    else:
        say(f"report: {path}")
