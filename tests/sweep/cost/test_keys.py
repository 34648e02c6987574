"""What steps cost alike: the settings that a step's key holds, and those that it does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from runs import small

from lora_sweep.config.settings import (
    AdamW,
    Dataset,
    Device,
    Lora,
    Precision,
    PriorGenerated,
    PriorReal,
    Prodigy,
    Settings,
    Snr,
)
from lora_sweep.sweep.cost.keys import (
    caption_count,
    cost_settings,
    finish_key,
    mean_rows_per_step,
    phases,
    step_key,
)
from lora_sweep.sweep.request import Resolver, TrialRequest

RESOLVER = Resolver()


def request(te_mode: str = "pivotal", **changes: Any) -> TrialRequest:
    return RESOLVER.resolve(small(Path("nowhere"), te_mode, **changes))


def with_seed(settings: Settings, seed: int) -> TrialRequest:
    return RESOLVER.resolve(replace(settings, seed=seed))


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 7},
        {"snr": Snr(5.0)},
        {"optimizer": AdamW(lr=1e-5)},
        {"dataset": Dataset(name="face", set="varied", class_noun="girl")},
        {"train": {"max_train_steps": 40}},
    ],
    ids=str,
)
def test_trials_that_cost_alike_have_equal_keys(changes: dict[str, Any]) -> None:
    for text_trains in (True, False):
        assert step_key(request(**changes), text_trains) == step_key(request(), text_trains)


@pytest.mark.parametrize(
    "changes",
    [
        {"te_mode": "lora"},
        {"optimizer": Prodigy()},
        {"optimizer": Prodigy(slice_p=11)},
        {"lora": Lora(rank=3)},
        {"lora": Lora(rank=2, use_dora=True)},
        {"lora": Lora(rank=2, dropout=0.1)},
        {"train": {"batch_size": 3}},
        {"train": {"gradient_accumulation_steps": 2}},
        {"train": {"gradient_checkpointing": True}},
        {"train": {"threads": 2}},
        {"prior": PriorReal(num_class_images=6)},
    ],
    ids=str,
)
def test_what_costs_differently_has_another_key(changes: dict[str, Any]) -> None:
    assert step_key(request(**changes), True) != step_key(request(), True)


def test_after_the_pivot_every_te_mode_has_the_same_steps() -> None:
    keys = {step_key(request(te_mode), False) for te_mode in ("frozen", "lora", "pivotal", "full")}
    assert len(keys) == 1


def test_a_trial_has_the_kinds_of_steps_that_its_stages_have() -> None:
    assert phases(request("frozen")) == (False,)
    assert phases(request("pivotal")) == (True, False)
    assert phases(request("lora", optimizer=AdamW(te_lr=0.0))) == (False,)


def test_batches_are_no_larger_than_an_epoch() -> None:
    large = step_key(request(train={"batch_size": 64}), True)
    assert (large.rows, large.texts) == (6, 6)  # of six pictures with a caption each
    repeated = replace(small(Path("nowhere")).dataset, repeats=3)
    assert step_key(request(train={"batch_size": 64}, dataset=repeated), True).rows == 18


def test_class_pictures_double_the_rows() -> None:
    key = step_key(request(prior=PriorReal(num_class_images=6)), True)
    assert (key.rows, key.texts) == (4, 4)  # the packaged ones have captions
    key = step_key(request(prior=PriorGenerated(num_class_images=6)), True)
    assert (key.rows, key.texts) == (4, 3)  # those that the base draws have one


@pytest.mark.parametrize(("batch_size", "rows"), [(1, 1), (2, 2), (4, 3), (5, 3), (6, 6), (8, 6)])
def test_the_mean_batch_counts_the_short_one_at_the_end_of_an_epoch(
    batch_size: int, rows: float
) -> None:
    assert mean_rows_per_step(request(train={"batch_size": batch_size})) == rows


def test_captions_are_counted_once() -> None:
    one = request()
    assert caption_count(one) == 6
    same = replace(one.examples, train=one.examples.train + one.examples.train[:2])
    assert caption_count(replace(one, examples=same)) == 6
    assert caption_count(request(prior=PriorReal(num_class_images=6))) == 6 + 6
    assert caption_count(request(prior=PriorGenerated(num_class_images=6))) == 6 + 1


def test_measures_cost_by_base_precision_and_embedder() -> None:
    one = request()
    assert finish_key(one) == finish_key(request("frozen", lora=Lora(rank=9)))
    model = replace(one.settings.model, vae_precision=Precision.bf16)
    assert finish_key(one) != finish_key(request(model=model))


def test_a_gpu_has_steps_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from lora_sweep.sweep.cost import keys

    one = request()
    on_cpu = step_key(one, True)
    train = replace(one.settings.train, device=Device.cuda)
    on_gpu = step_key(replace(one, settings=replace(one.settings, train=train)), True)
    assert (on_cpu.device, on_gpu.device, on_gpu.threads) == ("cpu", "cuda", 0)
    monkeypatch.setattr(keys, "device_of", lambda settings: "cuda")
    assert step_key(one, True).device == "cuda"


def test_trials_that_differ_in_their_seed_alone_share_all_costs() -> None:
    settings = small(Path("nowhere"))
    assert cost_settings(with_seed(settings, 1)) == cost_settings(with_seed(settings, 2))
    assert cost_settings(request()) != cost_settings(request(train={"batch_size": 1}))
