"""LoRA: its formula, its initial values, where it is put, and that it can be taken off."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model_state_dict, inject_adapter_in_model
from torch import nn

from lora_sweep.config.settings import Lora
from lora_sweep.errors import SettingsError
from lora_sweep.model.adapters import Adapter, add_text_lora, add_unet_lora, remove_lora
from lora_sweep.model.base import Base

LAYER = "mid_block.attentions.0.transformer_blocks.0.attn2.to_k"


@contextmanager
def unet_lora(base: Base, settings: Lora, seed: int = 0) -> Iterator[Adapter]:
    adapter = add_unet_lora(base, settings, seed)
    try:
        yield adapter
    finally:
        remove_lora(adapter)


def numpy_state() -> np.ndarray:
    return np.random.get_state(legacy=False)["state"]["key"]


def copies(adapter: Adapter) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in adapter.parameters().items()}


@torch.no_grad()
def predict(base: Base) -> torch.Tensor:
    g = torch.Generator().manual_seed(0)
    added = {
        "text_embeds": torch.randn(2, 96, generator=g),
        "time_ids": torch.tensor([[64, 64, 0, 0, 64, 64]] * 2),
    }
    latents, text = torch.randn(2, 4, 8, 8, generator=g), torch.randn(2, 77, 160, generator=g)
    return base.unet(latents, 500, text, added_cond_kwargs=added).sample


def fill(adapter: Adapter) -> None:
    g = torch.Generator().manual_seed(7)
    for p in adapter.parameters().values():
        p.data = 0.1 * torch.randn(p.shape, generator=g)


@pytest.mark.parametrize("alpha", [None, 1.0, 16.0])
@pytest.mark.parametrize("use_rslora", [False, True], ids=["alpha/r", "alpha/sqrt(r)"])
def test_a_layer_gives_wx_plus_scaled_bax(
    base: Base, alpha: float | None, use_rslora: bool
) -> None:
    settings = Lora(rank=4, alpha=alpha, use_rslora=use_rslora)
    scale = (4.0 if alpha is None else alpha) / (2.0 if use_rslora else 4.0)
    x = torch.randn(3, 5, 160, generator=torch.Generator().manual_seed(1))
    plain = base.unet.get_submodule(LAYER)
    assert isinstance(plain, nn.Linear) and plain.bias is None
    expected = x @ plain.weight.T
    with unet_lora(base, settings) as adapter:
        fill(adapter)
        own = adapter.parameters()
        a, b = own[f"{LAYER}.lora_A.default.weight"], own[f"{LAYER}.lora_B.default.weight"]
        expected = expected + scale * (x @ a.T @ b.T)
        found = base.unet.get_submodule(LAYER)(x)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_a_fresh_adapter_changes_nothing(base: Base) -> None:
    before = predict(base)
    with unet_lora(base, Lora(rank=4)) as adapter:
        assert not any(p.any() for name, p in adapter.parameters().items() if "lora_B" in name)
        assert torch.equal(predict(base), before)


def test_a_fresh_dora_changes_nothing_but_rounding_and_starts_at_the_weights_norms(
    base: Base,
) -> None:
    before = predict(base)
    weight = base.unet.get_submodule(LAYER).weight
    assert isinstance(weight, torch.Tensor)
    with unet_lora(base, Lora(rank=4, use_dora=True)) as adapter:
        torch.testing.assert_close(predict(base), before, rtol=1e-4, atol=1e-5)
        magnitude = adapter.parameters()[f"{LAYER}.lora_magnitude_vector.default.weight"]
        torch.testing.assert_close(magnitude.detach(), torch.linalg.vector_norm(weight, dim=1))


def test_a_starts_as_pefts_gaussian_with_deviation_one_over_rank(base: Base) -> None:
    for rank in (4, 16):
        with unet_lora(base, Lora(rank=rank)) as adapter:
            ours = torch.cat([p.flatten() for n, p in copies(adapter).items() if "lora_A" in n])
        scaled, n = rank * ours, ours.numel()
        assert abs(float(scaled.mean())) < 4 / math.sqrt(n), "four standard errors"
        assert abs(float(scaled.var()) - 1) < 4 * math.sqrt(2 / n), "four standard errors"
        layer = nn.Sequential(nn.Linear(4000, 8))
        with torch.random.fork_rng():
            torch.manual_seed(0)
            config = LoraConfig(r=rank, init_lora_weights="gaussian", target_modules=["0"])
            inject_adapter_in_model(config, layer)
        theirs = get_peft_model_state_dict(layer)["0.lora_A.weight"]
        assert float(theirs.std() * rank) == pytest.approx(1, abs=0.03), "PEFT's own"


def test_initial_values_depend_on_seed_and_path_alone(base: Base) -> None:
    with unet_lora(base, Lora(rank=4)) as adapter:
        everywhere = copies(adapter)
    torch.manual_seed(99)
    reordered = Lora(rank=4, target_modules=("to_out.0", "to_v", "to_q", "to_k"))
    with unet_lora(base, reordered) as adapter:
        again = copies(adapter)
    assert again.keys() == everywhere.keys()
    assert all(torch.equal(everywhere[name], p) for name, p in again.items())

    few = Lora(rank=4, target_modules=("to_k",), blocks=("mid_block",), alpha=2.0, dropout=0.5)
    text = add_text_lora(base, Lora(rank=2), seed=0)
    with unet_lora(base, few) as adapter:
        some = copies(adapter)
    for each in text:
        remove_lora(each)
    assert 0 < len(some) < len(everywhere)
    assert all(torch.equal(everywhere[name], p) for name, p in some.items())

    with unet_lora(base, Lora(rank=4), seed=1) as adapter:
        other = copies(adapter)
    firsts = [name for name in everywhere if "lora_A" in name]
    assert not any(torch.equal(everywhere[name], other[name]) for name in firsts)
    shapes = {everywhere[name].shape for name in firsts}
    distinct = {tuple(everywhere[name].flatten().tolist()) for name in firsts}
    assert len(distinct) == len(firsts) > len(shapes), "no two modules start alike"


def test_no_global_generator_is_read_or_moved(base: Base) -> None:
    states = torch.get_rng_state(), random.getstate(), numpy_state()
    with unet_lora(base, Lora(rank=4, use_dora=True, dropout=0.1)):
        pass
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.array_equal(numpy_state(), states[2])


def test_every_attention_projection_of_the_unet_gets_a_lora(base: Base) -> None:
    attentions = [n for n, _ in base.unet.named_modules() if n.endswith(("attn1", "attn2"))]
    wanted = {f"{n}.{p}" for n in attentions for p in ("to_k", "to_q", "to_v", "to_out.0")}
    with unet_lora(base, Lora(rank=4)) as adapter:
        found = {name.split(".lora_")[0] for name in adapter.parameters()}
        assert all(p.requires_grad for p in adapter.parameters().values())
        frozen = [p for n, p in base.unet.named_parameters() if "lora_" not in n]
        assert not any(p.requires_grad for p in frozen)
    assert found == wanted


def test_every_attention_projection_of_both_text_encoders_gets_a_lora(base: Base) -> None:
    adapters = add_text_lora(base, Lora(rank=4), seed=0)
    try:
        for adapter, name in zip(adapters, ("text_encoder", "text_encoder_2"), strict=True):
            assert adapter.name == name
            paths = {path.split(".lora_")[0] for path in adapter.parameters()}
            assert len(paths) == 3 * 4, "three layers, four projections each"
            kinds = {path.rpartition(".")[2] for path in paths}
            assert kinds == {"q_proj", "k_proj", "v_proj", "out_proj"}
        one, two = (copies(adapter) for adapter in adapters)
        first = next(name for name in one if "lora_A" in name)
        assert not any(
            torch.equal(one[first].flatten()[:64], p.flatten()[:64]) for p in two.values()
        )
    finally:
        for adapter in adapters:
            remove_lora(adapter)


def test_blocks_narrow_the_choice_with_or_without_the_unets_name(base: Base) -> None:
    block = "up_blocks.0.attentions.0"
    for name in (block, f"unet.{block}"):
        with unet_lora(base, Lora(rank=4, blocks=(name,))) as adapter:
            paths = list(adapter.parameters())
        assert len(paths) == 2 * 8 and all(path.startswith(f"{block}.") for path in paths)


def test_a_block_is_a_whole_name_not_a_beginning(base: Base) -> None:
    with pytest.raises(SettingsError, match=r"lora\.blocks holds 'up_blocks\.0\.attention'"):
        add_unet_lora(base, Lora(blocks=("up_blocks.0.attention",)), 0)


def test_a_block_without_targets_is_refused_and_the_others_are_named(base: Base) -> None:
    with pytest.raises(SettingsError, match="'nowhere'") as found:
        add_unet_lora(base, Lora(blocks=("mid_block", "nowhere", "elsewhere")), 0)
    assert len(found.value.problems) == 2
    assert "there are down_blocks.1.attentions.0, mid_block.attentions.0" in str(found.value)


def test_a_target_that_no_layer_has_is_refused_and_the_existing_ones_are_named(base: Base) -> None:
    with pytest.raises(SettingsError, match=r"lora\.target_modules holds 'to_x'.*to_k.*to_q"):
        add_unet_lora(base, Lora(target_modules=("to_k", "to_x")), 0)
    with pytest.raises(SettingsError, match=r"lora\.te_target_modules holds 'proj'.*q_proj"):
        add_text_lora(base, Lora(te_target_modules=("proj",)), 0)


def test_linear_and_convolution_layers_outside_attention_can_be_targets(base: Base) -> None:
    settings = Lora(rank=2, target_modules=("conv1", "proj_in", "time_emb_proj"))
    before = predict(base)
    with unet_lora(base, settings) as adapter:
        kinds = {p.split(".lora_")[0].rpartition(".")[2] for p in adapter.parameters()}
        assert torch.equal(predict(base), before)
        fill(adapter)
        assert not torch.equal(predict(base), before)
    assert kinds == {"conv1", "proj_in", "time_emb_proj"}


@pytest.mark.parametrize("use_dora", [False, True])
def test_taken_off_the_base_is_bit_for_bit_what_it_was(base: Base, use_dora: bool) -> None:
    before, names = predict(base), list(base.unet.state_dict())
    for _ in range(2):
        adapter = add_unet_lora(base, Lora(rank=4, use_dora=use_dora), 0)
        texts = add_text_lora(base, Lora(rank=4, use_dora=use_dora), 0)
        fill(adapter)
        assert not torch.equal(predict(base), before)
        for each in (adapter, *texts):
            remove_lora(each)
        assert torch.equal(predict(base), before)
        assert list(base.unet.state_dict()) == names, "nor does the order of its parts change"


def test_saved_values_are_pefts_names_and_come_back(base: Base) -> None:
    with unet_lora(base, Lora(rank=4)) as adapter:
        fill(adapter)
        saved = {key: value.clone() for key, value in adapter.state_dict().items()}
        assert f"{LAYER}.lora_A.weight" in saved and saved[f"{LAYER}.lora_B.weight"].shape[1] == 4
        expected = predict(base)
    with unet_lora(base, Lora(rank=4)) as adapter:
        adapter.load(saved)
        assert torch.equal(predict(base), expected)
