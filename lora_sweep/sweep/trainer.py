"""Families trained in this process, one after the other, on a base that stays loaded."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from lora_sweep.config.settings import Model, Settings, TeLora
from lora_sweep.errors import ModelError, SettingsError
from lora_sweep.model.adapters import check_targets
from lora_sweep.model.base import Base, load_base
from lora_sweep.results.metrics import read_metrics
from lora_sweep.results.progress import say
from lora_sweep.results.store import Store
from lora_sweep.sweep.checkpoints import CheckpointIndex
from lora_sweep.sweep.device import open_device
from lora_sweep.sweep.family import FamilyRun
from lora_sweep.sweep.faults import note_fault
from lora_sweep.sweep.hand_over import with_leaves
from lora_sweep.sweep.interrupt import Interrupt
from lora_sweep.sweep.live import Live
from lora_sweep.sweep.lookup import settled
from lora_sweep.sweep.mend import mend
from lora_sweep.sweep.once import first_alone
from lora_sweep.sweep.prepare import Prepared, preparation_key, prepare
from lora_sweep.sweep.request import TrialRequest
from lora_sweep.sweep.stages import spec_of
from lora_sweep.sweep.tree import Family, build_tree
from lora_sweep.sweep.trial_log import TrialLog, is_measured
from lora_sweep.sweep.unit import Unit
from lora_sweep.sweep.watch import Watch


class Trainer:
    """Trains units of one sweep; keeps base and pictures for the next that wants the same.

    alone: the one trial of the command; then what keeps it from beginning is raised.
    """

    def __init__(self, interrupt: Interrupt, *, alone: bool = False) -> None:
        self.interrupt = interrupt
        self.alone = alone
        self._bases = _Bases()
        self._checkpoints: tuple[Path, CheckpointIndex] | None = None
        self._last: tuple[Base, object, Prepared] | None = None
        allow_many_files()

    def train(self, unit: Unit, watch: Watch, *, blocking: bool) -> dict[str, Exception]:
        """Train what is not settled of a unit; returns what stopped trials, by trial.

        Raises LockHeld where another process is working on one of the trials, unless blocking;
        KeyboardInterrupt after the step in which it was asked for, with the state saved. Alone,
        raises ModelError and SettingsError where the base cannot be used.
        """
        store = Store(unit.root)
        faults: dict[str, Exception] = {}
        with _locked(store, sorted(unit.trials), blocking):
            # Somebody else may have trained some of them since they were looked up.
            left = {
                request.id: request
                for request in unit.requests
                if not settled(store, request.id, request.settings, say if blocking else None)
                and not _has_paused(store, request)
            }
            for trial in left:
                mend(store.trial(trial), say)
            tree = build_tree(spec_of(request) for request in left.values())
            families = [with_leaves(each, unit.leaves, unit.until) for each in tree.families]
            before = unit.steps - sum(family.steps_in_tree for family in families)
            for family in families:
                requests = [left[trial] for trial in family.trials]
                faults |= self._train(family, requests, store, unit, watch, before)
                before += family.steps_in_tree
        return faults

    def _train(
        self,
        family: Family,
        requests: Sequence[TrialRequest],
        store: Store,
        unit: Unit,
        watch: Watch,
        before: int,
    ) -> dict[str, Exception]:
        logs = {r.id: TrialLog(r, store, unit.group, unit.names.get(r.id)) for r in requests}
        settings, aloud = requests[0].settings, not self.alone
        try:
            if self._last is not None and not self._bases.has(settings):
                self._last = None  # it keeps the old base
            base = self._bases.get(settings)
            lora = isinstance(settings.te_mode, TeLora)
            check_targets(base, settings.lora, text_encoders=lora)
        except (ModelError, SettingsError) as error:
            if self.alone:
                raise
            return note_fault(list(logs.values()), error, watch, aloud)
        try:
            prepared = self._prepared(base, requests[0], store)
        except Exception as error:
            # Broad on purpose, as while training: a family that cannot begin ends no other.
            return note_fault(list(logs.values()), error, watch, aloud)
        run = FamilyRun(
            family,
            logs,
            Live(base, prepared, root=store.root),
            self._index(store, unit),
            watch,
            self.interrupt,
            steps_before=before,
            aloud=aloud,
            leaves=unit.leaves,
        )
        run.run()
        return run.faults

    def live(self, request: TrialRequest, store: Store) -> Live:
        """A base with all that a request needs, and no trial on it yet."""
        base = self._bases.get(request.settings)
        return Live(base, self._prepared(base, request, store), root=store.root)

    def _prepared(self, base: Base, request: TrialRequest, store: Store) -> Prepared:
        """What the last family was prepared with, if this one needs the same."""
        key = preparation_key(request)
        if self._last is None or self._last[:2] != (base, key):
            self._last = None  # let go of the old latents first
            with first_alone(store, (str(base.device), key)):
                self._last = (base, key, prepare(base, request, store))
        return self._last[2]

    def _index(self, store: Store, unit: Unit) -> CheckpointIndex:
        """The checkpoints that are on disk now; of the unit's trials even without a record."""
        if self._checkpoints is None or self._checkpoints[0] != store.root:
            self._checkpoints = (store.root, CheckpointIndex())
        index = self._checkpoints[1]
        index.look(dict.fromkeys([*store.trials(), *map(store.trial, unit.trials)]))
        return index


class _Bases:
    """The base of the last family: loaded once for all that follow and want the same."""

    def __init__(self) -> None:
        self._base: Base | None = None
        self._of: tuple[Model, object] | None = None

    def has(self, settings: Settings) -> bool:
        """Whether the base is the one that is loaded."""
        return self._base is not None and self._of == (settings.model, open_device(settings))

    def get(self, settings: Settings) -> Base:
        """Raises ModelError."""
        if self._base is None or not self.has(settings):
            device = open_device(settings)
            self._base = None  # first let go of the old one: two may not fit
            self._base = load_base(settings.model, device)
            self._of = (settings.model, device)
        return self._base


def _has_paused(store: Store, request: TrialRequest) -> bool:
    """Whether a trial that is to pause is measured at that step, and perhaps beyond it already."""
    folder = store.trial(request.id)
    record = folder.read_record() if request.pauses else None
    if record is None or record.steps < (request.stop_step or 0):
        return False
    rows = read_metrics(folder.metrics)
    return any(row["step"] == request.stop_step and is_measured(row) for row in rows)


@contextlib.contextmanager
def _locked(store: Store, trials: Sequence[str], blocking: bool) -> Iterator[None]:
    # In sorted order, so that two processes cannot wait for each other.
    with contextlib.ExitStack() as stack:
        for trial in trials:
            folder = store.trial(trial).create()
            stack.enter_context(folder.lock(blocking=blocking, on_wait=say))
        yield


def allow_many_files() -> None:
    """Ask for as many open files as the system allows: a large family has two for each trial."""
    if os.name == "nt":
        return
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
