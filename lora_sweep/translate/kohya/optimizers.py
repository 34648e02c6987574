"""optimizer_type and optimizer_args of sd-scripts as settings."""

from __future__ import annotations

from typing import Any

from lora_sweep.errors import SettingsError
from lora_sweep.translate.kohya.given import Keys
from lora_sweep.translate.result import Note, Translation

OPTIMIZERS = {
    "": "adamw",
    "adamw": "adamw",
    "adamw8bit": "adamw8bit",
    "pagedadamw8bit": "adamw8bit",
    "adafactor": "adafactor",
    "prodigy": "prodigy",
    "prodigyplusschedulefree": "prodigy_plus",
    "prodigyplus.prodigyplusschedulefree": "prodigy_plus",
}
"""By sd-scripts' name in small letters."""

DEFAULTS: dict[str, dict[str, Any]] = {
    "adamw": {"weight_decay": 0.01, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
    "adamw8bit": {"weight_decay": 0.01, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
    "adafactor": {
        "weight_decay": 0.0,
        "scale_parameter": True,
        "relative_step": True,
        "warmup_init": False,
    },
    "prodigy": {
        "weight_decay": 0.0,
        "beta1": 0.9,
        "beta2": 0.999,
        "use_bias_correction": False,
        "safeguard_warmup": False,
    },
    "prodigy_plus": {"weight_decay": 0.0, "beta1": 0.9, "beta2": 0.99},
}
"""What the packages' own classes do without optimizer_args."""

ARGUMENTS: dict[str, tuple[str, ...]] = {
    "adamw": ("weight_decay", "eps"),
    "adamw8bit": ("weight_decay", "eps"),
    "adafactor": (
        "weight_decay",
        "scale_parameter",
        "relative_step",
        "warmup_init",
        "clip_threshold",
        "decay_rate",
        "beta1",
    ),
    "prodigy": (
        "weight_decay",
        "eps",
        "beta3",
        "decouple",
        "use_bias_correction",
        "safeguard_warmup",
        "d0",
        "d_coef",
        "growth_rate",
        "slice_p",
    ),
    "prodigy_plus": (
        "weight_decay",
        "eps",
        "beta3",
        "d0",
        "d_coef",
        "d_limiter",
        "prodigy_steps",
        "schedulefree_c",
        "split_groups",
        "use_speed",
        "use_schedulefree",
    ),
}
"""optimizer_args that are settings of the same name."""


def optimizer(keys: Keys, to: Translation) -> None:
    """Set optimizer, its rates apart; raises SettingsError where there is none like it."""
    asked = "AdamW8bit" if keys["use_8bit_adam"] else keys["optimizer_type"]
    asked = "Lion" if keys["use_lion_optimizer"] else asked
    name = OPTIMIZERS.get(asked.lower())
    if name is None:
        known = "AdamW, AdamW8bit, Adafactor, Prodigy, prodigyplus.ProdigyPlusScheduleFree"
        raise SettingsError([f"optimizer_type={asked}: has no counterpart; there are {known}"])
    if asked.lower().startswith("paged"):
        to.note(Note.said, f"optimizer_type={asked}: adamw8bit, which is the same arithmetic")
    to.choose("optimizer", name)
    values = dict(DEFAULTS[name])
    for key, value in keys["optimizer_args"].items():
        pair = _tuple_of_two(value)
        if key == "betas" and pair and name != "adafactor":
            values |= {"beta1": pair[0], "beta2": pair[1]}
        elif key == "eps" and pair and name == "adafactor":
            values |= {"eps1": pair[0], "eps2": pair[1]}
        elif key in ARGUMENTS[name]:
            values[key] = float(value) if type(value) is int and key != "slice_p" else value
        else:
            to.note(Note.missing, f"optimizer_args: {key}={value}: no setting of optimizer={name}")
    if name == "adafactor" and values["warmup_init"]:
        values["relative_step"] = True  # as sd-scripts does
    for key, value in values.items():
        to.set(f"optimizer.{key}", value)


def _tuple_of_two(value: Any) -> tuple[float, float] | None:
    if isinstance(value, str):
        value = value.strip("()[]").split(",")
    try:
        first, second = (float(each) for each in value)
    except (TypeError, ValueError):
        return None
    return first, second
