"""Every setting of a trial, typed, with its meaning; frozen, as the rest of the project sees it.

One class per config group. A setting whose metadata says `identity=False` cannot change the adapter
(where things run, how often they are saved, what is logged), so it is left out of the trial's id.
The mutable twins that Hydra needs are derived from these classes in `schema.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lora_sweep.config.choices import (
    Crop,
    Device,
    Embedder,
    Interpolation,
    PivotRounding,
    Pooling,
    Precision,
    Prediction,
)
from lora_sweep.config.optimizers import (
    Adafactor,
    AdamW,
    AdamW8bit,
    Optimizer,
    Prodigy,
    ProdigyPlus,
)

FREE: dict[str, Any] = {"identity": False}
"""Metadata of a setting that does not change the result of training."""

LATER: dict[str, Any] = {"later": True}
"""Metadata of a setting that came when trials already had ids: at its default, which can therefore
never change, it is left out of the id.
"""


@dataclass(frozen=True)
class Model:
    """The frozen base that adapters are trained on."""

    name: str = "nano"
    # "nano" is the packaged base; else a diffusers folder, a hub name, a .safetensors file
    path: str = "nano"
    vae: str | None = None  # another VAE, for example madebyollin/sdxl-vae-fp16-fix
    revision: str | None = None
    variant: str | None = None
    single_file: bool = False
    resolution: int = 64  # pixels; short side after resizing, then a square crop
    precision: Precision = Precision.fp32
    vae_precision: Precision = Precision.fp32
    clip_skip: int = 0
    pooling: Pooling = Pooling.diffusers
    prediction: Prediction = field(default=Prediction.auto, metadata=LATER)
    # betas rescaled so that the last timestep is pure noise; null: as the base's files say
    zero_terminal_snr: bool | None = field(default=None, metadata=LATER)


@dataclass(frozen=True)
class Dataset:
    """Training pictures and their captions."""

    name: str = "huggy"
    path: str | None = None  # null: the packaged pictures of that name
    config_name: str | None = None  # configuration of a hub dataset
    set: str | None = None  # packaged face: "sitting" (10 close-ups) or "varied" (6)
    split: str = "train"
    image_column: str = "image"
    caption_column: str | None = "text"
    instance_prompt: str | None = None  # caption of every picture that has none of its own
    abstractions: tuple[str, ...] = ("TOK",)  # words that stand for the subject in captions
    class_noun: str = "picture"  # what the subject is an instance of
    repeats: int = 1
    subset: int | None = None  # train on this many pictures, drawn at random by subset_seed
    subset_seed: int = 0
    holdout: str = "auto"  # "auto", or how many pictures to keep back for val_loss
    crop: Crop = Crop.random
    flip: bool = False  # mirror each picture with probability 1/2
    interpolation: Interpolation = Interpolation.lanczos
    # each picture cut to the nearest shape of about resolution x resolution pixels, not to a square
    buckets: bool = field(default=False, metadata=LATER)


@dataclass(frozen=True)
class Schedule:
    """Learning-rate schedule, by the names of diffusers' get_scheduler."""

    name: str = "constant"
    warmup_steps: int = 0  # optimizer steps
    num_cycles: int = 1  # cosine_with_restarts
    power: float = 1.0  # polynomial


@dataclass(frozen=True)
class Lora:
    """The adapter; PEFT's LoraConfig."""

    rank: int = 16
    alpha: float | None = None  # null: equal to rank, so that the scale is 1
    dropout: float = 0.0
    use_rslora: bool = False
    use_dora: bool = False
    target_modules: tuple[str, ...] = ("to_k", "to_q", "to_v", "to_out.0")
    te_target_modules: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "out_proj")
    blocks: tuple[str, ...] | None = None  # e.g. [up_blocks.0.attentions.0]; null: all


@dataclass(frozen=True)
class Snr:
    """Min-SNR weighting of the loss (arXiv 2303.09556); null trains unweighted."""

    gamma: float | None = None


@dataclass(frozen=True)
class TeMode:
    """What of the text side is trained; `frozen` trains nothing."""

    name: str = "frozen"


@dataclass(frozen=True)
class TeLora(TeMode):
    """LoRA on both text encoders: what the diffusers script calls --train_text_encoder."""

    name: str = "lora"
    frac: float = 1.0  # share of the steps after which the text encoders are frozen


@dataclass(frozen=True)
class TeFull(TeMode):
    """All weights of both text encoders: what the post's words say."""

    name: str = "full"
    frac: float = 1.0


@dataclass(frozen=True)
class Pivotal(TeMode):
    """New tokens in place of each abstraction; only their embeddings train, until the pivot."""

    name: str = "pivotal"
    frac: float = 0.5
    num_new_tokens: int = 2  # per abstraction
    pivot_rounding: PivotRounding = PivotRounding.exact


@dataclass(frozen=True)
class Prior:
    """Prior preservation: class pictures trained beside the subject's; `none` has none."""

    name: str = "none"


@dataclass(frozen=True)
class PriorSettings(Prior):
    """What both kinds of prior preservation have."""

    class_prompt: str | None = None  # null: "a" or "an", and dataset.class_noun
    num_class_images: int = 100
    weight: float = 1.0
    snr_weighting: bool = False


@dataclass(frozen=True)
class PriorGenerated(PriorSettings):
    """Class pictures drawn by the base itself; cached by content."""

    name: str = "generated"
    sample_steps: int = 25
    guidance_scale: float = 5.0
    sample_seed: int = 0
    sample_batch_size: int = 4  # in the id: kernels round differently for another batch size


@dataclass(frozen=True)
class PriorReal(PriorSettings):
    """Class pictures from a folder; captions in it are used, else class_prompt."""

    name: str = "real"
    path: str | None = None  # null: the packaged class pictures of the dataset


@dataclass(frozen=True)
class Train:
    """Length and form of training."""

    max_train_steps: int | None = None  # optimizer steps; or:
    steps_per_image: int | None = None  # times the number of training pictures
    batch_size: int = 1
    gradient_accumulation_steps: int = 1
    max_grad_norm: float | None = 1.0  # joint L2 norm; null: no clipping
    noise_offset: float = 0.0
    compile: bool = False
    gradient_checkpointing: bool = field(default=False, metadata=FREE)
    offload_optimizer: bool = field(default=False, metadata=FREE)  # its state in main memory
    # "auto" or GiB: choose checkpointing, offloading and, if need be, smaller batches with more
    # accumulation, so that a trial fits; what is chosen is then part of the id as if it were asked
    fit_memory: str | None = field(default=None, metadata=FREE)
    checkpoint_every: int = field(default=500, metadata=FREE)  # optimizer steps; 0: only at the end
    checkpoints_kept: int = field(default=2, metadata=FREE)
    log_every: int = field(default=10, metadata=FREE)  # steps between writes; every step has a row
    device: Device = field(default=Device.auto, metadata=FREE)
    threads: int = field(default=1, metadata=FREE)  # CPU threads; the bits of a result depend on it
    allow_tf32: bool = field(default=False, metadata=FREE)


@dataclass(frozen=True)
class Evaluate:
    """Validation pictures of a trial, and the measures that it is judged by."""

    every: int | None = None  # optimizer steps; null: at the end only
    prompts: tuple[str, ...] = ()  # written as captions are, with the abstractions
    images_per_prompt: int = 2
    seed: int = 0  # of the first picture of each prompt; the next has seed + 1
    loss_timesteps: int = 8  # noise levels of val_loss, fit_loss and drift; 0: none of the three
    sample_steps: int = 16
    guidance_scale: float = 5.0
    batch_size: int = 4
    embedder: Embedder = Embedder.auto
    # A CLIPModel's folder or hub name, for `prompt` and embedder=clip; null: the packaged one with
    # model=nano, else openai/clip-vit-large-patch14
    clip: str | None = None
    dinov2: str | None = None  # a Dinov2Model's folder or hub name; null: facebook/dinov2-base


@dataclass(frozen=True)
class Tracker:
    """Where progress is sent beside metrics.jsonl."""

    name: str = "none"


@dataclass(frozen=True)
class Wandb(Tracker):
    """Weights & Biases: online when a key is configured, else offline."""

    name: str = "wandb"
    project: str = "lora-sweep"
    entity: str | None = None
    group: str | None = None
    run_name: str | None = None
    tags: tuple[str, ...] = ()
    offline: bool | None = None  # null: offline only without a key


@dataclass(frozen=True)
class Results:
    """Where everything is written."""

    dir: str = "results"
    name: str = "lora"  # name of the exported kohya and embedding files


@dataclass(frozen=True)
class Settings:
    """All settings of one trial."""

    model: Model = field(default_factory=Model)
    dataset: Dataset = field(default_factory=Dataset)
    optimizer: Optimizer = field(default_factory=AdamW)
    schedule: Schedule = field(default_factory=Schedule)
    lora: Lora = field(default_factory=Lora)
    snr: Snr = field(default_factory=Snr)
    te_mode: TeMode = field(default_factory=TeMode)
    prior: Prior = field(default_factory=Prior)
    train: Train = field(default_factory=Train)
    seed: int = 0
    evaluate: Evaluate = field(default_factory=Evaluate, metadata=FREE)
    tracker: Tracker = field(default_factory=Tracker, metadata=FREE)
    results: Results = field(default_factory=Results, metadata=FREE)


VARIANTS: dict[type, tuple[type, ...]] = {
    Optimizer: (Prodigy, AdamW, AdamW8bit, Adafactor, ProdigyPlus),
    TeMode: (TeMode, TeLora, TeFull, Pivotal),
    Prior: (Prior, PriorGenerated, PriorReal),
    Tracker: (Tracker, Wandb),
}
"""The classes that a group may choose from, told apart by their default `name`."""
