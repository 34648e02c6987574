"""Flags of the optimizer, the schedule, the loss and the length as settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lora_sweep.config.words import number
from lora_sweep.translate.diffusers.arguments import Given
from lora_sweep.translate.result import SNR_CHOICES, Note, Translation

OPTIMIZERS = ("adamw", "prodigy")


@dataclass(frozen=True)
class Geometry:
    """How long the script trains (lines 1967-2009); `images` is None where it is not known."""

    given: Given
    processes: int
    images: int | None

    @property
    def batch(self) -> int:
        """Pictures that the script sees in one optimizer step."""
        accumulated = self.given["gradient_accumulation_steps"]
        return self.given["train_batch_size"] * accumulated * self.processes

    @property
    def steps_per_epoch(self) -> int | None:
        """ceil(ceil(images * repeats / batch) / accumulation), as the script counts."""
        if self.images is None:
            return None
        g = self.given
        length = self.images * g["repeats"]
        if g["with_prior_preservation"]:
            length = max(length, g["num_class_images"])
        batches = -(-length // (g["train_batch_size"] * self.processes))
        return -(-batches // g["gradient_accumulation_steps"])

    @property
    def steps(self) -> int | None:
        """Optimizer steps of the whole run."""
        if self.given["max_train_steps"] is not None:
            return self.given["max_train_steps"]
        each = self.steps_per_epoch
        return None if each is None else each * self.given["num_train_epochs"]

    @property
    def script_pivot(self) -> int | None:
        """The step at which the script freezes the text side (lines 2083-2115)."""
        g, steps, each = self.given, self.steps, self.steps_per_epoch
        if steps is None or each is None:
            return None
        ti = g["train_text_encoder_ti"]
        frac = g["train_text_encoder_ti_frac" if ti else "train_text_encoder_frac"]
        return int(frac * -(-steps // each)) * each


def training(g: Given, geometry: Geometry, to: Translation) -> None:
    """Set optimizer, schedule, snr, prior, the length and the seed."""
    _optimizer(g, geometry, to)
    _schedule(g, to)
    to.choose("snr", SNR_CHOICES.get(g["snr_gamma"], "none"))
    to.set("snr.gamma", g["snr_gamma"])
    _prior(g, to)
    _length(g, geometry, to)
    to.set("train.noise_offset", g["noise_offset"])
    to.set("train.allow_tf32", g["allow_tf32"])
    if g["seed"] is not None:
        to.set("seed", g["seed"])


def optimizer_name(g: Given) -> str:
    """The optimizer that the script takes: AdamW for every name that it does not know."""
    name = g["optimizer"].lower()
    return name if name in OPTIMIZERS else "adamw"


def text_side_trains(g: Given) -> bool:
    return g["train_text_encoder"] or g["train_text_encoder_ti"]


def _optimizer(g: Given, geometry: Geometry, to: Translation) -> None:
    name = optimizer_name(g)
    if g["optimizer"].lower() not in OPTIMIZERS:
        to.note(
            Note.said, f"--optimizer={g['optimizer']}: the script does not know it and takes AdamW"
        )
    to.choose("optimizer", "adamw8bit" if name == "adamw" and g["use_8bit_adam"] else name)
    rate = g["learning_rate"]
    if g["scale_lr"]:
        rate = float(f"{rate * geometry.batch:.12g}")  # 1e-5 times 6 is 6e-5
        to.note(
            Note.said,
            f"--scale_lr: optimizer.lr is {number(g['learning_rate'])} times {geometry.batch}, the "
            "pictures of a step; the text side's rate is not scaled, as in the script",
        )
    to.set("optimizer.lr", rate)
    if text_side_trains(g):
        # 0 and None mean the UNet's rate in the script (lines 1768-1778)
        to.set("optimizer.te_lr", None if name == "prodigy" else g["text_encoder_lr"] or None)
        to.set("optimizer.te_weight_decay", g["adam_weight_decay_text_encoder"] or None)
    to.set("optimizer.weight_decay", g["adam_weight_decay"])
    to.set("optimizer.beta1", g["adam_beta1"])
    to.set("optimizer.beta2", g["adam_beta2"])
    to.set("optimizer.eps", g["adam_epsilon"])
    if name == "prodigy":
        to.set("optimizer.beta3", g["prodigy_beta3"])
        for switch in ("decouple", "use_bias_correction", "safeguard_warmup"):
            to.set(f"optimizer.{switch}", g[f"prodigy_{switch}"])
    to.set("train.max_grad_norm", g["max_grad_norm"])


def _schedule(g: Given, to: Translation) -> None:
    name = g["lr_scheduler"]
    to.choose("schedule", name)
    if name != "constant":
        to.set("schedule.warmup_steps", g["lr_warmup_steps"])
    if name == "cosine_with_restarts":
        to.set("schedule.num_cycles", g["lr_num_cycles"])
    if name == "polynomial":
        to.set("schedule.power", g["lr_power"])


def _prior(g: Given, to: Translation) -> None:
    if not g["with_prior_preservation"]:
        return
    folder = Path(g["class_data_dir"]).expanduser()
    real = folder.is_dir() and any(folder.iterdir())
    to.choose("prior", "real" if real else "generated")
    if real:
        to.set("prior.path", g["class_data_dir"])
        to.note(
            Note.said,
            f"--class_data_dir={folder}: its pictures are taken as they are (prior=real); where "
            "there are fewer than --num_class_images, the script draws the rest",
        )
    else:
        to.set("prior.sample_batch_size", g["sample_batch_size"])
        to.set("prior.sample_steps", 50)  # diffusers' default, with which the script draws
        to.note(
            Note.said,
            f"--class_data_dir={folder} has no pictures here, so they are drawn (prior=generated) "
            f"and kept in the cache; for pictures of yours: prior=real prior.path={folder}",
        )
    to.set("prior.class_prompt", g["class_prompt"])
    to.set("prior.num_class_images", g["num_class_images"])
    to.set("prior.weight", g["prior_loss_weight"])


def _length(g: Given, geometry: Geometry, to: Translation) -> None:
    to.set("train.batch_size", g["train_batch_size"])
    accumulation = g["gradient_accumulation_steps"] * geometry.processes
    to.set("train.gradient_accumulation_steps", accumulation)
    if geometry.processes > 1:
        to.note(
            Note.said,
            f"{geometry.processes} processes: what each adds to a step is accumulated here "
            f"(train.gradient_accumulation_steps={accumulation})",
        )
    if geometry.steps is not None:
        to.set("train.max_train_steps", geometry.steps)
        if g["max_train_steps"] is None:
            to.note(
                Note.said,
                f"--num_train_epochs={g['num_train_epochs']}: {geometry.steps} steps with "
                f"{geometry.images} pictures",
            )
        return
    _length_in_epochs(g, geometry, to)


def _length_in_epochs(g: Given, geometry: Geometry, to: Translation) -> None:
    views = g["num_train_epochs"] * g["repeats"]
    epochs = f"--num_train_epochs={g['num_train_epochs']}"
    each, rest = divmod(views, geometry.batch)
    if rest or g["with_prior_preservation"]:
        to.note(
            Note.settle,
            f"{epochs}: how many steps that is depends on the number of pictures; say it with "
            "--images N before the command, or add train.max_train_steps",
        )
        return
    to.set("train.max_train_steps", None)
    to.set("train.steps_per_image", each)
    to.note(
        Note.said,
        f"{epochs}: {each} steps for each picture; with --images N before the command the script's "
        "own number, which counts a short last batch as a step",
    )
