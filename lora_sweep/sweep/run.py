"""Trials run as one job: looked up, merged into a stage tree, trained family by family."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lora_sweep.config.settings import Model, Settings, TeLora
from lora_sweep.errors import LoraSweepError, ModelError, SettingsError
from lora_sweep.model.adapters import check_targets
from lora_sweep.model.base import Base, load_base
from lora_sweep.results.lock import LockHeld
from lora_sweep.results.progress import Progress, say
from lora_sweep.results.store import Store
from lora_sweep.results.tracker import tracker_problems
from lora_sweep.results.trial_record import TrialRecord, TrialState
from lora_sweep.sweep.checkpoints import CheckpointIndex
from lora_sweep.sweep.device import device_problems, open_device
from lora_sweep.sweep.family import FamilyRun, note_fault
from lora_sweep.sweep.interrupt import Interrupt, interruptible
from lora_sweep.sweep.live import Live
from lora_sweep.sweep.lookup import is_settled
from lora_sweep.sweep.prepare import Prepared, preparation_key, prepare
from lora_sweep.sweep.request import TrialRequest, resolve_request
from lora_sweep.sweep.stages import spec_of
from lora_sweep.sweep.tree import Family, build_tree
from lora_sweep.sweep.trial_log import TrialLog


@dataclass(frozen=True)
class TrialResult:
    """What became of a trial."""

    record: TrialRecord
    folder: Path

    fault: Exception | None = None  # what stopped it in this run

    @property
    def failed(self) -> bool:
        """Whether there is no adapter to use."""
        return self.record.state is not TrialState.done


def run_trial(settings: Settings) -> TrialResult:
    """Train the trial that the settings ask for, go on with it, or find that it is done.

    Raises SettingsError, DataError and ModelError before anything of the trial is written,
    StoreError where the results folder cannot be used. What stops the training itself is recorded
    in trial.json; it is raised, save that a trial that diverges is a result. The first SIGINT or
    SIGTERM while steps are taken lets the step end and saves it; then KeyboardInterrupt is raised.
    """
    problems = device_problems(settings) + tracker_problems(settings.tracker)
    request = resolve_request(settings, problems)
    (result,) = run_requests([request], Store(Path(settings.results.dir)))
    if isinstance(result.fault, LoraSweepError):
        raise result.fault
    if result.fault is not None:
        raise LoraSweepError(f"{request.name} failed: {result.record.error}") from result.fault
    return result


def run_requests(
    requests: Sequence[TrialRequest], store: Store, group: str | None = None
) -> list[TrialResult]:
    """Train what is not settled yet; results in the order of the requests, equal ones repeated.

    A trial that fails is recorded and the rest go on. `group` is the sweep's name for trackers.
    Raises StoreError where the results folder cannot be used, and KeyboardInterrupt after the step
    in which it was asked for.
    """
    store.check_writable()
    by_id = {request.id: request for request in requests}
    open_requests = {id_: r for id_, r in by_id.items() if not _settled(store, r, aloud=True)}
    with interruptible() as interrupt:
        run = _Job(open_requests, store, group, interrupt, _Bases())
        run.run()
    return [_result(store, request, run.faults.get(request.id)) for request in requests]


def _settled(store: Store, request: TrialRequest, aloud: bool = False) -> bool:
    folder = store.trial(request.id)
    record = folder.read_record()
    if record is None or not is_settled(folder, record, request.settings):
        return False
    if aloud and record.state is TrialState.done:
        say(f"{record.name}: already done ({folder.path})")
    elif aloud:
        again = f"remove {folder.path} to train it again"
        say(f"{record.name}: already {record.state.value} ({record.error}); {again}")
    return True


def _result(store: Store, request: TrialRequest, fault: Exception | None) -> TrialResult:
    folder = store.trial(request.id)
    record = folder.read_record() or TrialRecord(request.id, name=request.name)
    return TrialResult(record, folder.path, fault)


class _Bases:
    """The base of the last family: loaded once for all that follow and want the same."""

    def __init__(self) -> None:
        self._base: Base | None = None
        self._of: tuple[Model, object] | None = None

    def get(self, settings: Settings) -> Base:
        """Raises ModelError."""
        device = open_device(settings)
        if self._base is None or self._of != (settings.model, device):
            self._base = None  # first let go of the old one: two may not fit
            self._base = load_base(settings.model, device)
            self._of = (settings.model, device)
        return self._base


@dataclass
class _Job:
    requests: Mapping[str, TrialRequest]
    store: Store
    group: str | None
    interrupt: Interrupt
    bases: _Bases
    faults: dict[str, Exception] = field(default_factory=dict)
    _last: tuple[Base, object, Prepared] | None = field(default=None, init=False)

    def run(self) -> None:
        """Train all families; last those that another process is working on now."""
        families = build_tree(spec_of(request) for request in self.requests.values()).families
        name, total = self._name(), sum(family.steps_in_tree for family in families)
        with Progress(name, total) as progress:
            before, held = 0, []
            for family in families:
                try:
                    self._run_family(family.trials, progress, before, blocking=False)
                    before += family.steps_in_tree
                except LockHeld:
                    held.append(family)
            for family in held:
                self._run_family(family.trials, progress, before, blocking=True)
                before += family.steps_in_tree

    def _name(self) -> str:
        if len(self.requests) == 1:
            return next(iter(self.requests.values())).name
        return f"{len(self.requests)} trials"

    def _run_family(
        self, trials: Iterable[str], progress: Progress, before: int, *, blocking: bool
    ) -> None:
        with self._locked(sorted(trials), blocking):
            # Somebody else may have trained some of them while we waited.
            left = [
                self.requests[trial]
                for trial in trials
                if not _settled(self.store, self.requests[trial], aloud=blocking)
            ]
            for family in build_tree(spec_of(request) for request in left).families:
                self._train(family, progress, before)
                before += family.steps_in_tree

    @contextlib.contextmanager
    def _locked(self, trials: Sequence[str], blocking: bool) -> Iterator[None]:
        # In sorted order, so that two processes cannot wait for each other.
        with contextlib.ExitStack() as stack:
            for trial in trials:
                folder = self.store.trial(trial).create()
                stack.enter_context(folder.lock(blocking=blocking, on_wait=say))
            yield

    def _prepared(self, base: Base, request: TrialRequest) -> Prepared:
        """What the last family was prepared with, if this one needs the same."""
        key = preparation_key(request)
        if self._last is None or self._last[:2] != (base, key):
            self._last = None  # let go of the old latents first
            self._last = (base, key, prepare(base, request, self.store))
        return self._last[2]

    def _train(self, family: Family, progress: Progress, before: int) -> None:
        requests = [self.requests[trial] for trial in family.trials]
        settings = requests[0].settings
        try:
            base = self.bases.get(settings)
            lora = isinstance(settings.te_mode, TeLora)
            check_targets(base, settings.lora, text_encoders=lora)
        except (ModelError, SettingsError) as error:
            if len(self.requests) == 1:
                raise
            for request in requests:
                TrialLog(request, self.store).note(TrialState.failed, str(error), name=request.name)
                say(f"{request.name}: failed: {error}")
            return
        logs = {request.id: TrialLog(request, self.store, self.group) for request in requests}
        aloud = len(self.requests) > 1
        try:
            prepared = self._prepared(base, requests[0])
        except Exception as error:
            # Broad on purpose, as while training: a family that cannot begin ends no other.
            self.faults |= note_fault(list(logs.values()), error, aloud)
            return
        run = FamilyRun(
            family,
            logs,
            Live(base, prepared),
            CheckpointIndex(self.store.trials()),
            progress,
            self.interrupt,
            steps_before=before,
            aloud=aloud,
        )
        try:
            run.run()
        finally:
            self.faults |= run.faults
