"""A sweep from the command line: every trial checked first, run as one job, summed up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lora_sweep.config.settings import Settings
from lora_sweep.errors import DataError, SettingsError
from lora_sweep.results.progress import say
from lora_sweep.results.store import Store
from lora_sweep.results.summary import SweepRow, print_table, write_summary
from lora_sweep.results.tracker import tracker_problems
from lora_sweep.sweep.device import device_problems
from lora_sweep.sweep.plan import describe
from lora_sweep.sweep.request import TrialRequest, resolve_request
from lora_sweep.sweep.run import TrialResult, run_requests
from lora_sweep.sweep.stages import spec_of
from lora_sweep.sweep.tree import build_tree


def run_sweep(
    trials: Sequence[Settings], overrides: Sequence[Sequence[str]], folder: Path
) -> list[TrialResult]:
    """Run trials as one job; `overrides` say what each was asked for, `folder` takes the summary.

    Raises SettingsError with the problems of all trials, each with its number and overrides, before
    anything is trained.
    """
    requests = resolve_all(trials, overrides)
    root = trials[0].results.dir
    store = Store(Path(root))
    store.check_writable()
    for line in describe(build_tree(spec_of(request) for request in requests)):
        say(line)
    results = run_requests(requests, store, group=folder.name)
    rows = [
        SweepRow(asked, request.settings, result.record)
        for asked, request, result in zip(overrides, requests, results, strict=True)
    ]
    summary = store.sweep(folder)
    write_summary(summary, rows)
    print_table(rows)
    say(f"table: {summary.summary}")
    return results


def resolve_all(
    trials: Sequence[Settings], overrides: Sequence[Sequence[str]]
) -> list[TrialRequest]:
    """Every trial of a sweep, ready to run; raises SettingsError with the problems of all."""
    requests: list[TrialRequest] = []
    found: dict[str, list[str]] = {}  # trials by problem: one fault is often in all of them
    for number, (settings, asked) in enumerate(zip(trials, overrides, strict=True)):
        more = device_problems(settings) + tracker_problems(settings.tracker)
        if settings.results.dir != trials[0].results.dir:
            more.append(
                f"results.dir={settings.results.dir}: must be the same for all trials of a sweep, "
                f"and the first has {trials[0].results.dir}"
            )
        try:
            requests.append(resolve_request(settings, more))
        except (SettingsError, DataError) as error:
            for problem in error.problems:
                found.setdefault(problem, []).append(f"{number} ({' '.join(asked)})")
    if found:
        raise SettingsError([_told(problem, of, len(trials)) for problem, of in found.items()])
    return requests


def _told(problem: str, trials: Sequence[str], total: int) -> str:
    if len(trials) == total and total > 1:
        return f"all {total} trials: {problem}"
    shown = ", ".join(trials[:3]) + (f" and {len(trials) - 3} more" if len(trials) > 3 else "")
    return f"trial{'s' if len(trials) > 1 else ''} {shown}: {problem}"
