"""A whole training step against bare forward and backward of the same modules at full size.

python scripts/full_size/ratio.py ROUNDS OVERRIDE ...: both in turns in one process, so that
whatever else the machine does slows both; medians, as one line of JSON.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from lora_sweep.config.compose import compose
from lora_sweep.model.base import load_base
from lora_sweep.results.store import Store
from lora_sweep.sweep.cost.timing import peak_memory, reset_peak
from lora_sweep.sweep.device import open_device
from lora_sweep.sweep.prepare import prepare
from lora_sweep.sweep.request import resolve_request
from lora_sweep.training.step import train_step
from lora_sweep.training.trial import Trial, build_trial


def bare_pass(trial: Trial) -> Callable[[], object]:
    """Forward and backward of the UNet, and of the text encoders while they train, on a batch."""
    base, size = trial.base, trial.settings.train.batch_size
    rows = list(range(size))
    latents = trial.items.posterior(rows)[:, ::2].to(base.dtype)
    times = torch.randint(0, 1000, (size,), device=base.device)
    live = trial.conditioner.fixed is None
    fixed = None if live else trial.conditioner(rows)

    def run() -> object:
        with base.autocast():
            text = trial.conditioner(rows) if fixed is None else fixed
            condition = {
                "text_embeds": text.pooled_BP.to(base.dtype),
                "time_ids": trial.items.time_ids(rows),
            }
            prediction = base.unet(
                latents, times, text.prompt_BLD.to(base.dtype), added_cond_kwargs=condition
            ).sample
        (prediction.float() - latents.float()).square().mean().backward()
        return _wait(base.device)

    return run


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def main() -> None:
    rounds, overrides = int(sys.argv[1]), sys.argv[2:]
    settings = compose([*overrides, "evaluate=off", "evaluate.loss_timesteps=0"])
    request = resolve_request(settings)
    base = load_base(settings.model, open_device(settings))
    prepared = prepare(base, request, Store(Path(settings.results.dir)))
    trial = build_trial(base, request.settings, prepared.items, None, request.max_train_steps)
    bare = bare_pass(trial)

    def step() -> object:
        train_step(trial, base.unet)
        return _wait(base.device)

    seconds: dict[str, list[float]] = {"step": [], "bare": []}
    reset_peak()
    for index in range(rounds + 1):
        for name, job in (("step", step), ("bare", bare)):
            start = time.perf_counter()
            job()
            if index:  # the first of each is slow
                seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    ratios = [one / other for one, other in zip(seconds["step"], seconds["bare"], strict=True)]
    told = {**medians, "ratio": statistics.median(ratios), "peak": peak_memory()}
    print(json.dumps({**told, "all": seconds}))


if __name__ == "__main__":
    main()
