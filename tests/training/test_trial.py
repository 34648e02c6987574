"""A trial's life: built, pivoted, looked at in between, closed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
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
    PivotRounding,
    Prodigy,
    ProdigyPlus,
    TeLora,
)
from lora_sweep.data.cache import Cache
from lora_sweep.errors import SettingsError
from lora_sweep.model.base import Base
from lora_sweep.model.sample import SampleRequest, SamplerSettings, draw_pictures
from lora_sweep.model.text import encode_captions
from lora_sweep.training.loop import train
from lora_sweep.training.trial import Trial, build_trial


@contextmanager
def encoder_calls(base: Base) -> Iterator[list[int]]:
    calls: list[int] = []
    encoders = base.text_encoders
    hooks = [e.register_forward_hook(lambda *args: calls.append(1)) for e in encoders]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


def numpy_state() -> np.ndarray:
    return np.random.get_state(legacy=False)["state"]["key"]


def text_values(trial: Trial) -> Tensor:
    return trial.groups["text"].vector.detach().clone()


@pytest.mark.parametrize("mode", list(te_modes()))
def test_building_a_trial_moves_no_global_generator(base: Base, mode: str) -> None:
    states = torch.get_rng_state(), random.getstate(), numpy_state()
    with a_trial(base, some_settings(te_modes()[mode], lora=Lora(rank=4, dropout=0.1))) as trial:
        run(trial, 3)
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


@pytest.mark.parametrize("mode", ["lora", "full", "pivotal"])
def test_the_text_side_trains_before_the_pivot_and_never_after(base: Base, mode: str) -> None:
    with a_trial(base, some_settings(te_modes(0.5)[mode]), steps=4) as trial:
        assert trial.pivot_step == 2
        text, unet = [text_values(trial)], [trial.groups["unet"].vector.detach().clone()]
        for _ in train(trial, 4):
            text.append(text_values(trial))
            unet.append(trial.groups["unet"].vector.detach().clone())
        moved = [not torch.equal(a, b) for a, b in pairwise(text)]
        assert moved == [True, True, False, False]
        assert all(not torch.equal(a, b) for a, b in pairwise(unet))


@pytest.mark.parametrize("mode", ["lora", "full", "pivotal"])
def test_after_the_pivot_text_comes_from_the_final_weights_without_an_encoder(
    base: Base, mode: str
) -> None:
    with a_trial(base, some_settings(te_modes(0.5)[mode]), steps=4) as trial:
        with encoder_calls(base) as calls:
            run(trial, 2)
            assert len(calls) == 2 * 2, "two steps, two encoders"
            run(trial, 3)
            assert len(calls) == 2 * 2 + 2 * 6, "six captions, once more"
            run(trial, 4)
            assert len(calls) == 2 * 2 + 2 * 6
        found = trial.conditioner(range(6))
        words = "<s0><s1>" if mode == "pivotal" else "TOK"
        with torch.no_grad():
            expected = encode_captions(
                base, [c.replace("TOK", words) for c in trial.items.captions]
            )
        torch.testing.assert_close(found.prompt_BLD, expected.prompt_BLD)
        torch.testing.assert_close(found.pooled_BP, expected.pooled_BP)


def test_frozen_encoders_are_called_once_per_caption_and_never_in_a_step(base: Base) -> None:
    with encoder_calls(base) as calls, a_trial(base, some_settings()) as trial:
        assert len(calls) == 2 * 6
        run(trial, 3)
        assert len(calls) == 2 * 6


def test_the_clipped_norm_holds_no_text_after_the_pivot(base: Base) -> None:
    with a_trial(base, some_settings(te_modes(0.5)["pivotal"]), steps=4) as trial:
        for result in train(trial, 4):
            both = torch.cat([group.gradient for group in trial.groups.values()])
            unet = trial.groups["unet"].gradient
            joint = torch.linalg.vector_norm(both if result.step <= 2 else unet)
            shown = min(float(result.grad_norm), 1.0)
            assert float(joint) == pytest.approx(shown, rel=1e-4)
            assert set(result.lr) == ({"unet", "text"} if result.step <= 2 else {"unet"})


def test_new_rows_are_pulled_to_the_tables_deviation_once_per_step_until_the_pivot(
    base: Base,
) -> None:
    settings = some_settings(te_modes(0.5)["pivotal"], gradient_accumulation_steps=2, batch_size=1)
    with a_trial(base, settings, steps=4) as trial:
        assert trial.tokens is not None
        steps: list[int] = []
        normalise = type(trial.tokens).normalise
        try:
            type(trial.tokens).normalise = lambda self: (  # type: ignore[method-assign]
                steps.append(trial.step),
                normalise(self),
            )[1]
            run(trial, 4)
        finally:
            type(trial.tokens).normalise = normalise  # type: ignore[method-assign]
        assert steps == [0, 1]


@pytest.mark.parametrize(
    ("rounding", "frac", "expected"),
    [
        (PivotRounding.exact, 0.5, 5),
        (PivotRounding.epoch, 0.5, 3),  # 6 items by 2: epochs of 3 steps; int(0.5 * 4) = 2 ... of 9
        (PivotRounding.epoch, 0.2, 0),
        (PivotRounding.exact, 1.0, 9),
    ],
)
def test_the_pivot_follows_its_rounding(
    base: Base, rounding: PivotRounding, frac: float, expected: int
) -> None:
    mode = Pivotal(frac=frac, pivot_rounding=rounding)
    with a_trial(base, some_settings(mode), steps=9) as trial:
        assert trial.pivot_step == expected
        assert trial.text_frozen == (expected == 0)


def test_class_pictures_lengthen_the_epoch_that_the_pivot_is_rounded_to(base: Base) -> None:
    mode = Pivotal(frac=0.5, pivot_rounding=PivotRounding.epoch)
    with a_trial(base, some_settings(mode), class_items=some_items(10), steps=20) as trial:
        assert trial.pivot_step == 10, "epochs of 5 steps"


def test_only_untouched_encoders_share_embeddings_with_other_trials(
    base: Base, tmp_path: Path
) -> None:
    cache = Cache(tmp_path)
    for mode, te_mode in te_modes(0.5).items():
        trial = build_trial(base, some_settings(te_mode), some_items(6), None, 2, (cache, "x"))
        run(trial, 2)
        trial.close()
        entries = len(list(tmp_path.rglob("*.safetensors")))
        assert entries == 6, mode  # "frozen" comes first and writes them; no other adds to them


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


@pytest.mark.parametrize("mode", ["lora", "full", "pivotal"])
def test_every_te_mode_can_follow_gradient_checkpointing(base: Base, mode: str) -> None:
    with a_trial(base, some_settings(te_modes()[mode], gradient_checkpointing=True)) as trial:
        run(trial, 1)
    for encoder in base.text_encoders:
        assert not any(getattr(part, "gradient_checkpointing", False) for part in encoder.modules())
    with a_trial(base, some_settings(te_modes()["full"])) as trial:
        run(trial, 1)


def test_text_layers_are_computed_again_when_gradients_are_checkpointed(base: Base) -> None:
    settings = some_settings(te_modes(1.0)["full"], gradient_checkpointing=True)
    with a_trial(base, settings) as trial:
        calls: list[int] = []
        layer = base.text_encoder_2.text_model.encoder.layers[0]
        layer.mlp.register_forward_pre_hook(lambda *args: calls.append(1))  # type: ignore[union-attr]
        run(trial, 1)
        assert len(calls) == 2, "forward, and once more in backward"


def test_closing_twice_is_closing(base: Base) -> None:
    trial = build_trial(base, some_settings(te_modes()["full"]), some_items(6), None, 4)
    trial.close()
    trial.close()
