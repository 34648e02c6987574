"""Whether the measures measure what they say, and what they cost: the tables of docs/measures.md.

python scripts/check_measures.py order   one adapter per seed, trained on a few pictures far too
    long, measured untrained, well trained and at the end; some ten minutes on one core
python scripts/check_measures.py real    real pictures of every packaged subject, by each embedder
python scripts/check_measures.py cost    CPU time of one evaluation, all measures included, as a
    share of a training of 500 steps; some three minutes

Ends with an error where something is not as it must be.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from lora_sweep.data.examples import Example
    from lora_sweep.results.embedders.interface import PictureEmbedder
    from lora_sweep.sweep.prepare import Prepared
    from lora_sweep.sweep.request import TrialRequest

Scores = Mapping[str, float]

PICTURES = 6
STATES = {"untrained": 0, "well trained": 250, "far too long": 2500}
"""Optimizer steps."""

ORDERS = {  # from low to high; what is not named may lie anywhere
    "val_loss": ("well trained", "untrained", "far too long"),
    "gap": ("untrained", "well trained", "far too long"),
    "drift": ("untrained", "well trained", "far too long"),
    "fit_loss": ("far too long", "well trained", "untrained"),
    "subject": ("other classes", "untrained", "well trained", "real"),
    "copying": ("untrained", "well trained", "far too long"),
}
PROMPTS = (
    "a TOK emoji",
    "a TOK emoji wearing a crown",
    "a TOK emoji dressed as Yoda",
    "a happy TOK emoji on a blue background",
)
UNGUIDED = 1.0
"""Guidance draws every sample towards the type, and hides what was learnt by heart."""
SETS = ("huggy", "y2k", "face")
KEPT_BACK = "held out"
BLIND = {("face", "clip")}
"""The packaged CLIP takes people for one another."""

COST_STEPS = 500
MOST = 0.30
"""Of the CPU time of a training of COST_STEPS that an evaluation may take."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("order", "real", "cost"))
    parser.add_argument("--seeds", type=int, default=3, help="adapters of order, rounds of cost")
    parser.add_argument(
        "--guidance", type=float, default=UNGUIDED, help=f"of samples in order ({UNGUIDED:g})"
    )
    arguments = parser.parse_args()
    import torch

    from lora_sweep.quiet import quiet_libraries

    quiet_libraries()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        match arguments.what:
            case "order":
                problems = check_order(Path(folder), arguments.seeds, arguments.guidance)
            case "real":
                problems = check_real()
            case _:
                problems = check_cost(Path(folder), arguments.seeds)
    if problems:
        sys.exit("\n".join(problems))


@dataclass(frozen=True)
class Measured:
    """A trial at one step; seconds of CPU time."""

    scores: Scores
    training: float  # since the step before
    measuring: float


def check_order(root: Path, seeds: int, guidance: float) -> list[str]:
    """Print what adapters of three ages and real pictures score; returns what lies wrong."""
    found: dict[str, list[Scores]] = {}
    for seed in range(seeds):
        request = request_of(
            "huggy", "train.batch_size=1", f"dataset.subset={PICTURES}", f"seed={seed}",
            # Rates that start at once in every seed, as Prodigy does not.
            "optimizer=adamw", "optimizer.lr=1e-3", "optimizer.te_lr=3e-3",
            f"evaluate.guidance_scale={guidance}",
            f"train.max_train_steps={max(STATES.values())}", f"results.dir={root}",
        )  # fmt: skip
        ages, prepared = measured(root, request, tuple(STATES.values()))
        reference = prepared.yardstick.pictures
        assert reference is not None and reference.embedder is not None
        real = real_scores(reference.embedder, request)
        others = [scores for name, scores in real.items() if name != KEPT_BACK]
        found.setdefault("other classes", []).append(max(others, key=lambda each: each["subject"]))
        for state, age in zip(STATES, ages, strict=True):
            found.setdefault(state, []).append(age.scores)
        found.setdefault("real", []).append(real[KEPT_BACK])
    rows: list[list[str]] = []
    problems: list[str] = []
    for name in found["untrained"][0]:
        order = ORDERS.get(name, ())
        by_seed = zip(*(found[column] for column in order), strict=True)
        holds = [all(a[name] < b[name] for a, b in itertools.pairwise(each)) for each in by_seed]
        rule = " < ".join(order)
        means = [mean_of([each[name] for each in some if name in each]) for some in found.values()]
        rows.append([f"`{name}`", *means, rule, f"{sum(holds)} of {len(holds)}" if holds else ""])
        problems += [f"{name}, seed {s}: not {rule}" for s, good in enumerate(holds) if not good]
    print_table(["measure", *found, "must be", "holds in"], rows)
    return problems


def check_real() -> list[str]:
    """Print what real pictures score by each embedder at hand; returns what lies wrong."""
    from lora_sweep.config.settings import Embedder
    from lora_sweep.results.embedders.interface import open_embedder
    from lora_sweep.results.embedders.places import NANO, Source

    rows: list[list[str]] = []
    problems: list[str] = []
    for kind in (Embedder.clip, Embedder.efficientnet, Embedder.face):
        try:
            embedder = open_embedder(Source(kind, NANO if kind is Embedder.clip else ""))
        except ModuleNotFoundError as error:
            print(f"{kind.name}: not measured, {error}", file=sys.stderr)
            continue
        for name in SETS if kind is not Embedder.face else ("face",):
            scores = real_scores(embedder, request_of(name, "evaluate=off"))
            kept_back = scores.pop(KEPT_BACK)
            nearest = max(scores, key=lambda other: scores[other]["subject"])
            tells = kept_back["subject"] > scores[nearest]["subject"]
            rows.append(
                [name, f"`{kind.name}`", f"{kept_back['subject']:.3f}",
                 f"{scores[nearest]['subject']:.3f} ({nearest})", "yes" if tells else "no",
                 f"{kept_back['copying']:.3f}"]
            )  # fmt: skip
            if tells == ((name, kind.name) in BLIND):
                problems.append(f"{kind.name} on {name}: told apart is {tells}")
    heads = ["pictures", "embedder", "new of the subject", "nearest other", "told apart", "copying"]
    print_table(heads, rows)
    return problems


def check_cost(root: Path, rounds: int) -> list[str]:
    """Print the cost of an evaluation for each text side; returns what is too dear."""
    rows: list[list[str]] = []
    problems: list[str] = []
    for te_mode in ("pivotal", "frozen", "lora"):
        shares: list[float] = []
        ages: list[Measured] = []
        for seed in range(rounds):
            request = request_of(
                "huggy", "train.batch_size=1", f"te_mode={te_mode}", f"seed={seed}",
                f"train.max_train_steps={COST_STEPS}", f"results.dir={root}",
            )  # fmt: skip
            (age,), _ = measured(root, request, (COST_STEPS,))
            ages.append(age)
            shares.append(age.measuring / age.training)
        share = statistics.median(shares)
        training = statistics.median(age.training for age in ages)
        measuring = statistics.median(age.measuring for age in ages)
        rows.append([te_mode, f"{training:.1f} s", f"{measuring:.1f} s", f"{share:.0%}"])
        if share > MOST:
            problems.append(f"te_mode={te_mode}: an evaluation takes {share:.0%}, over {MOST:.0%}")
    print_table(["te_mode", f"{COST_STEPS} steps", "one evaluation", "share"], rows)
    return problems


def request_of(name: str, *overrides: str) -> TrialRequest:
    """A trial on packaged pictures."""
    from lora_sweep.config.compose import compose
    from lora_sweep.sweep.request import resolve_request

    prior = ["prior=real"] if name == "face" else []  # brings the other people
    asked = ["evaluate.images_per_prompt=4", f"evaluate.prompts=[{','.join(PROMPTS)}]"]
    return resolve_request(compose([f"dataset={name}", *prior, *asked, *overrides]))


def measured(
    root: Path, request: TrialRequest, steps: Sequence[int]
) -> tuple[list[Measured], Prepared]:
    """Train a trial and measure it at some of its steps."""
    from lora_sweep.model.base import load_base
    from lora_sweep.results.evaluate import evaluate_trial
    from lora_sweep.results.store import Store
    from lora_sweep.sweep.device import open_device
    from lora_sweep.sweep.prepare import prepare
    from lora_sweep.training.loop import train
    from lora_sweep.training.trial import build_trial

    settings, store = request.settings, Store(root)
    base = load_base(settings.model, open_device(settings))
    prepared = prepare(base, request, store)
    trial = build_trial(
        base, settings, prepared.items, None, request.max_train_steps, prepared.text_identity
    )
    found: list[Measured] = []
    for step in steps:
        begun = time.process_time()
        for _ in train(trial, step):
            pass
        trained = time.process_time()
        scores = evaluate_trial(trial, settings, store.trial(request.id), prepared.yardstick).scores
        found.append(Measured(scores, trained - begun, time.process_time() - trained))
    trial.close()
    return found, prepared


def real_scores(embedder: PictureEmbedder, request: TrialRequest) -> dict[str, Scores]:
    """Of real pictures against those that a trial is trained on: those held out, and others."""
    from lora_sweep.results.measure.pictures import centre_square
    from lora_sweep.results.measure.similarity import copying, subject

    def embed(examples: Sequence[Example]) -> Tensor:
        data, size = request.settings.dataset, request.settings.model.resolution
        return embedder.images([centre_square(each, data, size) for each in examples])

    groups = {KEPT_BACK: request.examples.heldout}
    others = [name for name in SETS if name != request.settings.dataset.name]
    groups |= {name: request_of(name, "evaluate=off").examples.train for name in others}
    if request.class_examples:
        groups["other people"] = request.class_examples
    own = embed(request.examples.train)
    own = own[own.any(dim=1)]  # as measuring does: without pictures in which nothing was found
    found = {name: embed(examples) for name, examples in groups.items()}
    return {
        name: {"subject": subject(rows, own), "copying": copying(rows, own)}
        for name, rows in found.items()
    }


def mean_of(values: Sequence[float]) -> str:
    """Mean and standard deviation over seeds."""
    if not values:
        return ""
    spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.3f}{spread}"


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A Markdown table."""
    for row in (heads, ["---"] * len(heads), *rows):
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
