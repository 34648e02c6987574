"""One optimizer step, against a plain straight-line computation of the same loss."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest
import torch
import torch.nn.functional as F
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import (
    StableDiffusionXLPipeline,
)
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.training_utils import compute_snr
from small_trials import (
    ONE_BLOCK,
    a_trial,
    make_nonzero,
    run,
    some_items,
    some_settings,
    te_modes,
)
from torch import Tensor

from lora_sweep.config.settings import (
    AdamW,
    Lora,
    Pivotal,
    Prior,
    PriorGenerated,
    Schedule,
    Settings,
)
from lora_sweep.draws import normal, uniform_int
from lora_sweep.model.base import Base
from lora_sweep.randomness import Stream, permutation
from lora_sweep.training.prepare import Items
from lora_sweep.training.step import train_step
from lora_sweep.training.trial import Trial

CLASSES = some_items(4, seed=9, caption="a {}")


def straight_loss(trial: Trial, step: int, seed: int = 0) -> Tensor:
    """The loss of one whole batch, as the script computes it, with draws by (seed, step, slot)."""
    base, settings, items = trial.base, trial.settings, trial.items
    classes = trial.class_items
    length = max(len(items), len(classes) if classes else 0)
    batch = settings.train.batch_size
    per_epoch = -(-length // batch)
    epoch, place = divmod(step, per_epoch)
    order = permutation(length, seed, Stream.order, epoch)[place * batch : (place + 1) * batch]
    posterior = [items.posterior_NCHW[i % len(items)] for i in order]
    time_ids = [items.time_ids_N6[i % len(items)] for i in order]
    words = "<s0><s1>" if isinstance(settings.te_mode, Pivotal) else "TOK"
    captions = [items.captions[i % len(items)].replace("TOK", words) for i in order]
    keys: list[tuple[int | str, ...]] = [(step, slot) for slot in range(len(order))]
    vae_streams = [Stream.vae_sample] * len(order)
    if classes:
        posterior += [classes.posterior_NCHW[i % len(classes)] for i in order]
        time_ids += [classes.time_ids_N6[i % len(classes)] for i in order]
        captions += [classes.captions[i % len(classes)] for i in order]
        keys += [(step, "class", slot) for slot in range(len(order))]
        vae_streams += [Stream.class_vae_sample] * len(order)

    shape = (4, *posterior[0].shape[1:])
    drawn = zip(posterior, vae_streams, keys, strict=True)
    latents = [p[:4] + p[4:] * normal(shape, seed, stream, *key) for p, stream, key in drawn]
    x0 = torch.stack(latents) * base.vae.config["scaling_factor"]
    noise = torch.stack([normal(shape, seed, Stream.noise, *key) for key in keys])
    if strength := settings.train.noise_offset:
        offsets = [normal((4,), seed, Stream.noise_offset, *key) for key in keys]
        noise = noise + strength * torch.stack(offsets).view(-1, 4, 1, 1)
    t = torch.cat([uniform_int(1000, (1,), seed, Stream.timestep, *key) for key in keys])
    scheduler = cast(DDPMScheduler, DDPMScheduler.from_config(base.scheduler.config))
    noisy = scheduler.add_noise(x0, noise, cast(torch.IntTensor, t))

    pipeline = StableDiffusionXLPipeline(
        vae=base.vae,
        text_encoder=base.text_encoder,
        text_encoder_2=base.text_encoder_2,
        tokenizer=base.tokenizer,
        tokenizer_2=base.tokenizer_2,
        unet=base.unet,
        scheduler=base.scheduler,  # type: ignore[arg-type]
        add_watermarker=False,
    )
    prompt, _, pooled, _ = pipeline.encode_prompt(
        captions,  # type: ignore[arg-type]  # a list is allowed
        device=base.device,
        do_classifier_free_guidance=False,
    )
    added = {"text_embeds": pooled, "time_ids": torch.stack(time_ids).float()}
    prediction = base.unet(noisy, t, prompt, added_cond_kwargs=added).sample
    if base.prediction_type == "v_prediction":
        wanted = scheduler.get_velocity(x0, noise, cast(torch.IntTensor, t))
    else:
        wanted = noise

    count, gamma = len(order), settings.snr.gamma
    loss = F.mse_loss(prediction[:count], wanted[:count], reduction="none").mean(dim=(1, 2, 3))
    if gamma is not None:
        loss = (
            loss
            * torch.clamp(compute_snr(scheduler, t[:count]), max=gamma)
            / (compute_snr(scheduler, t[:count]) + (base.prediction_type == "v_prediction"))
        )
    total = loss.mean()
    if classes:
        prior = F.mse_loss(prediction[count:], wanted[count:], reduction="none").mean((1, 2, 3))
        if gamma is not None and getattr(settings.prior, "snr_weighting", False):
            prior = (
                prior
                * torch.clamp(compute_snr(scheduler, t[count:]), max=gamma)
                / (compute_snr(scheduler, t[count:]) + (base.prediction_type == "v_prediction"))
            )
        total = total + getattr(settings.prior, "weight", 1.0) * prior.mean()
    return total


def check_step(trial: Trial, step: int) -> None:
    """Loss and gradients of one step against the straight computation."""
    make_nonzero(trial)
    trial.step = step
    expected = straight_loss(trial, step)
    parameters = [p for group in trial.groups.values() for p in group.tensors()]
    gradients = torch.autograd.grad(expected, parameters)
    wanted = torch.cat([g.reshape(-1) for g in gradients])
    result = train_step(trial, trial.base.unet)
    found = torch.cat([group.gradient for group in trial.groups.values()])
    torch.testing.assert_close(result.loss, expected.detach(), rtol=1e-5, atol=1e-6)
    assert float(torch.linalg.vector_norm(found - wanted) / torch.linalg.vector_norm(wanted)) < 1e-4
    torch.testing.assert_close(
        result.grad_norm, torch.linalg.vector_norm(wanted), rtol=1e-4, atol=0
    )
    assert all(group.gradient.any() for group in trial.groups.values())
    assert result.step == step + 1 == trial.step


PRIORS: dict[str, Prior] = {
    "none": Prior(),
    "prior": PriorGenerated(weight=0.3),
    "weighted prior": PriorGenerated(weight=0.3, snr_weighting=True),
}


@pytest.mark.parametrize("prior", list(PRIORS))
@pytest.mark.parametrize("mode", list(te_modes()))
def test_loss_and_gradients_are_those_of_the_straight_computation(
    base: Base, mode: str, prior: str
) -> None:
    settings = some_settings(
        te_modes(1.0)[mode],
        lora=Lora(rank=4),
        prior=PRIORS[prior],
        gamma=5.0,
        noise_offset=0.1,
        max_grad_norm=None,
    )
    classes = None if prior == "none" else CLASSES
    with a_trial(base, settings, class_items=classes) as trial:
        check_step(trial, step=2)


def test_a_base_that_predicts_velocity_is_trained_on_velocity(base: Base) -> None:
    own = base.scheduler
    base.scheduler = cast(
        EulerDiscreteScheduler,
        EulerDiscreteScheduler.from_config(own.config, prediction_type="v_prediction"),
    )
    try:
        with a_trial(base, some_settings(gamma=5.0, max_grad_norm=None)) as trial:
            check_step(trial, step=1)
    finally:
        base.scheduler = own


def test_a_later_epoch_has_an_order_of_its_own(base: Base) -> None:
    with a_trial(base, some_settings(batch_size=4, max_grad_norm=None)) as trial:
        check_step(trial, step=3)  # of six items: the short batch that ends the second epoch


def test_fewer_class_pictures_than_items_start_again_and_the_other_way_round(base: Base) -> None:
    settings = some_settings(prior=PriorGenerated(), max_grad_norm=None, batch_size=3)
    for items, classes, step in ((some_items(5), CLASSES, 1), (some_items(3), CLASSES, 1)):
        with a_trial(base, settings, items, classes) as trial:
            check_step(trial, step)


def gradient(
    base: Base, batch_size: int, accumulation: int, items: Items, step: int
) -> tuple[Tensor, float]:
    settings = some_settings(
        te_modes(1.0)["pivotal"],
        batch_size=batch_size,
        gradient_accumulation_steps=accumulation,
        max_grad_norm=None,
        gamma=5.0,
    )
    with a_trial(base, settings, items) as trial:
        make_nonzero(trial)
        trial.step = step
        result = train_step(trial, trial.base.unet)
        return torch.cat([g.gradient for g in trial.groups.values()]), float(result.loss)


def relative(one: Tensor, other: Tensor) -> float:
    return float(torch.linalg.vector_norm(one - other) / torch.linalg.vector_norm(other))


@pytest.mark.parametrize(("count", "step"), [(8, 0), (8, 3), (6, 1)])
def test_two_accumulated_batches_of_two_are_a_batch_of_four(
    base: Base, count: int, step: int
) -> None:
    # A row's draws belong to its slot in the optimizer step, and both epochs end after the same
    # items; with 6 items the second step has one batch of two either way.
    whole, loss = gradient(base, 4, 1, some_items(count), step)
    parts, mean = gradient(base, 2, 2, some_items(count), step)
    assert relative(parts, whole) < 1e-5
    assert mean == pytest.approx(loss, rel=1e-5)


def test_a_short_accumulated_batch_counts_as_much_as_a_full_one(base: Base) -> None:
    # As in the script: a mean of means. Of 7 items the second step holds 2 and 1, or all 3 at once.
    items = some_items(7)
    whole, _ = gradient(base, 4, 1, items, 1)
    parts, _ = gradient(base, 2, 2, items, 1)
    assert relative(parts, whole) > 1e-3


def spy_on_noised_latents(trial: Trial) -> list[Tensor]:
    """What the UNet is given at each micro-step."""
    seen: list[Tensor] = []
    trial.base.unet.register_forward_pre_hook(lambda module, args: seen.append(args[0].clone()))
    return seen


def noised(base: Base, settings: Settings, steps: int) -> Tensor:
    with a_trial(base, settings) as trial:
        seen = spy_on_noised_latents(trial)
        run(trial, steps)
        trial.base.unet._forward_pre_hooks.clear()
    return torch.cat(seen)


def test_a_slot_has_the_same_draws_however_the_step_is_cut(base: Base) -> None:
    four = noised(base, some_settings(batch_size=4), 2)
    two = noised(base, some_settings(batch_size=2, gradient_accumulation_steps=2), 2)
    one = noised(base, some_settings(batch_size=1, gradient_accumulation_steps=4), 2)
    assert torch.equal(four, two) and torch.equal(four, one)
    assert four.flatten(1).unique(dim=0).shape[0] == len(four), "no two rows are alike"


def test_neither_rank_nor_te_mode_nor_optimizer_changes_the_data(base: Base) -> None:
    plain = noised(base, some_settings(), 2)
    torch.manual_seed(5)
    for settings in (
        some_settings(lora=Lora(rank=8, dropout=0.5, blocks=ONE_BLOCK)),
        some_settings(te_modes()["pivotal"]),
        some_settings(gamma=5.0),
    ):
        assert torch.equal(noised(base, settings, 2), plain)


def test_clipping_is_joint_and_the_norm_shown_is_the_one_before(base: Base) -> None:
    def clipped(max_grad_norm: float | None) -> tuple[float, Tensor]:
        settings = some_settings(te_modes(1.0)["lora"], max_grad_norm=max_grad_norm)
        with a_trial(base, settings) as trial:
            make_nonzero(trial)
            norm = float(train_step(trial, trial.base.unet).grad_norm)
            return norm, torch.cat([g.gradient for g in trial.groups.values()])

    free_norm, free = clipped(None)
    norm, found = clipped(free_norm / 3)
    assert norm == pytest.approx(free_norm)
    torch.testing.assert_close(found, free / 3, rtol=1e-4, atol=1e-8)


def test_the_rates_shown_are_the_steps_own(base: Base) -> None:
    settings = replace(
        some_settings(te_modes(1.0)["lora"], AdamW(lr=1e-3, te_lr=1e-4)),
        schedule=Schedule("constant_with_warmup", warmup_steps=4),
    )
    with a_trial(base, settings) as trial:
        rates = [train_step(trial, base.unet).lr for _ in range(3)]
    assert [rate["unet"] for rate in rates] == pytest.approx([0.0, 0.25e-3, 0.5e-3])
    assert [rate["text"] for rate in rates] == pytest.approx([0.0, 0.25e-4, 0.5e-4])
