"""The optimizers to choose from, each with its own rates and decay."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Optimizer:
    """What every optimizer has: learning rates and weight decay, for the UNet and the text side."""

    name: str = "adamw"
    lr: float = 1e-4
    te_lr: float | None = None  # null: the same as lr; 0 is 0
    weight_decay: float = 1e-4
    te_weight_decay: float | None = None  # null: the same as weight_decay; 0 is 0


@dataclass(frozen=True)
class AdamW(Optimizer):
    name: str = "adamw"
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8


@dataclass(frozen=True)
class AdamW8bit(AdamW):
    """AdamW with 8-bit state from bitsandbytes; needs a GPU."""

    name: str = "adamw8bit"


@dataclass(frozen=True)
class Adafactor(Optimizer):
    name: str = "adafactor"
    beta1: float | None = None
    clip_threshold: float = 1.0
    decay_rate: float = -0.8
    eps1: float = 1e-30
    eps2: float = 1e-3
    scale_parameter: bool = False
    relative_step: bool = False
    warmup_init: bool = False


@dataclass(frozen=True)
class Prodigy(Optimizer):
    """Prodigy (arXiv 2306.06101): lr is a multiplier of the step size that it estimates."""

    name: str = "prodigy"
    lr: float = 1.0
    weight_decay: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.99
    beta3: float | None = None  # null: sqrt(beta2)
    eps: float = 1e-8
    decouple: bool = True
    use_bias_correction: bool = True
    safeguard_warmup: bool = True
    d0: float = 1e-6
    d_coef: float = 1.0
    growth_rate: float | None = None  # null: unlimited
    slice_p: int = 1


@dataclass(frozen=True)
class ProdigyPlus(Optimizer):
    """Prodigy-plus-schedule-free: one estimate per parameter group, so rates may differ."""

    name: str = "prodigy_plus"
    lr: float = 1.0
    weight_decay: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.99
    beta3: float | None = None
    eps: float = 1e-8
    d0: float = 1e-6
    d_coef: float = 1.0
    d_limiter: bool = True
    prodigy_steps: int = 0
    schedulefree_c: float = 0.0
    split_groups: bool = True
    use_speed: bool = False
    use_schedulefree: bool = True
