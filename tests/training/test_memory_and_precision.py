"""Gradient checkpointing, dropout, 16-bit bases: what may change a number, and what may not."""

from __future__ import annotations

import gc

import pytest
import torch
from small_trials import (
    ONE_BLOCK,
    a_trial,
    make_nonzero,
    run,
    some_settings,
    te_modes,
    weights,
)
from torch import Tensor

from lora_sweep.config.settings import (
    Lora,
    Model,
    Precision,
)
from lora_sweep.model import main_memory
from lora_sweep.model.base import Base, load_base


@pytest.mark.parametrize("mode", list(te_modes()))
def test_gradient_checkpointing_changes_no_bit_even_with_dropout(base: Base, mode: str) -> None:
    found: list[tuple[list[float], dict[str, Tensor]]] = []
    for checkpointing in (False, True):
        settings = some_settings(
            te_modes(0.5)[mode],
            lora=Lora(rank=4, dropout=0.3, blocks=ONE_BLOCK),
            gradient_checkpointing=checkpointing,
        )
        with a_trial(base, settings, steps=2) as trial:
            make_nonzero(trial)
            found.append((run(trial, 2), weights(trial)))
    assert found[0][0] == found[1][0]
    assert all(torch.equal(found[0][1][name], found[1][1][name]) for name in found[0][1])


def test_dropout_draws_by_step_and_slot_and_leaves_the_global_generator(base: Base) -> None:
    settings = some_settings(
        te_modes(1.0)["lora"], lora=Lora(rank=4, dropout=0.5, blocks=ONE_BLOCK)
    )

    def losses(seed: int) -> list[float]:
        torch.manual_seed(seed)
        state = torch.get_rng_state()
        with a_trial(base, settings) as trial:
            make_nonzero(trial)
            found = run(trial, 2)
        assert torch.equal(torch.get_rng_state(), state)
        return found

    with_dropout = losses(1)
    assert losses(2) == with_dropout
    with a_trial(base, some_settings(te_modes(1.0)["lora"])) as trial:
        make_nonzero(trial)
        assert run(trial, 2) != with_dropout, "dropout did something"


@pytest.fixture(scope="module")
def bf16_base() -> Base:
    return load_base(Model(precision=Precision.bf16), torch.device("cpu"))


@pytest.mark.parametrize("mode", list(te_modes()))
def test_a_16_bit_base_trains_fp32_weights(base: Base, bf16_base: Base, mode: str) -> None:
    settings = some_settings(te_modes(0.5)[mode], lora=Lora(rank=4, use_dora=mode == "lora"))
    losses: dict[str, list[float]] = {}
    for name, each in (("fp32", base), ("bf16", bf16_base)):
        with a_trial(each, settings, steps=2) as trial:
            losses[name] = run(trial, 2)
            for group in trial.groups.values():
                assert group.vector.dtype == group.gradient.dtype == torch.float32
                assert all(p.dtype == torch.float32 for p in group.tensors())
                assert torch.isfinite(group.vector).all()
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.03)


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


@pytest.mark.parametrize("mode", list(te_modes()))
def test_giving_main_memory_back_changes_no_bit_and_leaves_nothing_behind(
    base: Base, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = some_settings(te_modes(0.5)[mode], gradient_checkpointing=True)

    def trained() -> tuple[list[float], dict[str, Tensor]]:
        with a_trial(base, settings) as trial:
            assert len(base.unet.mid_block._forward_hooks) == int(base.is_large_on_cpu)
            return run(trial, 4), weights(trial)

    plain = trained()
    monkeypatch.setattr(main_memory, "LARGE", 1)
    monkeypatch.setattr(main_memory, "WORTH_IT", -1)
    given_back = trained()
    assert plain[0] == given_back[0]
    assert all(torch.equal(plain[1][name], given_back[1][name]) for name in plain[1])
    assert not base.unet.mid_block._forward_hooks
    gc.collect()
    assert set(base.parked) == {base.vae, *base.text_encoders}, "copies that trained are gone"
