"""A process that takes a few real steps for each of some trials, and tells what they cost.

python -m lora_sweep.sweep.cost.calibrate is started by a plan, which itself imports no torch. It
reads one line of JSON, the job, from standard input and writes one line for each measurement. It
may be started ahead of the job: its imports are most of its time.

{"folder": scratch, "seconds": 6, "finish": true, "trials": [{"settings": {...}, "class": 0}, ...]}
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

STARTED = time.perf_counter()

from lora_sweep.config import settings_from_plain  # noqa: E402
from lora_sweep.config.settings import (  # noqa: E402
    Pivotal,
    PivotRounding,
    Prior,
    Settings,
    Tracker,
)
from lora_sweep.errors import LoraSweepError  # noqa: E402
from lora_sweep.model.base import Base, load_base  # noqa: E402
from lora_sweep.results.checkpoint import save_checkpoint  # noqa: E402
from lora_sweep.results.measure.prompts import drift_prompts  # noqa: E402
from lora_sweep.results.store import Store  # noqa: E402
from lora_sweep.sweep.cost.timing import (  # noqa: E402
    NEVER,
    Clock,
    peak_memory,
    phases,
    reset_peak,
)
from lora_sweep.sweep.device import open_device  # noqa: E402
from lora_sweep.sweep.finish import Finisher  # noqa: E402
from lora_sweep.sweep.prepare import Prepared, prepare  # noqa: E402
from lora_sweep.sweep.request import Resolver, TrialRequest  # noqa: E402
from lora_sweep.sweep.trial_log import TrialLog  # noqa: E402
from lora_sweep.training.prepare import Items  # noqa: E402
from lora_sweep.training.trial import Trial, build_trial  # noqa: E402

IMPORTED = time.perf_counter()

PICTURES, HELDOUT = 4, 2  # that are encoded at least
MOST_PICTURES = 16  # batches that need more items repeat them


@dataclass(frozen=True)
class _Job:
    folder: Path
    seconds: float
    finish: bool
    trials: list[dict[str, Any]]


class Calibration:
    """One job: a base is loaded once, pictures of a dataset are encoded once."""

    def __init__(self, job: _Job) -> None:
        self.job = job
        self.store = Store(job.folder)
        self.resolver = Resolver()
        sizes = [trial["settings"]["train"]["batch_size"] for trial in job.trials]
        self.pictures = min(max(PICTURES, *sizes), MOST_PICTURES)
        self._base: tuple[object, Base] | None = None
        self._prepared: dict[object, tuple[TrialRequest, Prepared, float]] = {}

    def run(self) -> Iterator[dict[str, Any]]:
        """Measure until all is measured or the time is spent; the first trial always."""
        end = time.perf_counter() + self.job.seconds
        slowest = 0.0
        for index, asked in enumerate(self.job.trials):
            began = time.perf_counter()
            if index and began + slowest > end:
                break
            try:
                with contextlib.redirect_stdout(sys.stderr):  # libraries print
                    told = self._measure(index, asked)
            except (LoraSweepError, RuntimeError, MemoryError) as error:
                told = [{"kind": "failed", "trial": index, "reason": str(error).split("\n")[0]}]
            yield from told
            if index:  # the first also loads, encodes, evaluates
                slowest = max(slowest, time.perf_counter() - began)

    def _measure(self, index: int, asked: dict[str, Any]) -> list[dict[str, Any]]:
        settings = _alone(settings_from_plain(asked["settings"]), self.job.folder)
        base, load = self._load(settings)
        request, prepared, encode = self._prepare(base, settings)
        finishes = self.job.finish and index == 0
        evaluations = self._evaluations(base, request) if finishes else []
        items = _repeated(prepared.items, settings.train.batch_size)
        reset_peak()
        with Clock(settings, base) as building:
            trial = build_trial(base, settings, items, items if asked["class"] else None, NEVER)
        try:
            lines = list(phases(index, trial))
            if finishes:
                lines.append({"kind": "finish", "trial": index, "encode": encode})
                lines[-1] |= {"start": IMPORTED - STARTED + load, "build": building.seconds}
                lines[-1] |= _finish(trial, evaluations, self.store)
            return lines
        finally:
            trial.close()

    def _load(self, settings: Settings) -> tuple[Base, float]:
        began = time.perf_counter()
        device = open_device(settings)
        key = (settings.model, device)
        if self._base is None or self._base[0] != key:
            self._base = None
            self._prepared.clear()
            self._base = (key, load_base(settings.model, device))
        return self._base[1], time.perf_counter() - began

    def _prepare(self, base: Base, settings: Settings) -> tuple[TrialRequest, Prepared, float]:
        """A few of the pictures, encoded; and the seconds that one takes."""
        key = (settings.model, settings.dataset)
        if key not in self._prepared:
            request = _few_pictures(self.resolver.resolve(settings), self.pictures)
            with Clock(settings, base) as encoding:
                prepared = prepare(base, _measured(request, loss_timesteps=0), self.store)
            each = encoding.seconds / len(prepared.items)
            self._prepared[key] = (request, prepared, each)
        request, prepared, each = self._prepared[key]
        return replace(request, settings=settings), prepared, each

    def _evaluations(self, base: Base, request: TrialRequest) -> list[_Evaluation]:
        """One batch of pictures with few steps and timesteps, and more of one or the other.

        What they are measured against is made here, before a trial is on the base.
        """
        asked = request.settings.evaluate
        prompts = asked.prompts[: asked.batch_size] or ("a picture",)
        each = max(1, asked.batch_size // len(prompts))
        found: list[_Evaluation] = []
        for steps, levels in ((2, 3), (6, 1), (2, 1)):  # the shortest last: what is first is slow
            changed = _measured(
                request, prompts=prompts, images_per_prompt=each, every=None,
                sample_steps=steps, loss_timesteps=levels,
            )  # fmt: skip
            prepared = prepare(base, changed, self.store)
            found.append(_Evaluation(changed, prepared, len(prompts) * each))
        return found


@dataclass(frozen=True)
class _Evaluation:
    request: TrialRequest
    prepared: Prepared
    pictures: int

    @property
    def loss_rows(self) -> int:
        """Pictures that are predicted at each timestep."""
        yardstick = self.prepared.yardstick
        items = len(yardstick.fit_items or ()) + len(yardstick.heldout_items or ())
        return items + len(drift_prompts(self.request.settings))


def _finish(
    trial: Trial, evaluations: Sequence[_Evaluation], store: Store
) -> dict[str, float | int]:
    """What measures, pictures and files take, each by its unit."""
    reset_peak()
    levels, steps, least = (_evaluate(trial, each, store) for each in evaluations)
    pictures, rows = evaluations[0].pictures, evaluations[0].loss_rows
    loss_row = max(0.0, levels - least) / (2 * rows)
    sample_step = max(0.0, steps - least) / (4 * pictures)
    rest = max(0.0, least - loss_row * rows - 2 * sample_step * pictures)
    with Clock(trial.settings, trial.base) as fixing:
        trial.conditioner.fix()
    return {
        "loss_row": loss_row,
        "sample_step": sample_step,
        "picture": rest / pictures,
        "caption": fixing.seconds / len(trial.conditioner.unique),
        **_files(trial, evaluations[-1], store),
        "memory": peak_memory(),
    }


def _evaluate(trial: Trial, evaluation: _Evaluation, store: Store) -> float:
    trial.step += 1  # pictures of another step are other files
    log = TrialLog(evaluation.request, store)
    log.open(None)
    try:
        with Clock(trial.settings, trial.base) as spent:
            Finisher(log, evaluation.prepared).evaluate(trial)
    finally:
        log.close()
    return spent.seconds


def _files(trial: Trial, evaluation: _Evaluation, store: Store) -> dict[str, float]:
    """Checkpoint and exported files, by the clock on the wall: a disk is waited for."""
    log = TrialLog(evaluation.request, store)
    log.open(None)
    began = time.perf_counter()
    tensors, meta = trial.snapshot()
    save_checkpoint(log.folder.checkpoints, trial.step, tensors, {**meta, "stage": ""}, keep=1)
    saved = time.perf_counter()
    Finisher(log, evaluation.prepared).export(trial, {})
    exported = time.perf_counter()
    log.close()
    return {"save": saved - began, "export": exported - saved}


def _alone(settings: Settings, folder: Path) -> Settings:
    """The same training without what is written elsewhere, and without class pictures to draw."""
    mode = settings.te_mode
    if isinstance(mode, Pivotal):  # what would round to step 0 with each picture once
        mode = replace(mode, pivot_rounding=PivotRounding.exact)
    return replace(
        settings,
        results=replace(settings.results, dir=str(folder)),
        dataset=replace(settings.dataset, repeats=1),
        te_mode=mode,
        tracker=Tracker(),
        prior=Prior(),
    )


def _few_pictures(request: TrialRequest, count: int) -> TrialRequest:
    examples = request.examples
    few = replace(examples, train=examples.train[:count], heldout=examples.heldout[:HELDOUT])
    return replace(request, examples=few, class_examples=())


def _measured(request: TrialRequest, **changes: Any) -> TrialRequest:
    """The request with other evaluation settings."""
    asked = replace(request.settings.evaluate, **{"prompts": (), **changes})
    return replace(request, settings=replace(request.settings, evaluate=asked))


def _repeated(items: Items, batch_size: int) -> Items:
    """At least a batch of items: an epoch of fewer would have short batches."""
    rows = [row % len(items) for row in range(max(batch_size, len(items)))]
    captions = tuple(items.captions[row] for row in rows)
    return Items(items.posterior_NCHW[rows], items.time_ids_N6[rows], captions)


def main() -> None:
    """Wait for a job, do it, and end."""
    line = sys.stdin.readline()
    if not line.strip():
        return  # the plan needs nothing measured
    told = json.loads(line)
    job = _Job(Path(told["folder"]), told["seconds"], told["finish"], told["trials"])
    for measured in Calibration(job).run():
        print(json.dumps(measured), file=sys.__stdout__, flush=True)


if __name__ == "__main__":
    main()
