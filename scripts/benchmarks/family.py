"""A family of three lengths against the steps that its tree counts."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measured import Spent, in_fresh_process

LENGTHS, QUICK_LENGTHS = (1000, 1500, 1800), (100, 150, 180)
MODES = ("frozen", "lora", "pivotal")


def benchmark_family(quick: bool) -> None:
    """Print a Markdown table: the whole family, checkpoints and exports included, and its steps
    alone, both within the one run.
    """
    print("| te_mode | steps in the tree | CPU s | of it in steps | ratio | ratio by the clock |")
    print("|---|---|---|---|---|---|")
    for mode in MODES:
        lengths = QUICK_LENGTHS if quick else LENGTHS
        whole, steps = in_fresh_process(measure_family, mode, lengths)
        print(
            f"| {mode} | {steps.times:,} | {whole.cpu:.1f} | {steps.cpu:.1f} "
            f"| {whole.cpu / steps.cpu:.3f} | {whole.wall / steps.wall:.3f} |",
            flush=True,
        )


def measure_family(te_mode: str, lengths: Sequence[int]) -> tuple[Spent, Spent]:
    """The family from its first step to its last file, and its steps."""
    from lora_sweep.config.compose import compose
    from lora_sweep.results.store import Store
    from lora_sweep.sweep.family import FamilyRun
    from lora_sweep.sweep.request import resolve_request
    from lora_sweep.sweep.run import run_requests
    from lora_sweep.training import loop

    whole = Spent().on(FamilyRun, "run")
    steps = Spent().on(loop, "train_step")
    with tempfile.TemporaryDirectory() as folder:
        requests = [
            resolve_request(
                compose(
                    [f"te_mode={te_mode}", "optimizer=adamw", f"train.max_train_steps={length}",
                     "train.batch_size=1", "evaluate=off", "evaluate.loss_timesteps=0",
                     "train.device=cpu", f"results.dir={folder}"]
                )
            )
            for length in lengths
        ]  # fmt: skip
        results = run_requests(requests, Store(Path(folder)))
    assert not any(result.failed for result in results) and whole.times == 1
    return whole, steps
