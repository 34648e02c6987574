"""What the user may ignore but should know: likely traps, and settings without effect."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lora_sweep.config.plain import show
from lora_sweep.config.resolve import SUBJECT
from lora_sweep.config.settings import (
    Adafactor,
    Pivotal,
    Pooling,
    Precision,
    PriorSettings,
    Prodigy,
    ProdigyPlus,
    Settings,
)


def warnings(settings: Settings) -> list[str]:
    """Return what is suspicious about the settings; none of it is changed or refused."""
    kinds: tuple[Callable[[Settings], Iterator[str]], ...] = (_rates, _no_effect, _model, _prompts)
    return [message for kind in kinds for message in kind(settings)]


def _rates(s: Settings) -> Iterator[str]:
    lr, name = s.optimizer.lr, s.optimizer.name
    estimates = isinstance(s.optimizer, Prodigy | ProdigyPlus)
    if estimates and 0 < lr <= 0.1:
        yield (
            f"optimizer.lr={lr}: {name} estimates its own step size, which lr only multiplies; "
            "usual is 1.0"
        )
    if not estimates and lr >= 0.05:
        yield f"optimizer.lr={lr}: high for {name}; usual is 1e-4 to 1e-3"
    if isinstance(s.optimizer, ProdigyPlus) and s.train.max_grad_norm is not None:
        yield (
            f"train.max_grad_norm={s.train.max_grad_norm}: clipping hampers the estimate of "
            "prodigy_plus, its authors say; train.max_grad_norm=null turns it off"
        )


def _no_effect(s: Settings) -> Iterator[str]:
    if isinstance(s.optimizer, Adafactor) and s.optimizer.relative_step:
        yield f"optimizer.lr={s.optimizer.lr}: has no effect when optimizer.relative_step=true"
    if isinstance(s.prior, PriorSettings) and s.prior.snr_weighting and s.snr.gamma is None:
        yield "prior.snr_weighting=true: has no effect when snr.gamma=null"
    if isinstance(s.prior, PriorSettings) and s.prior.weight == 0:
        yield "prior.weight=0: class pictures then have no effect; prior=none is faster"
    chosen = f"schedule={s.schedule.name}"
    if s.schedule.warmup_steps and s.schedule.name == "constant":
        yield (
            f"schedule.warmup_steps={s.schedule.warmup_steps}: has no effect when "
            "schedule=constant; for a warm-up use schedule=constant_with_warmup"
        )
    if s.schedule.num_cycles != 1 and s.schedule.name != "cosine_with_restarts":
        yield f"schedule.num_cycles={s.schedule.num_cycles}: has no effect when {chosen}"
    if s.schedule.power != 1 and s.schedule.name != "polynomial":
        yield f"schedule.power={s.schedule.power}: has no effect when {chosen}"
    steps, every = s.train.max_train_steps, s.evaluate.every
    if steps is not None and every is not None and every > steps:
        yield (
            f"evaluate.every={every}: more than train.max_train_steps={steps}, "
            "so measures and pictures come at the end only"
        )
    if every is not None and not s.evaluate.prompts and not s.evaluate.loss_timesteps:
        yield (
            f"evaluate.every={every}: has no effect when evaluate.prompts=[] and "
            "evaluate.loss_timesteps=0"
        )


def _model(s: Settings) -> Iterator[str]:
    if s.model.vae_precision is Precision.fp16 and s.model.vae is None and s.model.name != "nano":
        yield (
            "model.vae_precision=fp16: SDXL's own VAE overflows in fp16 and gives black pictures; "
            "use model.vae=madebyollin/sdxl-vae-fp16-fix or model.vae_precision=fp32"
        )
    if s.model.pooling is Pooling.eos and isinstance(s.te_mode, Pivotal):
        yield (
            "model.pooling=eos: fits ComfyUI and A1111; diffusers pools at the highest new token "
            "when it samples"
        )


def _prompts(s: Settings) -> Iterator[str]:
    words = (*s.dataset.abstractions, SUBJECT)
    for prompt in s.evaluate.prompts:
        # Without abstractions nobody has said what the subject is called.
        if s.dataset.abstractions and not any(word in prompt for word in words):
            yield (
                f"evaluate.prompts: {prompt!r} contains neither {SUBJECT} nor one of "
                f"dataset.abstractions={show(s.dataset.abstractions)}; it will not show the subject"
            )
    if s.dataset.config_name is not None and s.dataset.name != "hub":
        name = s.dataset.config_name
        yield f"dataset.config_name={name}: has no effect when dataset={s.dataset.name}"
