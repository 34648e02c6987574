"""Studies whose trials are not trained: an executor that writes what training would leave."""

from __future__ import annotations

import math
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial
from safetensors.numpy import save

from lora_sweep.config.settings import (
    AdamW,
    Dataset,
    Evaluate,
    Lora,
    Prodigy,
    Results,
    Settings,
    TeMode,
    Train,
)
from lora_sweep.config.study import Choice, Number, Study, parse_condition
from lora_sweep.files import atomic_write
from lora_sweep.results.board import Board
from lora_sweep.results.metrics import MetricsWriter
from lora_sweep.results.store import Store
from lora_sweep.results.summary import SweepRow
from lora_sweep.results.trial_record import TrialRecord, TrialState
from lora_sweep.sweep.executor import More, no_more
from lora_sweep.sweep.interrupt import Interrupt
from lora_sweep.sweep.lookup import settings_yaml, settled
from lora_sweep.sweep.options import SweepOptions
from lora_sweep.sweep.search.hand import Compose
from lora_sweep.sweep.search.launch import StudyAsked, run_study
from lora_sweep.sweep.search.space import Part, Space
from lora_sweep.sweep.search.storage import close_storage, open_storage
from lora_sweep.sweep.unit import Unit

STEPS = 90
WEIGHTS = save({"nothing": np.zeros(1, np.float32)})


def choice(*values: Any) -> Choice:
    return Choice(values, tuple(str(value) for value in values))


RATES = Number(1e-5, 1e-2, log=True)
SPACE = Space(
    (
        Part({"rank": choice(2, 4, 8, 16), "optimizer": choice("prodigy", "adamw")}),
        Part({"optimizer.lr": RATES}, parse_condition("optimizer=adamw")),
    )
)


def composer(root: Path) -> Compose:
    """Settings of the overrides that the spaces here have."""

    def compose(lines: Sequence[str], number: int) -> Settings:
        given = dict(line.split("=") for line in lines)
        adamw = given.get("optimizer", "adamw") == "adamw"
        rate = float(given.get("optimizer.lr", 1e-3))
        return Settings(
            dataset=Dataset(name="face", set="varied", class_noun="woman"),
            optimizer=AdamW(lr=rate) if adamw else Prodigy(lr=1.0),
            lora=Lora(rank=int(given.get("rank", 4))),
            te_mode=TeMode(),
            train=Train(max_train_steps=int(given.get("train.max_train_steps", STEPS))),
            evaluate=Evaluate(loss_timesteps=1),
            results=Results(dir=str(root)),
        )

    return compose


def value_of(settings: Settings, step: int) -> float:
    """What the pretended training comes to: best at rank 8 with AdamW at 1e-3; it falls."""
    badness = abs(math.log2(settings.lora.rank) - 3) / 10
    if isinstance(settings.optimizer, AdamW):
        badness += abs(math.log10(settings.optimizer.lr) + 3) / 5
    else:
        badness += 0.15
    return round(0.1 + badness + 1 / (step + 10), 6)


@dataclass
class Pretend:
    """An executor that trains nothing; with several workers, units end in a random order."""

    workers: int = 1
    luck: int = 0
    value: Callable[[Settings, int], float] = value_of
    fails: frozenset[int] = frozenset()  # ranks
    seconds: float = 0.0  # for one unit
    faults: dict[str, Exception] = field(default_factory=dict)
    left: bool = False
    trained: list[tuple[str, int, int]] = field(default_factory=list)  # trial, from, to
    together: list[set[str]] = field(default_factory=list)  # trials in hand at one time

    def run(
        self, units: Sequence[Unit], board: Board, interrupt: Interrupt, more: More = no_more
    ) -> None:
        """See Executor."""
        chance, in_hand = random.Random(self.luck), list(units)
        while in_hand:
            interrupt.check()
            ids = [unit.trials[0] for unit in in_hand]
            assert len(set(ids)) == len(ids), "a trial is in two hands"
            self.together.append(set(ids))
            unit = in_hand.pop(chance.randrange(len(in_hand)))
            faults = self.train(unit)
            in_hand += more(unit, faults)
            assert len(in_hand) <= self.workers

    def train(self, unit: Unit) -> Mapping[str, Exception]:
        """Leave what training up to the unit's step would."""
        (request,) = unit.requests
        settings, folder = request.settings, Store(unit.root).trial(request.id)
        with folder.create().lock():
            record = folder.read_record() or TrialRecord(request.id)
            stop = request.stop_step or request.max_train_steps
            if settled(Store(unit.root), request.id, settings) or record.steps >= stop:
                return {}  # by another process, as Trainer does
            self.trained.append((request.id, record.steps, stop))
            if settings.lora.rank in self.fails:
                folder.write_record(record.with_(state=TrialState.failed, error="no luck"))
                return {request.id: RuntimeError("no luck")}
            atomic_write(folder.config, settings_yaml(settings))
            with MetricsWriter(folder.metrics, resume_step=record.steps) as rows:
                rows.extend({"step": n, "loss": 1.0} for n in range(record.steps + 1, stop + 1))
                time.sleep(self.seconds)
                score = self.value(settings, stop)
                drift = settings.lora.rank / 100
                rows.write({"step": stop, "val_loss": score, "drift": drift})
            scores = {"val_loss": None if math.isnan(score) else score, "drift": drift}
            done = stop == request.max_train_steps
            if done:
                for path in (folder.diffusers_weights, folder.kohya_weights("lora")):
                    atomic_write(path, WEIGHTS)
                atomic_write(folder.card, "a card")
            state = TrialState.done if done else TrialState.waiting
            folder.write_record(
                record.with_(state=state, steps=stop, scores=scores if done else {})
            )
        return {}


def settings_of(**changes: Any) -> Study:
    """A study named `made` by val_loss."""
    given: dict[str, Any] = {"name": "made", "objectives": ("val_loss",), "pictures": False}
    return replace(Study(**given), **changes)


def run(
    root: Path,
    study: Study,
    executor: Pretend | None = None,
    space: Space = SPACE,
    workers: int = 1,
) -> list[SweepRow]:
    """Run a study below a results folder."""
    made = executor or Pretend(workers)
    asked = StudyAsked(
        study, space, composer(root), root / "multirun" / "now", SweepOptions(workers)
    )
    return run_study(asked, executor_of=lambda count, gpus: made)


def told(root: Path, study: Study) -> list[tuple[Any, ...]]:
    """All that a study knows of its trials, save times and who had them."""
    return [facts(trial) for trial in trials_of(root, study)]


def trials_of(root: Path, study: Study) -> list[FrozenTrial]:
    """Its trials in the storage."""
    storage = open_storage(study.storage, Store(root).study(study.name or "").journal)
    try:
        return optuna.load_study(study_name=study.name, storage=storage).get_trials()
    finally:
        close_storage(storage)


def facts(trial: FrozenTrial) -> tuple[Any, ...]:
    """What must not depend on a kill."""
    values, attrs = trial.values, trial.user_attrs
    rungs = {k: v for k, v in trial.system_attrs.items() if k.startswith("completed_rung")}
    return (
        trial.number, trial.state.name, trial.params, values, trial.intermediate_values, rungs,
        attrs.get("trial"),
    )  # fmt: skip


def ended_well(pid: int, log: Path) -> None:
    """Wait for a child; what it said is in the message where it failed."""
    _, status = os.waitpid(pid, 0)
    assert status == 0, log.read_text(encoding="utf-8")
