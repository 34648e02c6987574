"""Measure speed as ratios within one run: `python scripts/benchmark.py sweep --quick`.

step: a whole training step against the bare forward and backward of the same modules on the same
tensors, one CPU thread, alternating, medians.
optimizer: Prodigy's step on flat vectors against prodigyopt's, on nano's adapter.
state: gradient and optimizer state that pivotal training adds at SDXL's vocabulary and widths.
family: three lengths of one trial, trained as a family, against the steps that the tree counts.
overhead: a trial beside its steps and pictures, in a sweep of 200 trials of two steps.
sharing: twelve trials as commands of their own and as one sweep.
sweep: the last three.
"""

from __future__ import annotations

import argparse

from benchmarks.family import benchmark_family
from benchmarks.optimizer import benchmark_optimizer
from benchmarks.overhead import benchmark_overhead
from benchmarks.sharing import benchmark_sharing
from benchmarks.step import benchmark_state, benchmark_step

ROUNDS = 60
OF_SWEEPS = {
    "family": benchmark_family,
    "overhead": benchmark_overhead,
    "sharing": benchmark_sharing,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("step", "optimizer", "state", *OF_SWEEPS, "sweep"))
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of step, optimizer")
    parser.add_argument("--quick", action="store_true", help="fewer steps and trials: minutes")
    arguments = parser.parse_args()
    from lora_sweep.quiet import quiet_libraries

    quiet_libraries()
    if arguments.what == "step":
        benchmark_step(arguments.rounds)
    elif arguments.what == "optimizer":
        benchmark_optimizer(arguments.rounds)
    elif arguments.what == "state":
        benchmark_state()
    else:
        for name, benchmark in OF_SWEEPS.items():
            if arguments.what in (name, "sweep"):
                print(f"\n{name}\n", flush=True)
                benchmark(arguments.quick)


if __name__ == "__main__":
    main()
