"""The first promise: a trial is a pure function of its settings, in a tree as alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from runs import rows_of, small, weights_of

from lora_sweep.config.settings import (
    Adafactor,
    AdamW,
    Evaluate,
    Lora,
    Optimizer,
    Pivotal,
    Prior,
    PriorGenerated,
    PriorReal,
    Prodigy,
    ProdigyPlus,
    Results,
    Schedule,
    Settings,
    Snr,
    TeFull,
    TeLora,
    TeMode,
)
from lora_sweep.results.store import Store
from lora_sweep.sweep.request import resolve_request
from lora_sweep.sweep.run import TrialResult, run_requests, run_trial

Roots = Callable[[str], Path]

MODES: dict[str, TeMode] = {
    "frozen": TeMode(), "lora": TeLora(frac=0.5), "full": TeFull(frac=0.5),
    "pivotal": Pivotal(frac=0.5),
}  # fmt: skip
OPTIMIZERS: dict[str, Optimizer] = {
    "prodigy": Prodigy(), "adamw": AdamW(lr=1e-3), "adafactor": Adafactor(),
    "prodigy_plus": ProdigyPlus(),
}  # fmt: skip
SNRS = {"none": Snr(), "gamma5": Snr(gamma=5.0)}
PRIORS: dict[str, Prior] = {
    "none": Prior(),
    "generated": PriorGenerated(num_class_images=3, sample_steps=1, sample_batch_size=2),
    "real": PriorReal(num_class_images=4),
}

EVERY = [
    (mode, optimizer, snr, prior)
    for (mode, optimizer), (snr, prior) in product(
        product(MODES, OPTIMIZERS), product(SNRS, PRIORS)
    )
]
DIFFERENT = {
    # Each text side with each optimizer, and each snr with each prior, in as many cases as needed.
    (mode, optimizer, list(SNRS)[(i + j) % 2], list(PRIORS)[(i + 2 * j) % 3])
    for (i, mode), (j, optimizer) in product(enumerate(MODES), enumerate(OPTIMIZERS))
}


def at(root: Path, settings: Settings) -> Settings:
    return replace(settings, results=replace(settings.results, dir=str(root)))


def lasting(settings: Settings, *steps: int) -> list[Settings]:
    return [replace(settings, train=replace(settings.train, max_train_steps=n)) for n in steps]


def same_as_alone(
    trials: Sequence[Settings], tree: Path, alone: Callable[[Settings], TrialResult]
) -> None:
    """Train the trials as one job, and compare each with itself trained alone."""
    requests = [resolve_request(at(tree, trial)) for trial in trials]
    together = run_requests(requests, Store(tree))
    for shared, trial in zip(together, trials, strict=True):
        own = alone(trial)
        assert shared.record.id == own.record.id
        assert weights_of(shared.folder) == weights_of(own.folder)
        assert rows_of(shared.folder) == rows_of(own.folder)
        assert shared.record.scores == own.record.scores
        assert pictures_of(shared.folder) == pictures_of(own.folder)


def pictures_of(folder: Path) -> dict[str, bytes]:
    """The validation pictures and their list, by name."""
    return {path.name: path.read_bytes() for path in folder.glob("samples/*")}


@pytest.mark.parametrize(
    ("mode", "optimizer", "snr", "prior"),
    [
        pytest.param(*case, marks=() if case in DIFFERENT else pytest.mark.slow, id="-".join(case))
        for case in EVERY
    ],
)
@pytest.mark.usefixtures("one_base")
def test_in_a_tree_a_trial_leaves_the_bytes_of_the_trial_alone(
    mode: str, optimizer: str, snr: str, prior: str, new_root: Roots
) -> None:
    tree, evaluate = new_root("tree"), Evaluate(loss_timesteps=1, every=2)
    if optimizer == "prodigy_plus":  # which is evaluated on other weights than it trains
        evaluate = replace(evaluate, prompts=("a TOK",), images_per_prompt=1, sample_steps=1)
    settings = small(
        tree, te_mode=mode, snr=SNRS[snr], prior=PRIORS[prior], optimizer=OPTIMIZERS[optimizer],
        evaluate=evaluate,
    )  # fmt: skip
    settings = replace(settings, te_mode=MODES[mode])
    roots = map(new_root, ("alone-3", "alone-4"))
    same_as_alone(lasting(settings, 3, 4), tree, lambda trial: run_trial(at(next(roots), trial)))


MODES_DRAWN: list[TeMode] = [
    TeMode(), Pivotal(frac=0.5), Pivotal(frac=1.0), TeLora(frac=0.5), TeLora(frac=1.0),
]  # fmt: skip
COMMON = st.fixed_dictionaries(
    {
        "mode": st.sampled_from(MODES_DRAWN),
        "optimizer": st.sampled_from([Prodigy(), AdamW(lr=1e-3)]),
        "snr": st.sampled_from(list(SNRS.values())),
        "schedule": st.sampled_from(["constant", "constant_with_warmup", "cosine"]),
        "every": st.sampled_from([None, 1, 2]),
    }
)
OWN = st.fixed_dictionaries(
    {
        "steps": st.integers(3, 7),  # more than the steps of warming up
        "rank": st.sampled_from([2, 2, 2, 3]),  # mostly the same, so that there is much to share
        "checkpoint_every": st.sampled_from([0, 1, 3]),
    }
)


def drawn_trial(root: Path, drawn: dict[str, Any]) -> Settings:
    warmup = 2 if drawn["schedule"] == "constant_with_warmup" else 0
    settings = small(
        root,
        train={"max_train_steps": drawn["steps"], "checkpoint_every": drawn["checkpoint_every"]},
        lora=Lora(rank=drawn["rank"]),
        optimizer=drawn["optimizer"],
        snr=drawn["snr"],
        schedule=Schedule(name=drawn["schedule"], warmup_steps=warmup),
        evaluate=Evaluate(loss_timesteps=1, every=drawn["every"]),
    )
    return replace(settings, te_mode=drawn["mode"])


@pytest.mark.usefixtures("one_base")
def test_so_it_is_for_any_trials_that_are_asked_for_together(new_root: Roots) -> None:
    count, known = itertools.count(), dict[Settings, TrialResult]()

    def alone(trial: Settings) -> TrialResult:
        trial = replace(trial, train=replace(trial.train, checkpoint_every=0), results=Results())
        if trial not in known:
            known[trial] = run_trial(at(new_root(f"alone-{len(known)}"), trial))
        return known[trial]

    @examples(
        max_examples=8,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(COMMON, COMMON, st.lists(st.tuples(st.booleans(), OWN), min_size=2, max_size=4))
    def check(
        first: dict[str, Any], second: dict[str, Any], own: list[tuple[bool, dict[str, Any]]]
    ) -> None:
        tree = new_root(f"tree-{next(count)}")
        commons = [first, second | {"every": first["every"]}]
        trials = [drawn_trial(tree, commons[other] | rest) for other, rest in own]
        same_as_alone(trials, tree, alone)

    check()
