"""Trials of a grid that is on disk, handed out again in place of being trained."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

from lora_sweep.config.compose import compose
from lora_sweep.config.settings import Settings
from lora_sweep.errors import LoraSweepError
from lora_sweep.files import atomic_write, to_json
from lora_sweep.results.board import Board
from lora_sweep.results.metrics import Row, read_metrics
from lora_sweep.results.store import Store
from lora_sweep.results.trial_record import TrialRecord, TrialState
from lora_sweep.sweep.executor import More, no_more
from lora_sweep.sweep.interrupt import Interrupt
from lora_sweep.sweep.lookup import settings_yaml
from lora_sweep.sweep.request import Resolver, TrialRequest
from lora_sweep.sweep.search.hand import Compose
from lora_sweep.sweep.stages import TrialSpec, spec_of, stages
from lora_sweep.sweep.unit import Unit

GRID: Mapping[str, Sequence[str]] = {
    "te_mode": ("lora", "pivotal"),
    "optimizer": ("prodigy", "adamw"),
    "rank": ("4", "16", "32"),
    "snr": ("none", "gamma5"),
    "train.max_train_steps": ("40", "80", "120"),
}


class Found(Exception):
    """A search has come to a good point after so many steps and trials; or it never did."""

    def __init__(self, steps: int, steps_alone: int, trials: int, *, at_last: bool = True) -> None:
        self.at_last = at_last
        self.steps, self.steps_alone, self.trials = steps, steps_alone, trials
        super().__init__()


class KnownGrid:
    """The grid: its points as text, their settings for each seed, what each trial came to."""

    def __init__(self, folder: Path, fixed: Sequence[str], seeds: Sequence[int]) -> None:
        self.store = Store(folder)
        lines = [
            [f"{key}={value}" for key, value in zip(GRID, row, strict=True)]
            for row in product(*GRID.values())
        ]
        resolver = Resolver()
        self.points: dict[str, Settings] = {}
        self._requests: dict[tuple[str, int], TrialRequest] = {}
        self._rows: dict[str, list[Row]] = {}
        for point in lines:
            settings = compose([*fixed, *point, f"results.dir={folder}"])
            name = " ".join(point)
            self.points[name] = settings
            for seed in seeds:
                self._requests[name, seed] = resolver.resolve(replace(settings, seed=seed))
        missing = [r.name for r in self._requests.values() if not self._is_done(r)]
        if missing:
            raise SystemExit(f"{len(missing)} trials of the grid are not done: train it first")

    def _is_done(self, request: TrialRequest) -> bool:
        try:
            record = self.store.trial(request.id).read_record()
        except LoraSweepError:
            return False
        return record is not None and record.state is TrialState.done

    def request(self, point: str, seed: int) -> TrialRequest:
        """A trial of the grid."""
        return self._requests[point, seed]

    def specs(self, seed: int) -> Iterator[TrialSpec]:
        """All points with one seed."""
        return (spec_of(self._requests[point, seed]) for point in self.points)

    def value(self, point: str, seed: int, objective: str) -> float:
        """What a trial came to."""
        record = self.store.trial(self._requests[point, seed].id).read_record()
        value = record.scores.get(objective) if record else None
        return float("inf") if value is None else value

    def measured(self, trial: str) -> list[Row]:
        """The rows of a trial that hold measures."""
        if trial not in self._rows:
            rows = read_metrics(self.store.trial(trial).metrics)
            self._rows[trial] = [row for row in rows if "loss" not in row]
        return self._rows[trial]

    def compose(self, seed: int, root: Path) -> Compose:
        """Settings of a point of the search, with results in another folder."""

        def composed(lines: Sequence[str], number: int) -> Settings:
            settings = self.points[" ".join(lines)]
            results = replace(settings.results, dir=str(root))
            return replace(settings, seed=seed, results=results)

        return composed


class Replayed:
    """An executor that writes what the grid's trial has, and counts the steps that it would take.

    A step counts once: a trial begins at the furthest checkpoint that it or one of its stages has,
    which are at rungs, at ends of trials and at pivots.
    """

    def __init__(self, grid: KnownGrid, seed: int, good: set[str]) -> None:
        self.steps = self.steps_alone = self.units = 0
        self.seconds = self.cpu_seconds = 0.0
        self.left = False
        self.faults: dict[str, Exception] = {}
        self._grid = grid
        self._good = {grid.request(point, seed).id for point in good}
        self._checkpoints: dict[str, set[int]] = {}  # steps by stage
        self._trials: set[str] = set()

    def run(
        self, units: Sequence[Unit], board: Board, interrupt: Interrupt, more: More = no_more
    ) -> None:
        """See Executor."""
        todo = list(units)
        while todo:
            unit = todo.pop(0)
            began, cpu = time.monotonic(), time.process_time()
            self._take(unit)
            self.seconds += time.monotonic() - began
            self.cpu_seconds += time.process_time() - cpu
            todo += more(unit, {})

    def _take(self, unit: Unit) -> None:
        (request,) = unit.requests
        stop = request.stop_step or request.max_train_steps
        is_new = request.id not in self._trials
        self._trials.add(request.id)
        self.units += 1
        self._count(request, stop, is_new)
        folder = Store(unit.root).trial(request.id).create()
        rows = [row for row in self._grid.measured(request.id) if row["step"] <= stop]
        assert rows[-1]["step"] == stop, f"the grid has no measures at step {stop}"
        if is_new:
            atomic_write(folder.config, settings_yaml(request.settings))
        atomic_write(folder.metrics, "".join(f"{to_json(row)}\n" for row in rows))
        record = self._grid.store.trial(request.id).read_record() or TrialRecord(request.id)
        if stop < request.max_train_steps:
            record = record.with_(state=TrialState.waiting, steps=stop, scores={})
        else:
            source = self._grid.store.trial(request.id)
            for name in (source.diffusers_weights.name, source.card.name, "lora.safetensors",
                         "lora_emb.safetensors"):  # fmt: skip
                if (source.path / name).is_file() and not (folder.path / name).exists():
                    (folder.path / name).symlink_to((source.path / name).resolve())
        folder.write_record(record)
        if stop == request.max_train_steps and request.id in self._good:
            raise Found(self.steps, self.steps_alone, len(self._trials))

    def _count(self, request: TrialRequest, stop: int, is_new: bool) -> None:
        path = stages(spec_of(request))
        known = [
            step
            for stage in path
            for step in self._checkpoints.get(stage.key, ())
            if stage.start < step <= stage.stop
        ]
        self.steps += stop - max(known, default=0)
        own = self._checkpoints.setdefault(request.id, {0})
        self.steps_alone += stop - max(own)
        own.add(stop)
        for stage in path:
            self._checkpoints.setdefault(stage.key, set()).add(stage.stop)
