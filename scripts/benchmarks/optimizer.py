"""Prodigy's step on flat vectors against prodigyopt's, tensor by tensor, on nano's adapter."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.step import alternate


def benchmark_optimizer(rounds: int) -> None:
    """Print milliseconds of both, and of a whole training step at batch 1, rank 16, one thread."""
    import torch
    from prodigyopt import Prodigy

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
            ["te_mode=frozen", "train.batch_size=1", "train.threads=1", "train.device=cpu",
             f"results.dir={folder}", "train.max_train_steps=100000", "evaluate.loss_timesteps=0"]
        )  # fmt: skip
        request = resolve_request(settings)
        base = load_base(settings.model, open_device(settings))
        prepared = prepare(base, request, Store(Path(folder)))
        trial = build_trial(base, settings, prepared.items, None, request.max_train_steps)
    train_step(trial, base.unet)  # gradients, and a first estimate
    copies = [torch.nn.Parameter(each.detach().clone()) for each in trial.groups["unet"].tensors()]
    for copy in copies:
        copy.grad = torch.randn_like(copy) * 1e-3
    published = Prodigy(copies)
    flat, each = alternate(
        lambda: trial.optimizer.step(1.0), lambda: published.step() and None, rounds
    )
    whole, _ = alternate(lambda: train_step(trial, base.unet) and None, lambda: None, rounds)
    trial.close()
    rest = whole - flat
    print(f"{len(copies)} tensors; beside the optimizer a step takes {rest * 1e3:.1f} ms")
    for name, seconds in (("one flat vector", flat), ("prodigyopt", each)):
        share = seconds / (rest + seconds)
        print(f"{name}: {seconds * 1e3:.2f} ms, {share:.1%} of a step")
