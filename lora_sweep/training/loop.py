"""The training loop."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from lora_sweep.training.step import StepResult, train_step
from lora_sweep.training.trial import Trial


def train(trial: Trial, until_step: int) -> Iterator[StepResult]:
    """Train until `until_step` optimizer steps are done, yielding each; freezes the text side at
    the pivot.
    """
    predict = torch.compile(trial.base.unet) if trial.settings.train.compile else trial.base.unet
    while trial.step < until_step:
        if trial.step >= trial.pivot_step and not trial.text_frozen:
            trial.freeze_text()
        yield train_step(trial, predict)
