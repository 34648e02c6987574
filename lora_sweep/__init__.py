"""Hydra-configured sweeps of SDXL DreamBooth-LoRA trainings."""

__version__ = "0.1.0"
