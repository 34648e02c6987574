"""The training loop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

from lora_sweep.training.compiled import CompiledBlocks
from lora_sweep.training.ranks import ranks
from lora_sweep.training.step import StepResult, train_step
from lora_sweep.training.trial import Trial


def train(trial: Trial, until_step: int) -> Iterator[StepResult]:
    """Train until `until_step` optimizer steps are done, yielding each; freezes the text side at
    the pivot.
    """
    many = ranks()
    compiled = CompiledBlocks(trial.base.unet) if trial.settings.train.compile else None
    while trial.step < until_step:
        if many.leads:  # the others wait for it, and then take the step too
            many.tell({"do": "step", "pivot": trial.pivot_step})
        try:
            if trial.step >= trial.pivot_step and not trial.text_frozen:
                trial.freeze_text()
            with compiled.in_use() if compiled else nullcontext():
                result = train_step(trial, trial.base.unet)
        except Exception as error:
            many.break_up(error)
            raise
        yield result
