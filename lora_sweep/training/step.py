"""One optimizer step of a trial: batch, draw, predict, weigh, descend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from lora_sweep.draws import normal_rows, uniform_int_rows
from lora_sweep.model.latents import sample_latents
from lora_sweep.randomness import Stream, number
from lora_sweep.training.flat import clip_gradients
from lora_sweep.training.loss import diffusion_loss, loss_weights
from lora_sweep.training.noise import add_noise, offset_noise, target
from lora_sweep.training.ranks import ranks
from lora_sweep.training.trial import Trial, caption_rows

Predict = Callable[..., Any]
"""The UNet's forward, compiled or not."""


@dataclass(frozen=True)
class StepResult:
    """What one optimizer step gives; tensors stay on the device until a row is written."""

    step: int  # optimizer steps done, this one included
    loss: Tensor
    grad_norm: Tensor  # before clipping
    lr: dict[str, Tensor | float]  # d * lr by group


@dataclass(frozen=True)
class Slots:
    """Which rows a micro-step trains on, and the slot that each row's draws belong to."""

    instance: tuple[int, ...]
    classes: tuple[int, ...]  # as many as instance rows, or none
    first: int  # slot of the first row, counted over the whole optimizer step

    @property
    def numbers(self) -> range:
        """Slots of the rows; a row's draws depend on its slot, not on how steps are cut into
        batches.
        """
        return range(self.first, self.first + len(self.instance))

    def part(self, rows: range) -> Slots:
        """Some of the rows, each with its own slot."""
        some = slice(rows.start, rows.stop)
        return replace(
            self,
            instance=self.instance[some],
            classes=self.classes[some],
            first=self.first + rows.start,
        )


def train_step(trial: Trial, predict: Predict) -> StepResult:
    """Run one optimizer step and count it."""
    step, train = trial.step, trial.settings.train
    for group in trial.live_groups:
        group.zero_grad()
    micro_steps, many = _slots(trial, step), ranks()
    losses = []
    for micro_step in micro_steps:
        own = micro_step.part(many.share(len(micro_step.instance)))
        if not own.instance:  # fewer rows than processes
            losses.append(torch.zeros((), device=trial.base.device))
            continue
        with _dropout_seed(trial, step, own.first), trial.base.autocast():
            loss = micro_loss(trial, predict, step, own)
        weight = len(own.instance) / len(micro_step.instance)
        (loss * (trial.loss_scale.value * weight / len(micro_steps))).backward()
        losses.append(loss.detach() * weight)
    loss = torch.stack(losses).mean()
    many.add_up([*(group.gradient for group in trial.live_groups), loss])
    factor = trial.lr_factor(step)
    trial.loss_scale.unscale(trial.live_groups)
    norm = clip_gradients(trial.live_groups, train.max_grad_norm)
    rates = trial.optimizer.effective_lr(factor)
    if trial.loss_scale.accept(norm):
        trial.optimizer.step(factor)
        if trial.tokens is not None and not trial.text_frozen:
            trial.tokens.normalise()
    trial.step += 1
    return StepResult(trial.step, loss, norm, rates)


def micro_loss(trial: Trial, predict: Predict, step: int, slots: Slots) -> Tensor:
    """The loss of one micro-step: a function of the trial's weights, (seed, step) and the slots."""
    base, settings, seed = trial.base, trial.settings, trial.settings.seed
    posterior, time_ids = _rows(trial, slots)
    latent_shape = (posterior.shape[1] // 2, *posterior.shape[2:])

    def draw(stream: Stream, shape: Sequence[int], class_stream: Stream | None = None) -> Tensor:
        rows = normal_rows(slots.numbers, shape, seed, stream, step)
        if slots.classes:
            other = class_stream or stream
            more = normal_rows(slots.numbers, shape, seed, other, step, "class")
            rows = torch.cat([rows, more])
        return base.send(rows)

    x0 = sample_latents(
        base, posterior, draw(Stream.vae_sample, latent_shape, Stream.class_vae_sample)
    )
    eps = draw(Stream.noise, latent_shape)
    if settings.train.noise_offset:
        offset = draw(Stream.noise_offset, latent_shape[:1])
        eps = offset_noise(eps, offset, settings.train.noise_offset)
    t = _timesteps(trial, step, slots)
    alpha_bar = trial.alphas_cumprod[t]
    x_t = add_noise(x0, eps, alpha_bar)
    text = trial.conditioner(caption_rows(trial.items, slots.instance, slots.classes))
    prediction = predict(
        x_t.to(base.dtype),
        t,
        text.prompt_BLD.to(base.dtype),
        added_cond_kwargs={"text_embeds": text.pooled_BP.to(base.dtype), "time_ids": time_ids},
    ).sample
    prior_weight = getattr(settings.prior, "weight", 1.0)
    weight_class_rows = getattr(settings.prior, "snr_weighting", False)
    weight = loss_weights(
        alpha_bar, settings.snr.gamma, base.prediction_type, len(slots.classes), weight_class_rows
    )
    wanted = target(base.prediction_type, x0, eps, alpha_bar)
    return diffusion_loss(prediction, wanted, weight, len(slots.classes), prior_weight)


def _slots(trial: Trial, step: int) -> list[Slots]:
    epoch = trial.epoch
    result = []
    for index, micro in enumerate(epoch.micro_steps_of(step)):
        rows = epoch.batch(trial.settings.seed, micro)
        instance = tuple(row % len(trial.items) for row in rows)
        classes = tuple(trial.class_rows[row] for row in rows) if trial.class_rows else ()
        result.append(Slots(instance, classes, index * epoch.batch_size))
    return result


def _rows(trial: Trial, slots: Slots) -> tuple[Tensor, Tensor]:
    instance = list(slots.instance)
    posterior, time_ids = trial.items.posterior(instance), trial.items.time_ids(instance)
    if trial.class_items is not None:
        classes = list(slots.classes)
        posterior = torch.cat([posterior, trial.class_items.posterior(classes)])
        time_ids = torch.cat([time_ids, trial.class_items.time_ids(classes)])
    return posterior, time_ids


def _timesteps(trial: Trial, step: int, slots: Slots) -> Tensor:
    count, seed = len(trial.alphas_cumprod), trial.settings.seed
    t = uniform_int_rows(slots.numbers, count, seed, Stream.timestep, step)
    if slots.classes:
        more = uniform_int_rows(slots.numbers, count, seed, Stream.timestep, step, "class")
        t = torch.cat([t, more])
    return trial.base.send(t)


@contextmanager
def _dropout_seed(trial: Trial, step: int, slot: int) -> Iterator[None]:
    """Dropout draws from the global generators, so those are seeded for this micro-step and put
    back.
    """
    if not trial.settings.lora.dropout:
        yield
        return
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(number(trial.settings.seed, Stream.dropout, step, slot))
        yield
