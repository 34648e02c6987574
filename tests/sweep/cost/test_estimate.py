"""Times of families from the costs of their parts, against sums by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from keyed import HERE, finish
from runs import small

from lora_sweep.config.settings import Evaluate, PriorGenerated
from lora_sweep.results.store import Store
from lora_sweep.results.trial_record import TrialRecord
from lora_sweep.sweep.checkpoints import CheckpointIndex
from lora_sweep.sweep.cost.estimate import Estimator, FamilyCost, preparing_seconds
from lora_sweep.sweep.cost.keys import finish_key, phases, step_key
from lora_sweep.sweep.cost.known import Known
from lora_sweep.sweep.cost.records import FinishCost, StepCost
from lora_sweep.sweep.request import Resolver, TrialRequest
from lora_sweep.sweep.stages import spec_of
from lora_sweep.sweep.tree import Family, build_tree

TEXT, UNET = 3.0, 1.0  # seconds of a step before and after the pivot
QUIET = Evaluate(loss_timesteps=0)


def requests_of(root: Path, *lengths: int, **changes: Any) -> dict[str, TrialRequest]:
    """Pivotal trials that differ in their length alone; each has its pivot in the middle."""
    train = changes.pop("train", {})
    found = [
        Resolver().resolve(small(root, "pivotal", train={"max_train_steps": n, **train}, **changes))
        for n in lengths
    ]
    return {request.id: request for request in found}


def known(request: TrialRequest, memory: int | None = None, **times: Any) -> Known:
    """All that costs, as these say."""
    steps = [
        StepCost(step_key(request, trains), 2.0, TEXT if trains else UNET, memory, "today")
        for trains in phases(request)
    ]
    beside = replace(finish(**times), key=finish_key(request))
    found = Known(HERE)
    found.add([*steps, beside])
    return found


def family_of(requests: Mapping[str, TrialRequest]) -> Family:
    (family,) = build_tree(spec_of(request) for request in requests.values()).families
    return family


def cost(requests: Mapping[str, TrialRequest], **times: Any) -> FamilyCost:
    first = next(iter(requests.values()))
    return Estimator(known(first, **times), requests).family(family_of(requests))


def test_shared_steps_are_trained_once_and_alone_each_time(tmp_path: Path) -> None:
    requests = requests_of(tmp_path, 20, 40)
    found = cost(requests)
    # The trunk goes on to the last pivot, 20; the branches are 10 and 20 steps long.
    assert (found.steps, found.seconds) == (50, 20 * TEXT + 30 * UNET)
    assert sorted(found.alone.values()) == [10 * TEXT + 10 * UNET, 20 * TEXT + 20 * UNET]


@pytest.mark.parametrize(
    ("times", "in_tree", "alone"),
    [
        ({"save": 1.0}, 2 + 1, 1 + 1),  # at both ends, and where the first branches off
        ({"export": 1.0}, 2, 1 + 1),
        ({"build": 1.0}, 2, 1 + 1),  # the trunk, and the branch that it does not go on into
        ({"caption": 1.0}, 2 * 6, 2 * 6),  # six captions after each pivot
    ],
    ids=str,
)
def test_files_and_forks_are_counted(
    tmp_path: Path, times: dict[str, float], in_tree: float, alone: float
) -> None:
    requests = requests_of(tmp_path, 20, 40, evaluate=QUIET)
    bare, found = cost(requests), cost(requests, **times)
    assert found.seconds is not None and bare.seconds is not None
    assert found.seconds - bare.seconds == found.finishing == in_tree
    assert sum(found.alone.values()) - sum(bare.alone.values()) == alone


def test_checkpoints_on_the_way_are_saved_once(tmp_path: Path) -> None:
    requests = requests_of(tmp_path, 20, 40, train={"checkpoint_every": 5}, evaluate=QUIET)
    # Trunk: 5, 10, 15, 20; branches: 15, 20 and 25, 30, 35, 40; besides each end, and the fork.
    assert cost(requests, save=1.0).finishing == 4 + 2 + 4 + 2 + 1


def test_measures_on_the_way_are_taken_once_and_at_the_end_by_each(tmp_path: Path) -> None:
    asked = Evaluate(loss_timesteps=4, every=5)
    requests = requests_of(tmp_path, 20, 40, evaluate=asked)
    first = next(iter(requests.values()))
    heldout = len(first.examples.heldout)
    rows = 2 * heldout + 1  # as many trained on as held out; drift on the class alone
    one = rows * 4 * 0.5
    found = cost(requests, loss_row=0.5)
    assert found.finishing == pytest.approx((4 + 1 + 3 + 2) * one)
    assert sorted(found.alone.values())[0] == pytest.approx(10 * TEXT + 10 * UNET + 4 * one)


def test_pictures_cost_their_steps_and_themselves(tmp_path: Path) -> None:
    asked = Evaluate(prompts=("a TOK", "TOK"), images_per_prompt=3, sample_steps=5,
                     loss_timesteps=0)  # fmt: skip
    requests = requests_of(tmp_path, 20, evaluate=asked)
    assert cost(requests, sample_step=0.1, picture=2.0).finishing == pytest.approx(6 * 2.5)


def test_what_a_checkpoint_spares_is_not_counted(tmp_path: Path) -> None:
    requests = requests_of(tmp_path, 20, 40)
    short, long = sorted(requests.values(), key=lambda request: request.max_train_steps)
    family = family_of(requests)
    save(tmp_path, long, 15, family.segments[0].key)
    estimator = Estimator(known(long), requests, CheckpointIndex(Store(tmp_path).trials()))
    # The trunk's first ten steps are still needed: the shorter trial forks from there.
    assert estimator.family(family).steps == 50 - 5
    save(tmp_path, short, 12, family.path(short.id)[-1].key)
    estimator = Estimator(known(long), requests, CheckpointIndex(Store(tmp_path).trials()))
    assert estimator.family(family).steps == 50 - 15 - 2


def save(root: Path, request: TrialRequest, step: int, stage: str) -> None:
    folder = Store(root).trial(request.id).create()
    folder.write_record(TrialRecord(request.id))
    path = folder.checkpoint(step)
    path.mkdir(parents=True)
    (path / "state.safetensors").write_bytes(b"")
    (path / "state.json").write_text(json.dumps({"meta": {"stage": stage}}))


def test_of_steps_that_nothing_is_known_of_there_is_no_time(tmp_path: Path) -> None:
    requests = requests_of(tmp_path, 20)
    found = Estimator(Known(HERE), requests).family(family_of(requests))
    assert (found.seconds, found.alone, found.steps) == (None, {}, 20)
    assert found.computed is not None and found.memory == found.computed.total


def test_without_what_comes_beside_steps_there_is_the_time_of_steps(tmp_path: Path) -> None:
    requests = requests_of(tmp_path, 20)
    (request,) = requests.values()
    steps = known(request)
    steps.finishes.clear()
    found = Estimator(steps, requests).family(family_of(requests))
    assert (found.seconds, found.finishing) == (10 * TEXT + 10 * UNET, 0)


def test_memory_is_the_most_of_steps_and_measures(tmp_path: Path) -> None:
    (request,) = requests_of(tmp_path, 20).values()
    assert known(request, memory=100).memory(request) == 100
    measured = known(request, memory=100)
    beside = replace(finish(memory=300), key=finish_key(request))
    measured.finishes.clear()
    measured.add([beside])
    assert measured.memory(request) == 300
    assert known(request).memory(request) is None


def prepared(request: TrialRequest, root: Path, *more: TrialRequest, **times: Any) -> float:
    return preparing_seconds([request, *more], known(request, **times), Store(root))


def test_pictures_are_encoded_once_for_all_trials(tmp_path: Path) -> None:
    one, other = requests_of(tmp_path, 20, 40, evaluate=QUIET).values()
    assert prepared(one, tmp_path, other, encode=1.0) == 6
    assert prepared(one, tmp_path, other, start=7.0) == 7


def test_latents_that_are_there_are_not_encoded(tmp_path: Path) -> None:
    (request,) = requests_of(tmp_path, 20, evaluate=QUIET).values()
    for number in range(4):
        path = Store(tmp_path).cache / "latents" / "ab" / f"{number}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert prepared(request, tmp_path, encode=1.0) == 2


def test_pictures_that_samples_are_compared_with_are_embedded_once(tmp_path: Path) -> None:
    asked = Evaluate(prompts=("a TOK",), loss_timesteps=0)
    one, other = requests_of(tmp_path, 20, 40, evaluate=asked).values()
    more = requests_of(tmp_path, 20, evaluate=asked, seed=3).values()
    assert prepared(one, tmp_path, other, *more, embed=1.0) == 6


def test_drift_is_measured_on_pictures_drawn_and_predicted_once(tmp_path: Path) -> None:
    asked = Evaluate(loss_timesteps=4, sample_steps=5)
    one, other = requests_of(tmp_path, 20, 40, evaluate=asked).values()
    assert prepared(one, tmp_path, other, sample_step=1.0) == 5
    assert prepared(one, tmp_path, other, loss_row=1.0) == 4


def test_class_pictures_are_drawn_once_and_encoded(tmp_path: Path) -> None:
    prior = PriorGenerated(num_class_images=10, sample_steps=5)
    (request,) = requests_of(tmp_path, 20, evaluate=QUIET, prior=prior).values()
    assert prepared(request, tmp_path, sample_step=1.0) == 50
    assert prepared(request, tmp_path, picture=1.0) == 10


def test_the_measurement_most_like_a_trial_tells_what_comes_beside_its_steps() -> None:
    (request,) = requests_of(Path("nowhere"), 20).values()
    key = finish_key(request)

    def of(label: float, **changes: Any) -> FinishCost:
        return replace(finish(export=label), key=replace(key, **changes))

    found = Known(HERE)
    found.add([of(1.0, embedder="dinov2"), of(2.0, resolution=512), of(3.0, batch_size=1)])
    cheapest = found.finish(request)
    assert cheapest is not None and cheapest.export == 3.0
    found.add([of(4.0)])
    exact = found.finish(request)
    assert exact is not None and exact.export == 4.0
    assert Known(HERE).finish(request) is None
