"""The keys of sd-scripts' SDXL LoRA training, as of its arguments in February 2026, and their fate.

Three tables: what is translated, with type and default; what cannot change the result, with the
reason; and what can and has no counterpart, with the values that mean "off" and the reason.
`warmup_ratio`, `name`, `train_mode`, `sdxl` and `save_toml` are of LoRA_Easy_Training_Scripts,
`epoch`, `noise_offset_type` and `dynamo_*` of kohya_ss.
"""

from __future__ import annotations

from typing import Any

KINDS: dict[str, tuple[str, Any]] = {
    "pretrained_model_name_or_path": ("text", None),
    "vae": ("text", None),
    "sdxl": ("switch", None),
    "v2": ("switch", False),
    "network_module": ("text", "networks.lora"),
    "network_dim": ("whole", 4),
    "network_alpha": ("number", 1.0),
    "network_dropout": ("number", None),
    "network_args": ("pairs", {}),
    "network_train_unet_only": ("switch", False),
    "network_train_text_encoder_only": ("switch", False),
    "unet_lr": ("number", None),
    "text_encoder_lr": ("numbers", None),
    "learning_rate": ("number", 2e-6),
    "optimizer_type": ("text", ""),
    "use_8bit_adam": ("switch", False),
    "use_lion_optimizer": ("switch", False),
    "optimizer_args": ("pairs", {}),
    "lr_scheduler": ("text", "constant"),
    "lr_scheduler_type": ("text", ""),
    "lr_scheduler_num_cycles": ("whole", 1),
    "lr_scheduler_power": ("number", 1.0),
    "lr_warmup_steps": ("number", 0),
    "warmup_ratio": ("number", None),
    "max_grad_norm": ("number", 1.0),
    "min_snr_gamma": ("number", None),
    "noise_offset": ("number", None),
    "max_train_steps": ("whole", 1600),
    "max_train_epochs": ("whole", None),
    "train_batch_size": ("whole", 1),
    "batch_size": ("whole", None),
    "gradient_accumulation_steps": ("whole", 1),
    "gradient_checkpointing": ("switch", False),
    "mixed_precision": ("text", "no"),
    "seed": ("whole", None),
    "torch_compile": ("switch", False),
    "prior_loss_weight": ("number", 1.0),
    "train_data_dir": ("text", None),
    "reg_data_dir": ("text", None),
    "in_json": ("text", None),
    "dataset_config": ("text", None),
    "image_dir": ("text", None),
    "is_reg": ("switch", False),
    "metadata_file": ("text", None),
    "class_tokens": ("text", None),
    "num_repeats": ("whole", None),
    "dataset_repeats": ("whole", 1),
    "caption_extension": ("text", ".caption"),
    "resolution": ("size", None),
    "flip_aug": ("switch", False),
    "random_crop": ("switch", False),
    "resize_interpolation": ("text", None),
    "enable_bucket": ("switch", False),
    "v_parameterization": ("switch", False),
    "zero_terminal_snr": ("switch", False),
    "validation_split": ("number", 0.0),
    "output_dir": ("text", None),
    "output_name": ("text", None),
    "save_every_n_steps": ("whole", None),
    "save_every_n_epochs": ("whole", None),
    "save_state": ("switch", False),
    "save_last_n_steps": ("whole", None),
    "sample_prompts": ("text", None),
    "sample_every_n_steps": ("whole", None),
    "sample_every_n_epochs": ("whole", None),
    "log_with": ("text", None),
    "log_tracker_name": ("text", None),
    "wandb_run_name": ("text", None),
    "clip_skip": ("whole", None),
}
"""Translated keys: type and sd-scripts' default."""

_CACHED = "latents and text are always cached here"
_ATTENTION = "torch's own attention is used"
_LOADING = "pictures are encoded once, before training; nothing is loaded"
_HUB = "upload the trial's folder afterwards"
_FILE = "the file is safetensors, in fp32, with metadata"
_LOGS = "metrics lie beside the trial's weights, in metrics.jsonl"
_STATE = "a checkpoint always holds all that resuming needs; the newest two are kept"
_MEMORY = "how memory is saved does not change the result"
_ONE = "one process trains a trial"
_VALIDATION = "val_loss is measured at the end, at fixed noise levels"
_SAMPLER = "pictures are drawn with Euler (evaluate.sample_steps)"
_HUBER = "for loss_type=huber and smooth_l1"
_RECTIFIED = "for Stable Diffusion 3 and Flux"
_LABEL = "for the program that wrote the file"

NEUTRAL: dict[str, str] = {
    **dict.fromkeys(("cache_latents", "cache_latents_to_disk", "skip_cache_check"), _CACHED),
    **dict.fromkeys(("cache_text_encoder_outputs", "cache_text_encoder_outputs_to_disk"), _CACHED),
    **dict.fromkeys(("vae_batch_size", "cache_info", "text_encoder_batch_size"), _CACHED),
    **dict.fromkeys(("xformers", "sdpa", "mem_eff_attn"), _ATTENTION),
    **dict.fromkeys(("max_data_loader_n_workers", "persistent_data_loader_workers"), _LOADING),
    **dict.fromkeys(("huggingface_repo_id", "huggingface_repo_type", "huggingface_token"), _HUB),
    **dict.fromkeys(("huggingface_path_in_repo", "huggingface_repo_visibility"), _HUB),
    **dict.fromkeys(("save_state_to_huggingface", "resume_from_huggingface", "async_upload"), _HUB),
    **dict.fromkeys(("save_precision", "save_model_as", "use_safetensors", "no_metadata"), _FILE),
    **dict.fromkeys(("training_comment", "save_toml", "output_config"), _FILE),
    **dict.fromkeys(("logging_dir", "log_prefix", "log_tracker_config", "log_config"), _LOGS),
    "wandb_api_key": "log in with wandb login; the key is not repeated here",
    **dict.fromkeys(("save_state_on_train_end", "save_last_n_epochs"), _STATE),
    **dict.fromkeys(("save_last_n_epochs_state", "save_last_n_steps_state"), _STATE),
    "save_n_epoch_ratio": _STATE,
    **dict.fromkeys(("lowram", "highvram", "disable_mmap_load_safetensors"), _MEMORY),
    **dict.fromkeys(
        ("cpu_offload_checkpointing", "fused_backward_pass", "blocks_to_swap"), _MEMORY
    ),
    **dict.fromkeys(("ddp_timeout", "ddp_gradient_as_bucket_view", "ddp_static_graph"), _ONE),
    **dict.fromkeys(("deepspeed", "zero_stage", "multi_gpu", "num_processes"), _ONE),
    **dict.fromkeys(("zero3_init_flag", "zero3_save_16bit_model"), _ONE),
    **dict.fromkeys(("fp16_master_weights_and_gradients", "offload_param_device"), _ONE),
    **dict.fromkeys(("offload_optimizer_device", "offload_optimizer_nvme_path"), _ONE),
    "offload_param_nvme_path": _ONE,
    **dict.fromkeys(("validation_seed", "validate_every_n_steps"), _VALIDATION),
    **dict.fromkeys(("validate_every_n_epochs", "max_validation_steps"), _VALIDATION),
    **dict.fromkeys(("sample_sampler", "sample_at_first"), _SAMPLER),
    **dict.fromkeys(("huber_c", "huber_scale", "huber_schedule"), _HUBER),
    **dict.fromkeys(("name", "train_mode", "epoch", "noise_offset_type"), _LABEL),
    **dict.fromkeys(("weighting_scheme", "logit_mean", "logit_std", "mode_scale"), _RECTIFIED),
    "multires_noise_discount": "for multires_noise_iterations",
    "no_half_vae": "the VAE is in fp32 already (model.vae_precision)",
    "tokenizer_cache_dir": "downloads go where HF_HOME says",
    "config_file": "it is this file",
    "debug_dataset": "it shows pictures in place of training",
    "lr_scheduler_timescale": "for lr_scheduler=inverse_sqrt",
    "lr_scheduler_min_lr_ratio": "for lr_scheduler=cosine_with_min_lr",
    "lr_decay_steps": "for lr_scheduler=warmup_stable_decay",
    **dict.fromkeys(
        ("dynamo_backend", "dynamo_mode", "dynamo_use_dynamic", "dynamo_use_fullgraph"),
        "train.compile takes torch's default backend",
    ),
}
"""Keys that cannot change the result, and why nothing is set for them."""

OFF = (False, None, 0, "", [], {})
_CAPTION = "captions are taken as they are written"
_NOISE = "only a plain noise offset is there"
_PICTURE = "pictures are scaled, cropped and mirrored, not changed otherwise"
_SHAPES = "dataset.buckets has the 41 shapes that SDXL was trained on"
_START = "training always starts from a new adapter"
_LOSS = "the loss is the mean squared error, with Min-SNR weights or none"

MISSING: dict[str, tuple[tuple[Any, ...], str]] = {
    "shuffle_caption": (OFF, _CAPTION),
    "keep_tokens": (OFF, f"{_CAPTION}, so that no token has to be kept in place"),
    "keep_tokens_separator": (OFF, _CAPTION),
    "secondary_separator": (OFF, _CAPTION),
    "caption_separator": ((*OFF, ","), _CAPTION),
    "enable_wildcard": (OFF, _CAPTION),
    "caption_prefix": (OFF, f"{_CAPTION}; write it into them"),
    "caption_suffix": (OFF, f"{_CAPTION}; write it into them"),
    "caption_dropout_rate": (OFF, "no caption is dropped"),
    "caption_dropout_every_n_epochs": (OFF, "no caption is dropped"),
    "caption_tag_dropout_rate": (OFF, "no part of a caption is dropped"),
    "token_warmup_min": ((*OFF, 1), _CAPTION),
    "token_warmup_step": (OFF, _CAPTION),
    "weighted_captions": (OFF, "brackets in captions are read as text"),
    "max_token_length": ((*OFF, 75), "text is 77 tokens long; what is longer is cut off"),
    "color_aug": (OFF, _PICTURE),
    "face_crop_aug_range": (OFF, _PICTURE),
    "min_bucket_reso": ((*OFF, 256), _SHAPES),
    "max_bucket_reso": ((*OFF, 2048, 4096), _SHAPES),
    "bucket_reso_steps": ((*OFF, 64), _SHAPES),
    "bucket_no_upscale": (OFF, "a picture smaller than its shape is enlarged"),
    "alpha_mask": (OFF, "transparent parts are laid on white and trained"),
    "masked_loss": (OFF, "every part of a picture counts the same"),
    "conditioning_data_dir": (OFF, "every part of a picture counts the same"),
    "dataset_class": (OFF, "pictures come from a folder or a data set of the hub"),
    "custom_attributes": (OFF, _CAPTION),
    "noise_offset_random_strength": (OFF, _NOISE),
    "adaptive_noise_scale": (OFF, _NOISE),
    "multires_noise_iterations": (OFF, _NOISE),
    "ip_noise_gamma": (OFF, _NOISE),
    "ip_noise_gamma_random_strength": (OFF, _NOISE),
    "min_timestep": (OFF, "all timesteps are trained"),
    "max_timestep": ((*OFF, 1000), "all timesteps are trained"),
    "loss_type": ((*OFF, "l2"), _LOSS),
    "debiased_estimation_loss": (OFF, _LOSS),
    "scale_v_pred_loss_like_noise_pred": (OFF, _LOSS),
    "v_pred_like_loss": (OFF, _LOSS),
    "scale_weight_norms": (OFF, "the adapter's norm is not held down"),
    "lr_scheduler_args": (OFF, "schedules have their own settings only"),
    "network_weights": (OFF, _START),
    "dim_from_weights": (OFF, _START),
    "base_weights": (OFF, "merge them into the base first"),
    "base_weights_multiplier": (OFF, "merge them into the base first"),
    "resume": (OFF, "giving the same command again resumes; sd-scripts' states cannot be read"),
    "initial_epoch": (OFF, "giving the same command again resumes"),
    "initial_step": (OFF, "giving the same command again resumes"),
    "skip_until_initial_step": (OFF, "giving the same command again resumes"),
    "full_fp16": (OFF, "what is trained is fp32"),
    "full_bf16": (OFF, "what is trained is fp32"),
    "fp8_base": (OFF, "the base is fp32, bf16 or fp16"),
    "fp8_base_unet": (OFF, "the base is fp32, bf16 or fp16"),
}
"""Keys that change the result and have no counterpart: values without effect, and the reason."""

SECRET = frozenset({"wandb_api_key", "huggingface_token"})
"""Keys whose values are never shown."""

KNOWN = frozenset({*KINDS, *NEUTRAL, *MISSING, "caption_extention", "network_multiplier"})
