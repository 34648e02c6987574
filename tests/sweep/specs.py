"""Trials for planning without pictures: what a request would have found out is given by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

from lora_sweep.config.identity import trial_id
from lora_sweep.config.resolve import resolved, resolved_steps
from lora_sweep.config.settings import (
    AdamW,
    Dataset,
    Lora,
    Optimizer,
    Pivotal,
    PivotRounding,
    Prior,
    PriorReal,
    PriorSettings,
    Prodigy,
    Settings,
    Snr,
    TeLora,
    Train,
)
from lora_sweep.sweep.stages import TrialSpec

EXACT, EPOCH = PivotRounding.exact, PivotRounding.epoch

OPTIMIZERS = (Prodigy(), AdamW(lr=1e-4, te_lr=3e-4), AdamW(lr=1e-4, te_lr=5e-5))
"""The post's: Prodigy 1/1, AdamW 1e-4/3e-4 and 1e-4/5e-5."""


def spec(
    settings: Settings, num_pictures: int = 31, data: str = "d" * 64, base: str = "b" * 64
) -> TrialSpec:
    """What a request for these settings would lead to."""
    prior = settings.prior
    steps = resolved_steps(settings, num_pictures)
    train = replace(settings.train, max_train_steps=steps, steps_per_image=None)
    settings = resolved(replace(settings, train=train))
    return TrialSpec(
        id=trial_id(settings, data, base),
        settings=settings,
        num_pictures=num_pictures,
        num_class_pictures=prior.num_class_images if isinstance(prior, PriorSettings) else 0,
        max_train_steps=steps,
        dataset_hash=data,
        base_hash=base,
    )


def huggy(rounding: PivotRounding = EXACT) -> Iterator[TrialSpec]:
    """The post's grid on 31 emoji."""
    trains = [
        Train(steps, batch_size=size) for steps in (1000, 1500, 1800) for size in (1, 2, 3, 4)
    ]
    return _grid("huggy", 31, rounding, ranks=(32,), repeats=(1, 2), trains=trains)


def y2k(rounding: PivotRounding = EXACT) -> Iterator[TrialSpec]:
    """The post's grid on 27 web pages."""
    trains = [Train(steps, batch_size=size) for steps in (500, 1000, 1500) for size in (1, 2, 3, 4)]
    return _grid("y2k", 27, rounding, ranks=(8, 32, 64), repeats=(1, 2, 3), trains=trains)


def face(
    rounding: PivotRounding = EXACT, num_pictures: int = 6, batch_size: int = 1
) -> Iterator[TrialSpec]:
    """The post's grid on a face, beside class pictures."""
    trains = [Train(steps_per_image=each, batch_size=batch_size) for each in (75, 100, 120)]
    priors = [PriorReal(num_class_images=count) for count in (100, 150)]
    return _grid(
        "face", num_pictures, rounding, ranks=(4, 16, 32, 64), repeats=(1, 2, 3, 4),
        trains=trains, optimizers=OPTIMIZERS[:2], priors=priors,
    )  # fmt: skip


def _grid(
    dataset: str,
    num_pictures: int,
    rounding: PivotRounding,
    *,
    ranks: Sequence[int],
    repeats: Sequence[int],
    trains: Sequence[Train],
    optimizers: Sequence[Optimizer] = OPTIMIZERS,
    priors: Sequence[Prior] = (Prior(),),
) -> Iterator[TrialSpec]:
    datasets = [Dataset(name=dataset, repeats=count) for count in repeats]
    loras, snrs = [Lora(rank) for rank in ranks], [Snr(None), Snr(5.0)]
    te_modes = [TeLora(), Pivotal(pivot_rounding=rounding)]  # "regular finetuning" is TeLora
    for data, optimizer, lora, snr, te_mode, prior, train in product(
        datasets, optimizers, loras, snrs, te_modes, priors, trains
    ):
        settings = Settings(
            dataset=data, optimizer=optimizer, lora=lora, snr=snr, te_mode=te_mode, prior=prior,
            train=train,
        )  # fmt: skip
        yield spec(settings, num_pictures)
