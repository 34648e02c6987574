"""The 81 flags of diffusers' train_dreambooth_lora_sdxl_advanced.py, with type and default.

As its parser has them at diffusers 58eb52c (lines 338-837). `switch` takes no value; `truth` is
argparse's type=bool, for which every text but the empty one is true.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SCRIPT = "train_dreambooth_lora_sdxl_advanced.py"

TABLE = """
pretrained_model_name_or_path               text    required
pretrained_vae_model_name_or_path           text
revision                                    text
variant                                     text
dataset_name                                text
dataset_config_name                         text
instance_data_dir                           text
cache_dir                                   text
image_column                                text    image
caption_column                              text
repeats                                     whole   1
class_data_dir                              text
instance_prompt                             text    required
token_abstraction                           text    TOK
num_new_tokens_per_abstraction              whole   2
class_prompt                                text
validation_prompt                           text
num_validation_images                       whole   4
validation_epochs                           whole   50
do_edm_style_training                       switch
with_prior_preservation                     switch
prior_loss_weight                           number  1.0
num_class_images                            whole   100
output_dir                                  text    lora-dreambooth-model
seed                                        whole
resolution                                  whole   1024
center_crop                                 switch
random_flip                                 switch
train_text_encoder                          switch
train_batch_size                            whole   4
sample_batch_size                           whole   4
num_train_epochs                            whole   1
max_train_steps                             whole
checkpointing_steps                         whole   500
checkpoints_total_limit                     whole
resume_from_checkpoint                      text
gradient_accumulation_steps                 whole   1
gradient_checkpointing                      switch
learning_rate                               number  1e-4
clip_skip                                   whole
text_encoder_lr                             number  5e-6
scale_lr                                    switch
lr_scheduler                                text    constant
snr_gamma                                   number
lr_warmup_steps                             whole   500
lr_num_cycles                               whole   1
lr_power                                    number  1.0
dataloader_num_workers                      whole   0
train_text_encoder_ti                       switch
train_text_encoder_ti_frac                  number  0.5
train_text_encoder_frac                     number  1.0
optimizer                                   text    AdamW
use_8bit_adam                               switch
adam_beta1                                  number  0.9
adam_beta2                                  number  0.999
prodigy_beta3                               number
prodigy_decouple                            truth   True
adam_weight_decay                           number  1e-4
adam_weight_decay_text_encoder              number
adam_epsilon                                number  1e-8
prodigy_use_bias_correction                 truth   True
prodigy_safeguard_warmup                    truth   True
max_grad_norm                               number  1.0
push_to_hub                                 switch
hub_token                                   text
hub_model_id                                text
logging_dir                                 text    logs
allow_tf32                                  switch
report_to                                   text    tensorboard
mixed_precision                             no|fp16|bf16
prior_generation_precision                  no|fp32|fp16|bf16
local_rank                                  whole   -1
enable_xformers_memory_efficient_attention  switch
noise_offset                                number  0.0
rank                                        whole   4
lora_dropout                                number  0.0
use_dora                                    switch
lora_unet_blocks                            text
use_blora                                   switch
cache_latents                               switch
image_interpolation_mode                    bicubic|bilinear|box|hamming|lanczos|nearest|nearest_exact  lanczos
"""  # noqa: E501


@dataclass(frozen=True)
class Flag:
    """A flag: `kind` is text, whole, number, switch, truth or choice."""

    name: str
    kind: str
    default: Any = None
    required: bool = False
    choices: tuple[str, ...] = ()


def convert(kind: str, text: str) -> Any:
    """Return a value as argparse converts it; raises ValueError where it would refuse."""
    match kind:
        case "whole":
            return int(text)
        case "number":
            return float(text)
        case "truth":
            return bool(text)
        case _:
            return text


def _flags() -> dict[str, Flag]:
    flags: dict[str, Flag] = {}
    for line in TABLE.strip().splitlines():
        name, kind, *rest = line.split()
        choices = tuple(kind.split("|")) if "|" in kind else ()
        kind = "choice" if choices else kind
        required = rest == ["required"]
        default = convert(kind, rest[0]) if rest and not required else None
        if kind == "switch":
            default = False
        flags[name] = Flag(name, kind, default, required, choices)
    return flags


FLAGS = _flags()
"""By name, in the script's order."""
