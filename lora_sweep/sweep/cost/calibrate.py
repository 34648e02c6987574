"""A process that takes a few real steps for each of some trials, and tells what they cost.

python -m lora_sweep.sweep.cost.calibrate is started by a plan, which itself imports no torch. It
reads one line of JSON, the job, from standard input and writes one line for each measurement. It
may be started ahead of the job: its imports are most of its time.

{"folder": scratch, "seconds": 6, "finish": true, "trials": [{"settings": {...}, "class": 0}, ...]}
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lora_sweep.config import settings_from_plain
from lora_sweep.config.settings import (
    Pivotal,
    PivotRounding,
    Prior,
    Settings,
    Tracker,
)
from lora_sweep.errors import LoraSweepError
from lora_sweep.model.base import Base, load_base
from lora_sweep.results.checkpoint import save_checkpoint
from lora_sweep.results.measure.prompts import drift_prompts
from lora_sweep.results.store import Store
from lora_sweep.sweep.cost.timing import (
    NEVER,
    Clock,
    peak_memory,
    reset_peak,
    timed_steps,
)
from lora_sweep.sweep.device import open_device
from lora_sweep.sweep.finish import Finisher
from lora_sweep.sweep.prepare import Prepared, prepare
from lora_sweep.sweep.request import Resolver, TrialRequest
from lora_sweep.sweep.trial_log import TrialLog
from lora_sweep.sweep.worker import take_standard_output
from lora_sweep.training.trial import Trial, build_trial

IMPORT_SECONDS = time.process_time()  # by the clock on the wall, a busy disk would count

PICTURES, HELDOUT = 4, 2  # that are encoded at least


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
        self.pictures = max(PICTURES, *sizes)  # an epoch of fewer would have short batches
        self.start = self.embed = 0.0  # seconds until the base is loaded; of one picture
        self._base: tuple[object, Base] | None = None
        self._prepared: dict[object, tuple[TrialRequest, Prepared, float]] = {}

    def run(self) -> Iterator[dict[str, Any]]:
        """Measure the first trial, then others until all are measured or the time is spent."""
        end = slowest = 0.0
        for index, asked in enumerate(self.job.trials):
            began = time.perf_counter()
            if index and began + slowest > end:
                break
            try:
                told = self._measure(index, asked)
            except (LoraSweepError, RuntimeError, MemoryError) as error:
                told = [{"kind": "failed", "trial": index, "reason": str(error).split("\n")[0]}]
            yield from told
            now = time.perf_counter()
            if index == 0:  # it also loads, encodes, evaluates
                end = now + self.job.seconds
            else:
                slowest = max(slowest, now - began)

    def _measure(self, index: int, asked: dict[str, Any]) -> list[dict[str, Any]]:
        settings = _alone(settings_from_plain(asked["settings"]), self.job.folder)
        base = self._load(settings)
        request, prepared, encode = self._prepare(base, settings)
        finishes = self.job.finish and index == 0
        evaluations = self._evaluations(base, request) if finishes else []
        items = prepared.items
        reset_peak()
        with Clock(settings, base.device) as building:
            trial = build_trial(base, settings, items, items if asked["class"] else None, NEVER)
        try:
            lines = [{"kind": "step", "trial": index, **each} for each in timed_steps(trial)]
            if finishes:
                known = {"start": self.start, "encode": encode, "embed": self.embed}
                known["build"] = building.seconds
                told = _finish(trial, evaluations, self.store)
                lines.append({"kind": "finish", "trial": index, **known, **told})
            return lines
        finally:
            trial.close()

    def _load(self, settings: Settings) -> Base:
        device = open_device(settings)
        key = (settings.model, device)
        if self._base is None or self._base[0] != key:
            self._base = None
            self._prepared.clear()
            with Clock(settings, device) as loading:
                self._base = (key, load_base(settings.model, device))
            self.start = IMPORT_SECONDS + loading.seconds
        return self._base[1]

    def _prepare(self, base: Base, settings: Settings) -> tuple[TrialRequest, Prepared, float]:
        """A few of the pictures, encoded; and the seconds that one takes."""
        key = (settings.model, settings.dataset)
        if key not in self._prepared:
            request = _few_pictures(self.resolver.resolve(settings), self.pictures)
            with Clock(settings, base.device) as encoding:
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
        self.embed = self._embed(base, _measured(request, prompts=prompts, loss_timesteps=0))
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

    def _embed(self, base: Base, request: TrialRequest) -> float:
        """Seconds of one picture, after another: the first also opens what it is embedded by."""
        prepare(base, _few_pictures(request, 1), self.store)
        with Clock(request.settings, base.device) as embedding:
            prepare(base, request, self.store)
        different = {example.digest for example in request.examples.train}
        return embedding.seconds / max(1, len(different) - 1)


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
    with Clock(trial.settings, trial.base.device) as fixing:
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
        with Clock(trial.settings, trial.base.device) as spent:
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
    """The same training on square pictures, once each, without what is written elsewhere and
    without class pictures to draw.
    """
    mode = settings.te_mode
    if isinstance(mode, Pivotal):  # what would round to step 0 with each picture once
        mode = replace(mode, pivot_rounding=PivotRounding.exact)
    return replace(
        settings,
        results=replace(settings.results, dir=str(folder)),
        dataset=replace(settings.dataset, repeats=1, buckets=False),
        te_mode=mode,
        tracker=Tracker(),
        prior=Prior(),
    )


def _few_pictures(request: TrialRequest, count: int) -> TrialRequest:
    """`count` of the training pictures, some of them several times where there are not as many."""
    examples = request.examples
    train = tuple(itertools.islice(itertools.cycle(examples.train), count))
    few = replace(examples, train=train, heldout=examples.heldout[:HELDOUT])
    return replace(request, examples=few, class_examples=())


def _measured(request: TrialRequest, **changes: Any) -> TrialRequest:
    """The request with other evaluation settings."""
    asked = replace(request.settings.evaluate, **{"prompts": (), **changes})
    return replace(request, settings=replace(request.settings, evaluate=asked))


def main() -> None:
    """Wait for a job, do it, and end."""
    out = take_standard_output()  # libraries print
    line = sys.stdin.readline()
    if not line.strip():
        return  # the plan needs nothing measured
    told = json.loads(line)
    job = _Job(Path(told["folder"]), told["seconds"], told["finish"], told["trials"])
    for measured in Calibration(job).run():
        print(json.dumps(measured), file=out, flush=True)


if __name__ == "__main__":
    main()
