"""Pictures of finished trials, side by side: `python -m lora_sweep.results.generate`."""
