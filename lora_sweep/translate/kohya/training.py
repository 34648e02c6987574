"""Keys of the network, the optimizer, the schedule, the loss and the length as settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lora_sweep.config.ranges import SCHEDULES
from lora_sweep.translate.kohya.given import Keys
from lora_sweep.translate.kohya.optimizers import optimizer
from lora_sweep.translate.result import SNR_CHOICES, Note, Translation

# What networks.lora puts LoRA on: every linear layer of Transformer2DModel, CLIPAttention, CLIPMLP.
UNET_LAYERS = [
    "to_k",
    "to_q",
    "to_v",
    "to_out.0",
    "proj_in",
    "proj_out",
    "ff.net.0.proj",
    "ff.net.2",
]
TEXT_LAYERS = ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"]


@dataclass(frozen=True)
class Geometry:
    """How long sd-scripts trains."""

    keys: Keys
    subset: Keys
    regularized: bool
    images: int | None

    @property
    def batch_size(self) -> int:
        return self.subset["batch_size"] or self.subset["train_batch_size"]

    @property
    def views(self) -> int:
        """How often an epoch shows a picture; regularization pictures double its length."""
        repeats = self.subset["num_repeats"] or self.subset["dataset_repeats"]
        return repeats * (2 if self.regularized or self.keys.has("reg_data_dir") else 1)

    @property
    def steps_per_epoch(self) -> int | None:
        if self.images is None:
            return None
        batches = -(-self.images * self.views // self.batch_size)
        return -(-batches // self.keys["gradient_accumulation_steps"])


def adapter(keys: Keys, to: Translation) -> None:
    """Set lora and te_mode."""
    to.set("lora.rank", keys["network_dim"])
    alpha = float(keys["network_alpha"])  # 0 means the rank, in sd-scripts too
    to.set("lora.alpha", None if alpha in (0, keys["network_dim"]) else alpha)
    to.set("lora.dropout", float(keys["network_dropout"] or 0.0))
    if keys["network_dropout"]:
        to.note(Note.differs, "Dropout is on a layer's input; sd-scripts' is on what A gives.")
    to.set("lora.target_modules", UNET_LAYERS)
    to.note(
        Note.said,
        "networks.lora trains every linear layer of the transformers: lora.target_modules",
    )
    for name, value in keys["network_args"].items():
        if value and name not in ("conv_dim", "conv_alpha"):
            to.note(Note.missing, f"network_args: {name}={value}: one rank and rate for all layers")
    if _trains_text(keys):
        to.choose("te_mode", "lora")
        to.set("lora.te_target_modules", TEXT_LAYERS)
    else:
        to.choose("te_mode", "frozen")


def _trains_text(keys: Keys) -> bool:
    return not keys["network_train_unet_only"] and any(_text_rates(keys))


def _text_rates(keys: Keys) -> list[float]:
    return keys["text_encoder_lr"] or [keys["learning_rate"]]


def training(keys: Keys, geometry: Geometry, to: Translation) -> None:
    """Set optimizer, schedule, snr, the length and the seed."""
    optimizer(keys, to)
    _rates(keys, to)
    _length(keys, geometry, to)
    _schedule(keys, to)
    gamma = float(keys["min_snr_gamma"]) if keys["min_snr_gamma"] else None
    to.choose("snr", SNR_CHOICES.get(gamma, "none"))
    to.set("snr.gamma", gamma)
    to.set("train.noise_offset", float(keys["noise_offset"] or 0.0))
    to.set("train.max_grad_norm", float(keys["max_grad_norm"]) or None)
    to.set("train.compile", keys["torch_compile"])
    if keys["seed"] is not None:
        to.set("seed", keys["seed"])


def _rates(keys: Keys, to: Translation) -> None:
    unet = float(keys["learning_rate"] if keys["unet_lr"] is None else keys["unet_lr"])
    if keys["network_train_text_encoder_only"]:
        unet = 0.0
    to.set("optimizer.lr", unet)
    if not _trains_text(keys):
        if keys.has("text_encoder_lr") and keys["network_train_unet_only"]:
            to.note(Note.idle, "text_encoder_lr: network_train_unet_only=true")
        return
    rates = _text_rates(keys)
    if len(set(rates)) > 1:
        to.note(
            Note.missing,
            f"text_encoder_lr={rates}: both text encoders have one rate; the first is taken",
        )
    to.set("optimizer.te_lr", None if rates[0] == unet else rates[0])


def _length(keys: Keys, geometry: Geometry, to: Translation) -> None:
    to.set("train.batch_size", geometry.batch_size)
    accumulation = keys["gradient_accumulation_steps"]
    to.set("train.gradient_accumulation_steps", accumulation)
    epochs = keys["max_train_epochs"]
    if not epochs:
        to.set("train.max_train_steps", keys["max_train_steps"])
        return
    if keys.has("max_train_steps"):
        to.note(Note.idle, f"max_train_steps={keys['max_train_steps']}: max_train_epochs wins")
    shown = f"max_train_epochs={epochs}"
    if geometry.steps_per_epoch is not None:
        steps = epochs * geometry.steps_per_epoch
        to.set("train.max_train_steps", steps)
        to.note(Note.said, f"{shown}: {steps} steps with {geometry.images} pictures")
        return
    each, rest = divmod(epochs * geometry.views, geometry.batch_size * accumulation)
    if rest:
        to.note(
            Note.settle,
            f"{shown}: how many steps that is depends on the number of pictures; say it with "
            "--images N, or add train.max_train_steps",
        )
        return
    to.set("train.max_train_steps", None)
    to.set("train.steps_per_image", each)
    to.note(Note.said, f"{shown}: {each} steps for each picture; with --images N their number")


def _schedule(keys: Keys, to: Translation) -> None:
    name = keys["lr_scheduler_type"] or keys["lr_scheduler"]
    relative = to.values.get("optimizer.relative_step") is True
    if relative and to.choices["optimizer"] == "adafactor":
        name = "constant"  # Adafactor sets the rate itself
    if name not in SCHEDULES:
        allowed = ", ".join(SCHEDULES)
        to.note(Note.missing, f"lr_scheduler={name}: there are {allowed}; constant is taken")
        name = "constant"
    to.choose("schedule", name)
    warmup = _warmup_steps(keys, to)
    only: dict[str, tuple[str, str, Callable[[], Any]]] = {
        "lr_scheduler_num_cycles": (
            "cosine_with_restarts",
            "schedule.num_cycles",
            lambda: keys["lr_scheduler_num_cycles"],
        ),
        "lr_scheduler_power": (
            "polynomial",
            "schedule.power",
            lambda: float(keys["lr_scheduler_power"]),
        ),
    }
    if name != "constant":
        to.set("schedule.warmup_steps", warmup or 0)
    elif keys.has("lr_warmup_steps") or keys.has("warmup_ratio"):
        to.note(Note.idle, "lr_warmup_steps: lr_scheduler=constant has no warm-up")
    for key, (owner, setting, value) in only.items():
        if name == owner:
            to.set(setting, value())
        elif keys.has(key):
            to.note(Note.idle, f"{key}: only lr_scheduler={owner} has it")


def _warmup_steps(keys: Keys, to: Translation) -> int | None:
    warmup = keys["lr_warmup_steps"]
    share = keys["warmup_ratio"] if keys.has("warmup_ratio") else None
    if isinstance(warmup, float) and 0 < warmup <= 1:
        share = warmup
    if share is None:
        return int(warmup)
    steps = to.values.get("train.max_train_steps")
    if steps is None:
        to.note(
            Note.settle,
            f"a warm-up of {share:g} of the steps: how many is not known; say --images N, or add "
            "schedule.warmup_steps",
        )
        return 0
    to.note(Note.said, f"a warm-up of {share:g} of the steps: {int(share * steps)} steps")
    return int(share * steps)
