"""Commands of diffusers' train_dreambooth_lora_sdxl_advanced.py."""
