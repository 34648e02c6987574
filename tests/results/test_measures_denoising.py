from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers import DDPMScheduler, EulerDiscreteScheduler
from torch import Tensor, nn

from lora_sweep.config.settings import AdamW, Lora, Settings, TeLora, Train
from lora_sweep.draws import normal
from lora_sweep.model.base import Base
from lora_sweep.model.text import TextEmbedding, encode_captions
from lora_sweep.randomness import Stream
from lora_sweep.results.measure.denoising import denoising_loss, measure_losses, timestep_grid
from lora_sweep.training.prepare import Items
from lora_sweep.training.trial import build_trial

CAPTIONS = ("a red circle", "a dog", "a red circle")


def some_items(std: float = 1.0, count: int = 3) -> Items:
    g = torch.Generator().manual_seed(0)
    mean = 4 * torch.randn(count, 4, 8, 8, generator=g)
    time_ids = torch.tensor([[70 + i, 64, 0, i, 64, 64] for i in range(count)])
    return Items(torch.cat([mean, torch.full_like(mean, std)], 1), time_ids, CAPTIONS[:count])


def text_of(base: Base, items: Items) -> TextEmbedding:
    with torch.no_grad():
        return encode_captions(base, items.captions)


def test_timesteps_are_the_middles_of_equal_parts() -> None:
    assert timestep_grid(1000, 8) == [62, 187, 312, 437, 562, 687, 812, 937]
    assert timestep_grid(1000, 1) == [500]


@torch.no_grad()
def test_the_loss_is_the_mean_squared_error_of_the_predicted_noise(base: Base) -> None:
    items, text = some_items(), text_of(base, some_items())
    scheduler: Any = DDPMScheduler.from_config(base.scheduler.config)
    errors = []
    for item in range(3):
        x0 = items.posterior_NCHW[item, :4][None] * base.vae.config["scaling_factor"]
        for k, timestep in enumerate((250, 750)):
            eps = normal(x0.shape[1:], 0, Stream.measure, item, k)[None]
            t = torch.tensor([timestep])
            row = text.rows(torch.tensor([item]))
            added = {"text_embeds": row.pooled_BP, "time_ids": items.time_ids_N6[item][None]}
            x_t = scheduler.add_noise(x0, eps, t)
            predicted = base.unet(x_t, t, row.prompt_BLD, added_cond_kwargs=added).sample
            errors.append(float((predicted - eps).square().mean()))
    expected = sum(errors) / len(errors)
    for batch_size in (1, 4, 100):
        found = denoising_loss(base, items, text, 2, batch_size)
        assert found == pytest.approx(expected, rel=1e-5)


def test_latents_are_the_posteriors_means(base: Base) -> None:
    text = text_of(base, some_items())
    sharp, blurred = (denoising_loss(base, some_items(std), text, 2, 4) for std in (0.0, 50.0))
    assert sharp == blurred


class Nearly(nn.Module):
    """Predicts the noise of one picture up to a known error, as epsilon or as velocity."""

    def __init__(self, x0_CHW: Tensor, alphas_cumprod: Tensor, kind: str, error: float) -> None:
        super().__init__()
        self.x0, self.alphas, self.kind, self.error = x0_CHW, alphas_cumprod, kind, error

    def forward(self, x_t: Tensor, t: Tensor, *rest: Any, **more: Any) -> SimpleNamespace:
        a = self.alphas[t].view(-1, 1, 1, 1)
        eps = (x_t - a.sqrt() * self.x0) / (1 - a).sqrt() + self.error
        # From x_t = sqrt(a) x0 + sqrt(1 - a) eps and v = sqrt(a) eps - sqrt(1 - a) x0.
        v = (eps - (1 - a).sqrt() * x_t) / a.sqrt()
        return SimpleNamespace(sample=eps if self.kind == "epsilon" else v)


@pytest.mark.parametrize(("error", "expected"), [(0.0, 0.0), (0.3, 0.09)])
def test_a_model_of_velocity_is_measured_as_the_same_model_of_noise(
    base: Base, error: float, expected: float
) -> None:
    items = some_items(count=1)
    x0 = items.posterior_NCHW[0, :4] * base.vae.config["scaling_factor"]
    for kind in ("epsilon", "v_prediction"):
        scheduler: Any = EulerDiscreteScheduler.from_config(
            base.scheduler.config, prediction_type=kind
        )
        model: Any = Nearly(x0, base.alphas_cumprod(), kind, error)
        nearly = replace(base, unet=model, scheduler=scheduler)
        found = denoising_loss(nearly, items, text_of(base, items), 4, 2)
        assert found == pytest.approx(expected, rel=1e-3, abs=1e-6)


def trial_settings(seed: int = 0, **lora: Any) -> Settings:
    return Settings(
        te_mode=TeLora(), lora=Lora(rank=2, **lora), optimizer=AdamW(), seed=seed, train=Train()
    )


def test_an_untrained_trial_measures_the_same_whatever_its_seed(base: Base) -> None:
    found = []
    for seed in (0, 1):
        trial = build_trial(base, trial_settings(seed), some_items(), None, 1)
        try:
            found.append(measure_losses(base, some_items(), some_items(0.5, 2), {}, 2, 4))
        finally:
            trial.close()
    assert found[0] == found[1]
    assert found[0]["gap"] == found[0]["val_loss"] - found[0]["fit_loss"]


def test_measuring_leaves_modes_and_random_numbers_alone_and_sees_no_dropout(base: Base) -> None:
    trial = build_trial(base, trial_settings(dropout=0.5), some_items(), None, 1)
    try:
        for group in trial.groups.values():
            group.vector.data.fill_(0.05)  # a LoRA whose B is zero hides its dropout
        modules = [m for part in (base.unet, *base.text_encoders) for m in part.modules()]
        modes, state = [m.training for m in modules], torch.get_rng_state()
        first = measure_losses(base, some_items(), None, {}, 2, 4)
        assert measure_losses(base, some_items(), None, {}, 2, 4) == first and set(first) == {
            "fit_loss"
        }
        assert [m.training for m in modules] == modes and any(modes)
        assert torch.equal(torch.get_rng_state(), state)
        assert all(
            not p.grad.any()
            for g in trial.groups.values()
            for p in g.tensors()
            if p.grad is not None
        )
    finally:
        trial.close()


def test_new_tokens_take_the_abstractions_place(base: Base) -> None:
    items = replace(some_items(count=1), captions=("a TOK dog",))
    plain, replaced, same = (
        measure_losses(base, items, None, words, 1, 4)["fit_loss"]
        for words in ({}, {"TOK": "red"}, {"OTHER": "red"})
    )
    assert plain == same != replaced
