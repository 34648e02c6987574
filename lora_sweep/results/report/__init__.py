"""The page that shows a sweep: which settings are best, how sure that is, and why. No torch."""

from lora_sweep.results.report.write import write_report

__all__ = ["write_report"]
