"""A trial's life: built, pivoted, looked at in between, closed."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_trials import ONE_BLOCK, a_trial, run, some_items, some_settings, te_modes, weights
from torch import Tensor

from lora_sweep.config.settings import (
    AdamW,
    AdamW8bit,
    Dataset,
    Lora,
    Pivotal,
    Prodigy,
    ProdigyPlus,
    TeLora,
)
from lora_sweep.data.cache import Cache
from lora_sweep.errors import SettingsError
from lora_sweep.model.base import Base
from lora_sweep.model.sample import SampleRequest, SamplerSettings, draw_pictures
from lora_sweep.training.loop import train
from lora_sweep.training.trial import build_trial


def numpy_state() -> np.ndarray:
    return np.random.get_state(legacy=False)["state"]["key"]


@pytest.mark.parametrize("mode", list(te_modes()))
def test_building_a_trial_moves_no_global_generator(base: Base, mode: str) -> None:
    states = torch.get_rng_state(), random.getstate(), numpy_state()
    with a_trial(base, some_settings(te_modes()[mode], lora=Lora(rank=4, dropout=0.1))) as trial:
        run(trial, 1)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.array_equal(numpy_state(), states[2])


@pytest.mark.parametrize("mode", list(te_modes()))
def test_two_trials_after_one_another_are_two_trials_alone(base: Base, mode: str) -> None:
    def this() -> tuple[list[float], dict[str, Tensor]]:
        with a_trial(base, some_settings(te_modes()[mode]), steps=2) as trial:
            return run(trial, 2), weights(trial)

    alone = this()
    with a_trial(base, some_settings(te_modes()["lora"], Prodigy()), steps=2) as other:
        run(other, 2)
    after = this()
    assert alone[0] == after[0]
    assert all(torch.equal(alone[1][name], after[1][name]) for name in alone[1])


def test_every_trained_value_moves_and_nothing_else(base: Base) -> None:
    for mode, te_mode in te_modes(1.0).items():
        with a_trial(base, some_settings(te_mode)) as trial:
            before = weights(trial)
            run(trial, 3)
            assert set(trial.groups) == ({"unet"} if mode == "frozen" else {"unet", "text"})
            for name, group in trial.groups.items():
                moved = group.vector.detach() != before[name]
                if mode == "full" and name == "text":
                    moved = moved.new_tensor([bool(p.grad.any()) for p in group.tensors()])  # type: ignore[union-attr]
                assert moved.float().mean() > 0.95, (mode, name)


def test_full_training_parks_the_encoders_that_it_copied(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    originals, parked = base.text_encoders, list[object]()
    monkeypatch.setattr(Base, "park", lambda self, *modules: parked.extend(modules))
    with a_trial(base, some_settings(te_modes(1.0)["full"])):
        assert parked == [*originals] and base.text_encoders != originals
    assert base.text_encoders == originals


def test_full_training_leaves_out_what_comes_after_the_layer_that_is_read(base: Base) -> None:
    with a_trial(base, some_settings(te_modes(1.0)["full"])) as trial:
        run(trial, 1)
        names = set(trial.groups["text"].parameters)
        every = {
            f"{name}.{path}"
            for name, encoder in zip(
                ("text_encoder", "text_encoder_2"), base.text_encoders, strict=True
            )
            for path, _ in encoder.named_parameters()
        }
        unused = every - names
        assert unused and all(
            name.startswith("text_encoder.") and ("layers.2." in name or "final_layer" in name)
            for name in unused
        )
        for p in trial.groups["text"].tensors():
            assert p.grad is not None and p.grad.any(), "every chosen one has a gradient"


@pytest.mark.parametrize("clip_skip", [0, 1])
def test_text_lora_behind_the_layer_that_is_read_is_no_parameter(
    base: Base, clip_skip: int
) -> None:
    own = base.clip_skip
    base.clip_skip = clip_skip
    try:
        with a_trial(base, some_settings(te_modes(1.0)["lora"])) as trial:
            first = {n for n in trial.groups["text"].parameters if n.startswith("text_encoder.")}
            layers = {name.split("layers.")[1].split(".")[0] for name in first}
            assert layers == {str(i) for i in range(2 - clip_skip)}
    finally:
        base.clip_skip = own


def test_embeddings_are_kept_for_whoever_has_the_same_text_side_and_for_nobody_else(
    base: Base, tmp_path: Path
) -> None:
    cache = Cache(tmp_path)
    entries = found = 0
    # Untouched encoders: an entry for each of 6 captions. Trained ones: one for all, of their own.
    for mode, more in {"frozen": 6, "lora": 1, "full": 1, "pivotal": 1}.items():
        fixed: list[Tensor] = []
        for kept in ((cache, "x"), (cache, "x"), None):
            settings = some_settings(te_modes(0.5)[mode])
            trial = build_trial(base, settings, some_items(6), None, 2, kept)
            run(trial, 2)
            assert trial.conditioner.fixed is not None
            fixed.append(trial.conditioner.fixed.prompt_BLD)
            trial.close()
            found = len(list(tmp_path.rglob("*.safetensors")))
            assert found == entries + more, mode
        entries = found
        assert torch.equal(fixed[0], fixed[1]) and torch.equal(fixed[0], fixed[2]), mode
    other = replace(some_settings(te_modes(0.5)["pivotal"]), seed=1)
    trial = build_trial(base, other, some_items(6), None, 2, (cache, "x"))
    run(trial, 2)
    trial.close()
    assert len(list(tmp_path.rglob("*.safetensors"))) == entries + 1


def test_several_abstractions_each_become_tokens_of_their_own(base: Base) -> None:
    dataset = Dataset(abstractions=("TOK", "KOT"))
    settings = replace(some_settings(Pivotal(num_new_tokens=1)), dataset=dataset)
    items = some_items(4, caption="a TOK and a KOT beside a {}")
    with a_trial(base, settings, items) as trial:
        assert trial.tokens is not None
        assert trial.conditioner.captions[0] == "a <s0> and a <s1> beside a dog"
        assert [tuple(r.shape) for r in trial.tokens.rows] == [(2, 64), (2, 96)]


@pytest.mark.parametrize("mode", list(te_modes()))
@pytest.mark.parametrize("optimizer", [AdamW(lr=1e-2), ProdigyPlus(d0=1e-3)], ids=["adamw", "plus"])
def test_drawing_pictures_between_steps_changes_no_bit_of_training(
    base: Base, mode: str, optimizer: AdamW | ProdigyPlus
) -> None:
    settings = some_settings(
        te_modes(0.5)[mode], optimizer, lora=Lora(rank=4, dropout=0.3, blocks=ONE_BLOCK)
    )
    found: list[tuple[list[float], dict[str, Tensor]]] = []
    for draw in (False, True):
        with a_trial(base, settings, steps=2) as trial:
            losses = []
            for result in train(trial, 2):
                losses.append(float(result.loss))
                if draw:
                    with trial.optimizer.final_weights():
                        sampler = SamplerSettings(size=16, steps=1)
                        assert list(draw_pictures(base, [SampleRequest("a TOK", 0)], sampler))
            found.append((losses, weights(trial)))
    assert found[0][0] == found[1][0]
    assert all(torch.equal(found[0][1][name], found[1][1][name]) for name in found[0][1])


def test_a_rate_of_0_freezes_that_side_and_costs_nothing(base: Base) -> None:
    frozen_text = some_settings(te_modes(0.5)["pivotal"], AdamW(lr=1e-2, te_lr=0.0))
    with a_trial(base, frozen_text) as trial:
        assert set(trial.groups) == {"unet"} and trial.text_frozen and trial.pivot_step == 0
        assert trial.tokens is not None and not any(r.requires_grad for r in trial.tokens.rows)
        run(trial, 2)
    only_text = some_settings(te_modes(1.0)["pivotal"], AdamW(lr=0.0, te_lr=1e-2))
    with a_trial(base, only_text) as trial:
        assert set(trial.groups) == {"text"}
        run(trial, 4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (some_settings(optimizer=AdamW(lr=0.0)), r"optimizer\.lr is 0.*nothing would be trained"),
        (
            some_settings(te_modes(0.5)["lora"], AdamW(lr=0.0, te_lr=1e-3)),
            r"optimizer\.lr is 0.*only until step 2 of 4.*te_mode\.frac=1",
        ),
        (some_settings(optimizer=AdamW8bit()), "adamw8bit, which needs a CUDA GPU"),
        (some_settings(lora=Lora(target_modules=("to_x",))), r"lora\.target_modules holds 'to_x'"),
        (
            some_settings(TeLora(), lora=Lora(te_target_modules=("layers.9.self_attn.q_proj",))),
            r"lora\.te_target_modules holds",
        ),
    ],
)
def test_a_refused_trial_leaves_the_base_as_it_was(
    base: Base, settings: object, message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        build_trial(base, settings, some_items(6), None, 4)  # type: ignore[arg-type]
    # the fixture compares weights, parts and modes


def test_closing_twice_is_closing(base: Base) -> None:
    trial = build_trial(base, some_settings(te_modes()["full"]), some_items(6), None, 4)
    trial.close()
    trial.close()
