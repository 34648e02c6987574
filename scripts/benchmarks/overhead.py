"""What a trial takes beside its steps, in a sweep of many short ones without measures."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measured import Spent, in_fresh_process

RANKS = (4, 8, 16, 32)
RATES = 50
STEPS = 2


def benchmark_overhead(quick: bool) -> None:
    """Print a Markdown table, one row for each tracker."""
    rates = 5 if quick else RATES
    print("| tracker | trials | CPU s in all | in steps | rest, a trial | MiB: a tenth done, all |")
    print("|---|---|---|---|---|---|")
    for tracker in ("none", "wandb"):
        whole, steps, sizes = in_fresh_process(measure_sweep, tracker, rates)
        trials = len(sizes)
        print(
            f"| {tracker} | {trials} | {whole.cpu:.1f} | {steps.cpu:.1f} "
            f"| {(whole.cpu - steps.cpu) / trials:.3f} s "
            f"| {sizes[trials // 10]:.0f}, {sizes[-1]:.0f} |",
            flush=True,
        )


def measure_sweep(tracker: str, rates: int) -> tuple[Spent, Spent, Sequence[float]]:
    """The whole command, imports and loading the base included; its steps; resident MiB after each
    trial.
    """
    whole = Spent(cpu=time.process_time())  # of the imports so far
    os.environ["WANDB_MODE"] = "offline"
    with whole.counting(), tempfile.TemporaryDirectory() as folder:
        import lora_sweep.__main__ as command
        from lora_sweep.sweep.family import FamilyRun
        from lora_sweep.training import loop

        steps = Spent().on(loop, "train_step")
        sizes: list[float] = []
        run = FamilyRun.run

        def sized(self: FamilyRun) -> None:
            run(self)
            sizes.append(resident_mib())

        FamilyRun.run = sized
        lrs = ",".join(f"{1e-4 + 1e-6 * index:g}" for index in range(rates))
        sys.argv = [
            "lora_sweep", "-m", f"rank={','.join(map(str, RANKS))}", f"optimizer.lr={lrs}",
            "optimizer=adamw", f"train.max_train_steps={STEPS}", f"tracker={tracker}",
            "evaluate=off", "evaluate.loss_timesteps=0", "train.device=cpu",
            f"results.dir={folder}",
        ]  # fmt: skip
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
            try:
                command.main()
            except SystemExit as end:
                assert not end.code, "the sweep failed"
    assert len(sizes) == len(RANKS) * rates
    return whole, steps, sizes


def resident_mib() -> float:
    """Memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
