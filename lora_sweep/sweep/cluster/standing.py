"""How a sweep stands, from its files alone. No torch."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lora_sweep.errors import StoreError
from lora_sweep.results.progress import duration
from lora_sweep.results.store import Store
from lora_sweep.results.trial_record import TrialRecord, TrialState
from lora_sweep.sweep.cluster.ledger import Batch, read_batch

SHOWN = 20  # lines of each kind
QUIET_SECONDS = 600.0  # without a row, before a running trial is said to be silent
TAIL_BYTES = 4096  # of metrics.jsonl: the last row is in them


@dataclass(frozen=True)
class JobStanding:
    """One job as its notes tell."""

    name: str
    words: str
    trials: tuple[str, ...]


def lines(store: Store, trials: Mapping[str, str]) -> list[str]:
    """What to print of some trials, given by id with what they are called."""
    records = {trial: _record(store, trial) for trial in trials}
    counts = Counter(record.state for record in records.values())
    steps = sum(record.steps for record in records.values())
    shown = ", ".join(f"{counts[s]} {s.value}" for s in TrialState if counts[s])
    found = [f"{len(trials)} trials: {shown}; {steps} steps are saved"]
    running = [trial for trial, record in records.items() if record.state is TrialState.running]
    found += _some("running", [_running(store, t, trials[t]) for t in running])
    faulty = [t for t, r in records.items() if r.state in (TrialState.failed, TrialState.diverged)]
    words = [f"{trials[t]} ({t}): {records[t].state.value}: {records[t].error}" for t in faulty]
    found += _some("failed or diverged", words)
    jobs = [f"{job.name}: {job.words}" for job in _jobs(store, set(trials))]
    return found + _some("jobs that are not over", jobs)


def _some(what: str, words: list[str]) -> list[str]:
    if not words:
        return []
    more = [f"  and {len(words) - SHOWN} more"] if len(words) > SHOWN else []
    return [f"{what}:", *(f"  {line}" for line in words[:SHOWN]), *more]


def _running(store: Store, trial: str, name: str) -> str:
    step, age = _last_row(store.trial(trial).metrics)
    words = f"{name} ({trial}): step {step}"
    if age is not None and age > QUIET_SECONDS:
        words += f", silent for {duration(age)}: killed, or in a long evaluation"
    return words


def _jobs(store: Store, trials: set[str]) -> Iterable[JobStanding]:
    for folder in store.cluster.batches():
        if folder.finished.is_file():
            continue
        batch = read_batch(folder)
        ids = batch.ids()
        for number, job in enumerate(batch.jobs):
            if {*job.trials} & trials or not job.trials:
                words = _job(batch, number, ids.get(number))
                if words is not None:
                    yield JobStanding(ids.get(number, f"{folder.name}/{number}"), words, job.trials)


def _job(batch: Batch, number: int, id_: str | None) -> str | None:
    """Where a job is; None when it is over."""
    notes, job = batch.notes(number), batch.jobs[number]
    trials = f"{len(job.trials)} trials" if len(job.trials) != 1 else f"trial {job.trials[0]}"
    if not job.trials:
        trials = "a part of a trial"
    if not notes:
        if id_ is None:
            return f"{trials}, not submitted"
        parent = job.parent
        if parent is not None and not batch.is_over(parent):
            return f"{trials}, waits for a state of job {batch.ids().get(parent, parent)}"
        return f"{trials}, waits for a machine"
    last = notes[-1]
    if last["event"] == "over":
        return None
    ago = duration(time.time() - last["time"])
    attempts = sum(note["event"] == "began" for note in notes)
    if last["event"] == "stopped":
        return f"{trials}, stopped {ago} ago: {last['reason']}"
    again = f", attempt {attempts}" if attempts > 1 else ""
    return f"{trials}, began {ago} ago on {last['host']}{again}"


def _record(store: Store, trial: str) -> TrialRecord:
    try:
        return store.trial(trial).read_record() or TrialRecord(trial)
    except StoreError as error:
        return TrialRecord(trial, state=TrialState.failed, error=str(error))


def _last_row(path: Path) -> tuple[int | str, float | None]:
    """Step of the last training row, and how long ago it came."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            tail = file.read().splitlines()
        age = time.time() - path.stat().st_mtime
    except OSError:
        return "?", None
    for line in reversed(tail):
        try:
            return int(json.loads(line)["step"]), age
        except (ValueError, KeyError, TypeError):
            continue
    return "?", age
