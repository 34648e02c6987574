"""The stage tree against brute force: every trial step by step, every prefix compared."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from specs import huggy, spec

from lora_sweep.config.plain import to_plain
from lora_sweep.config.resolve import pivot_step
from lora_sweep.config.settings import (
    AdamW,
    Dataset,
    Pivotal,
    PivotRounding,
    Prior,
    PriorReal,
    Schedule,
    Settings,
    TeFull,
    TeLora,
    TeMode,
    Train,
)
from lora_sweep.data.order import num_items, steps_per_epoch
from lora_sweep.sweep.stages import TrialSpec
from lora_sweep.sweep.tree import Family, Segment, StageTree, build_tree

FRACS = st.sampled_from([0.25, 0.5, 1.0])
TRIALS = st.builds(
    Settings,
    dataset=st.builds(Dataset, repeats=st.sampled_from([1, 2])),
    optimizer=st.builds(AdamW, te_lr=st.sampled_from([None, 1e-4, 3e-4, 0.0])),
    schedule=st.one_of(
        st.just(Schedule()),
        st.builds(
            Schedule,
            name=st.sampled_from(["constant", "constant_with_warmup", "cosine", "polynomial"]),
            warmup_steps=st.sampled_from([0, 2]),
            power=st.sampled_from([1.0, 2.0]),
        ),
    ),
    te_mode=st.one_of(
        st.just(TeMode()),
        st.builds(TeLora, frac=FRACS),
        st.builds(TeFull, frac=FRACS),
        st.builds(Pivotal, frac=FRACS, pivot_rounding=st.sampled_from(PivotRounding)),
    ),
    prior=st.sampled_from([Prior(), PriorReal(num_class_images=5)]),
    train=st.builds(Train, max_train_steps=st.integers(3, 12), batch_size=st.sampled_from([1, 2])),
).map(lambda chosen: spec(chosen, num_pictures=3))
# Few values in some sets, so that much is shared; all kinds in the others.
SIMILAR = st.builds(
    Settings,
    te_mode=st.builds(Pivotal, frac=FRACS, pivot_rounding=st.sampled_from(PivotRounding)),
    train=st.builds(Train, max_train_steps=st.integers(3, 12)),
).map(lambda chosen: spec(chosen, num_pictures=3))
TRIAL_SETS = st.lists(st.one_of(SIMILAR, TRIALS), min_size=1, max_size=14)
LIGHT = settings(max_examples=60, deadline=None)


def every_step(trial: TrialSpec) -> list[Any]:
    """What each step of a trial depends on beside its number, found without the planner."""
    chosen, steps = trial.settings, trial.max_train_steps
    values = to_plain(chosen)
    trains_text = chosen.te_mode.name != "frozen" and chosen.optimizer.te_lr != 0
    length = num_items(3 * chosen.dataset.repeats, 1, trial.num_class_pictures)
    epoch = steps_per_epoch((length,), chosen.train.batch_size, 1)
    frac = values["te_mode"].pop("frac", 1.0)
    rounding = PivotRounding(values["te_mode"].pop("pivot_rounding", "exact"))
    pivot = pivot_step(frac, steps, rounding, epoch) if trains_text else 0
    del values["train"]["max_train_steps"], values["schedule"]
    if chosen.te_mode.name == "frozen":
        del values["optimizer"]["te_lr"], values["optimizer"]["te_weight_decay"]
    schedule = {
        "constant": ("constant",),
        "constant_with_warmup": ("warm-up", chosen.schedule.warmup_steps),
        "cosine": ("cosine", chosen.schedule.warmup_steps, steps),
        "polynomial": ("power", chosen.schedule.warmup_steps, chosen.schedule.power, steps),
    }[chosen.schedule.name]
    return [(repr(values), schedule, step < pivot) for step in range(steps)]


@cache
def factors(schedule: Schedule, steps: int) -> list[float]:
    """The real factors on the learning rate."""
    from lora_sweep.training.schedule import lr_factor

    factor = lr_factor(schedule, steps)
    return [factor(step) for step in range(steps)]


def segments(tree: StageTree) -> Iterator[tuple[Family, Segment]]:
    for family in tree.families:
        for segment in family.segments:
            yield family, segment


def family_of(tree: StageTree, trial: str) -> Family:
    return next(family for family in tree.families if trial in family.trials)


@given(TRIAL_SETS)
@LIGHT
def test_the_path_of_a_trial_is_its_steps_with_its_effective_settings(
    trials: list[TrialSpec],
) -> None:
    tree = build_tree(trials)
    for trial in trials:
        path = family_of(tree, trial.id).path(trial.id)
        walked = [(step, segment.text_trains) for segment in path for step in segment.steps]
        expected = [(number, step[-1]) for number, step in enumerate(every_step(trial))]
        assert walked == expected


@given(TRIAL_SETS)
@LIGHT
def test_each_distinct_prefix_of_steps_is_trained_exactly_once(trials: list[TrialSpec]) -> None:
    prefixes: dict[tuple[int, Any], int] = {}
    for trial in trials:
        prefix = 0
        for step in every_step(trial):
            prefix = prefixes.setdefault((prefix, step), len(prefixes) + 1)
    tree = build_tree(trials)
    assert tree.steps_in_tree == len(prefixes)
    different = {trial.id: trial.max_train_steps for trial in trials}
    assert tree.steps_alone == sum(different.values())
    assert tree.num_trials + tree.duplicates == len(trials)
    assert tree.saving == pytest.approx(1 - len(prefixes) / tree.steps_alone)


@given(TRIAL_SETS)
@LIGHT
def test_trials_share_a_segment_only_if_all_they_did_until_its_end_is_equal(
    trials: list[TrialSpec],
) -> None:
    known = {trial.id: trial for trial in trials}
    for family, segment in segments(build_tree(trials)):
        passing = [known[family.trials[position]] for position in segment.trials]
        steps = [every_step(trial)[: segment.stop] for trial in passing]
        rates = [
            factors(trial.settings.schedule, trial.max_train_steps)[: segment.stop]
            for trial in passing
        ]
        assert all(other == steps[0] for other in steps)
        assert all(other == rates[0] for other in rates)


@given(TRIAL_SETS.flatmap(lambda trials: st.tuples(st.just(trials), st.permutations(trials))))
@LIGHT
def test_the_order_in_which_trials_are_asked_for_does_not_matter(
    orders: tuple[list[TrialSpec], list[TrialSpec]],
) -> None:
    assert build_tree(orders[0]) == build_tree(orders[1])


@given(TRIAL_SETS)
@LIGHT
def test_segments_come_depth_first_and_join(trials: list[TrialSpec]) -> None:
    tree = build_tree(trials)
    for family in tree.families:
        inside: list[int] = []  # the segments from the root to the one before
        for position, segment in enumerate(family.segments):
            while inside and inside[-1] != segment.parent:
                inside.pop()
            assert segment.parent == (inside[-1] if inside else None)
            assert segment.start == (family.segments[inside[-1]].stop if inside else 0)
            assert len(segment.steps) > 0
            inside.append(position)
    addresses = [(segment.key, segment.stop) for _, segment in segments(tree)]
    assert len(addresses) == len(set(addresses))


@given(TRIAL_SETS)
@LIGHT
def test_segments_are_cut_only_where_a_trial_ends_or_trials_part(trials: list[TrialSpec]) -> None:
    for family in build_tree(trials).families:
        parents = [segment.parent for segment in family.segments]
        for position, segment in enumerate(family.segments):
            children = parents.count(position)
            trunk_pivots = any(
                other.parent == position and other.text_trains != segment.text_trains
                for other in family.segments
            )
            assert segment.ends or children > 1 or trunk_pivots
            assert len(segment.ends) + sum(
                len(other.trials) for other in family.segments if other.parent == position
            ) == len(segment.trials)


def test_the_trunk_of_pivotal_trials_runs_on_to_the_last_pivot() -> None:
    family = build_tree(huggy()).families[0]
    first, second, third = (
        family.trials[segment.ends.start] for segment in family.segments if segment.ends
    )
    assert [
        (segment.start, segment.stop, segment.text_trains, segment.parent, passing(family, segment))
        for segment in family.segments
    ] == [
        (0, 500, True, None, {first, second, third}),
        (500, 1000, False, 0, {first}),
        (500, 750, True, 0, {second, third}),
        (750, 1500, False, 2, {second}),
        (750, 900, True, 2, {third}),
        (900, 1800, False, 4, {third}),
    ]


def passing(family: Family, segment: Segment) -> set[str]:
    return {family.trials[position] for position in segment.trials}


def test_families_with_the_most_steps_come_first() -> None:
    steps = [family.steps_in_tree for family in build_tree(huggy()).families]
    assert steps == sorted(steps, reverse=True)


def test_trials_that_differ_in_what_has_no_effect_end_together() -> None:
    one = spec(Settings(train=Train(10)))
    other = spec(Settings(train=Train(10), schedule=Schedule(power=2.0)))
    (family,) = build_tree([one, other]).families
    assert one.id != other.id
    assert family.trials == tuple(sorted([one.id, other.id]))
    assert [segment.ends for segment in family.segments] == [range(2)]


def test_a_trunk_may_have_thousands_of_forks() -> None:
    one = spec(Settings(train=Train(2), te_mode=Pivotal()))
    trials = [
        replace(one, id=f"{steps:012x}", max_train_steps=steps) for steps in range(2, 6000, 2)
    ]
    tree = build_tree(trials)
    assert tree.steps_in_tree == 2999 + sum(steps // 2 for steps in range(2, 6000, 2))


A_HUNDRED_THOUSAND_TRIALS = """
import resource, sys, time
from itertools import product
from lora_sweep.config.resolve import resolved
from lora_sweep.config.settings import AdamW, Lora, Pivotal, Settings, TeLora, Train
from lora_sweep.sweep.stages import TrialSpec
from lora_sweep.sweep.tree import build_tree

rates = [1e-4 + 1e-8 * number for number in range(400)]
axes = range(5), (4, 8, 16, 32, 64), rates, (TeLora(), Pivotal()), (500, 1000, 1500, 1800, 2000)
specs = []
for seed, rank, rate, te_mode, steps in product(*axes):
    settings = resolved(Settings(
        seed=seed, lora=Lora(rank), optimizer=AdamW(lr=rate), te_mode=te_mode, train=Train(steps)))
    specs.append(TrialSpec(f"{len(specs):012x}", settings, 31, 0, steps, "data", "base"))
started = time.process_time()
tree = build_tree(specs)
seconds = time.process_time() - started
peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
assert (tree.num_trials, len(tree.families)) == (100_000, 20_000)
assert seconds < 20 and peak_bytes < 2e9, (seconds, peak_bytes)
assert "torch" not in sys.modules
"""


@pytest.mark.slow
def test_a_hundred_thousand_trials_are_planned_in_20_seconds_and_2_gigabytes() -> None:
    code = [sys.executable, "-c", A_HUNDRED_THOUSAND_TRIALS]
    done = subprocess.run(code, cwd=Path(__file__).parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
