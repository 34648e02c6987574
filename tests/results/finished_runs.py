"""Trials of two steps on the embedded base, finished, for what is done with finished trials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lora_sweep.config.settings import (
    AdamW,
    Dataset,
    Evaluate,
    Lora,
    Pivotal,
    Results,
    Settings,
    TeLora,
    Train,
)
from lora_sweep.quiet import quiet_libraries
from lora_sweep.results.finished import FinishedTrial, finished_trials
from lora_sweep.sweep.run import run_trial

quiet_libraries()

PROMPT = "a photo of TOK woman"


def train(root: Path, **sections: Any) -> FinishedTrial:
    """A trial on the six packaged face pictures with one validation picture."""
    chosen: dict[str, Any] = {
        "dataset": Dataset(name="face", set="varied", class_noun="woman"),
        "optimizer": AdamW(lr=1e-2),
        "lora": Lora(rank=2),
        "te_mode": Pivotal(),
        "train": Train(max_train_steps=2, batch_size=2),
        "evaluate": Evaluate(
            prompts=(PROMPT,), images_per_prompt=1, sample_steps=2, loss_timesteps=0
        ),
        "results": Results(dir=str(root), name="my_face"),
    }
    result = run_trial(Settings(**(chosen | sections)))
    assert not result.failed
    return finished_trials(root, [result.folder.name])[0]


def train_two(root: Path) -> list[FinishedTrial]:
    """One with new tokens, and one whose text encoders have a LoRA."""
    return [train(root), train(root, te_mode=TeLora(), lora=Lora(rank=4))]
