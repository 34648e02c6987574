"""What was asked for: typed settings, the rules that they obey, and the address of a trial.

Composing them from YAML and the command line is in `lora_sweep.config.compose`, which needs Hydra.
"""

from lora_sweep.config.advice import warnings
from lora_sweep.config.identity import TRAINING_VERSION, canonical_json, trial_id
from lora_sweep.config.plain import settings_from_plain, to_plain
from lora_sweep.config.resolve import (
    class_prompt,
    lora_alpha,
    resolved,
    resolved_steps,
    te_lr,
    te_weight_decay,
    text_side_trains,
)
from lora_sweep.config.rules import check, problems
from lora_sweep.config.settings import Settings

__all__ = [
    "TRAINING_VERSION",
    "Settings",
    "canonical_json",
    "check",
    "class_prompt",
    "lora_alpha",
    "problems",
    "resolved",
    "resolved_steps",
    "settings_from_plain",
    "te_lr",
    "te_weight_decay",
    "text_side_trains",
    "to_plain",
    "trial_id",
    "warnings",
]
