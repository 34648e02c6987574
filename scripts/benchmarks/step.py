"""A training step against the bare forward and backward, and the state that new tokens add."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

WARM_UP = 5


def benchmark_step(rounds: int) -> None:
    """Print a Markdown table: text mode, optimizer, batch, milliseconds of both, ratio."""
    print("| te_mode | optimizer | batch | step ms | bare ms | ratio |")
    print("|---|---|---|---|---|---|")
    for te_mode in ("frozen", "pivotal", "lora"):
        for optimizer in ("prodigy", "adamw", "adafactor", "prodigy_plus"):
            for batch in (1, 4):
                step, bare = measure_step(te_mode, optimizer, batch, rounds)
                print(
                    f"| {te_mode} | {optimizer} | {batch} | {step * 1e3:.1f} | {bare * 1e3:.1f} "
                    f"| {step / bare:.3f} |",
                    flush=True,
                )


def measure_step(te_mode: str, optimizer: str, batch: int, rounds: int) -> tuple[float, float]:
    """Median seconds of a training step and of the bare forward and backward."""
    import torch

    from lora_sweep.config.compose import compose
    from lora_sweep.model.base import load_base
    from lora_sweep.results.store import Store
    from lora_sweep.sweep.device import open_device
    from lora_sweep.sweep.prepare import prepare
    from lora_sweep.sweep.request import resolve_request
    from lora_sweep.training.step import train_step
    from lora_sweep.training.trial import build_trial

    with tempfile.TemporaryDirectory() as folder:
        settings = compose(
            [f"te_mode={te_mode}", f"optimizer={optimizer}", f"train.batch_size={batch}",
             "train.threads=1", "train.device=cpu", f"results.dir={folder}",
             "train.max_train_steps=100000", "evaluate.loss_timesteps=0"]
        )  # fmt: skip
        request = resolve_request(settings)
        base = load_base(settings.model, open_device(settings))
        prepared = prepare(base, request, Store(Path(folder)))
        trial = build_trial(base, settings, prepared.items, None, request.max_train_steps)
    latents = torch.randn(batch, *trial.items.posterior_NCHW.shape[1:])[:, ::2]
    times = torch.randint(0, 1000, (batch,))
    text = trial.conditioner(range(batch))
    live = trial.conditioner.fixed is None

    def bare() -> None:
        conditioning = trial.conditioner(range(batch)) if live else text
        condition = {
            "text_embeds": conditioning.pooled_BP,
            "time_ids": trial.items.time_ids_N6[:batch],
        }
        prediction = base.unet(
            latents, times, conditioning.prompt_BLD, added_cond_kwargs=condition
        ).sample
        (prediction - latents).square().mean().backward()

    step, plain = alternate(lambda: train_step(trial, base.unet) and None, bare, rounds)
    trial.close()
    return step, plain


def alternate(
    first: Callable[[], None], second: Callable[[], None], rounds: int
) -> tuple[float, float]:
    """Median seconds of two jobs run in turns, so that whatever slows the machine slows both."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for index in range(rounds + WARM_UP):
        for job, times in zip((first, second), seconds, strict=True):
            start = time.perf_counter()
            job()
            if index >= WARM_UP:
                times.append(time.perf_counter() - start)
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def benchmark_state() -> None:
    """Print the bytes that two new tokens add at 49,408 tokens of width 768 and 1,280."""
    import torch
    from torch import nn

    from lora_sweep.config.optimizers import Prodigy
    from lora_sweep.model.tokens import ExtendedEmbedding
    from lora_sweep.training.flat import FlatGroup
    from lora_sweep.training.prodigy import FlatProdigy

    embeddings = [ExtendedEmbedding(nn.Embedding(49408, w), torch.randn(2, w)) for w in (768, 1280)]
    rows = {f"rows.{index}": each.rows for index, each in enumerate(embeddings)}
    group = FlatGroup("text", rows, lr=1.0, weight_decay=0.0)
    prodigy = FlatProdigy([group], Prodigy())
    held = [group.vector, group.gradient, *prodigy.tensors().values()]
    total = sum(tensor.numel() * tensor.element_size() for tensor in held)
    print(f"parameters, gradient and Prodigy state of the new rows: {total / 2**20:.3f} MiB")
