"""The embedded small SDXL: its weights, the world it was trained on, and how it was built."""

from __future__ import annotations

from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"
"""Folder that `StableDiffusionXLPipeline.from_pretrained` loads as it is."""
