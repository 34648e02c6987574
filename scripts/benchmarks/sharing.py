"""The same trials as commands of their own and as one sweep, and what each way of sharing gives."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path

from benchmarks.measured import counting_children, in_fresh_process

LENGTHS, QUICK_LENGTHS = (100, 200, 300), (10, 20, 30)
RANKS, MODES = (4, 16), ("lora", "pivotal")
ADAPTERS = "*.safetensors"


def benchmark_sharing(quick: bool) -> None:
    """Print a Markdown table; fails if the ways do not leave the same adapters, byte for byte."""
    trials = list(trials_of(QUICK_LENGTHS if quick else LENGTHS))
    print("| way | CPU s | times less |")
    print("|---|---|---|")
    first, adapters = 0.0, dict[str, bytes]()
    for name, way in WAYS.items():
        with tempfile.TemporaryDirectory() as folder, counting_children() as seconds:
            way(trials, Path(folder))
            spent = seconds()
            found = adapters_below(Path(folder))
        adapters = adapters or found
        assert found == adapters and found, f"{name}: other adapters than the first way"
        first = first or spent
        print(f"| {name} | {spent:.0f} | {first / spent:.2f} |", flush=True)


def trials_of(lengths: Sequence[int]) -> Iterator[list[str]]:
    """Settings of each trial."""
    for rank, mode, steps in product(RANKS, MODES, lengths):
        yield [f"rank={rank}", f"te_mode={mode}", f"train.max_train_steps={steps}"]


def adapters_below(folder: Path) -> dict[str, bytes]:
    """What the trials left, by id and name."""
    paths = folder.rglob(f"runs/*/{ADAPTERS}")
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in paths}


def root_with_cache(folder: Path, number: int) -> Path:
    """A results folder of its own for a trial, with the cache of all."""
    cache, root = folder / "cache", folder / str(number)
    cache.mkdir(exist_ok=True)
    root.mkdir()
    (root / "cache").symlink_to(cache)
    return root


def run_command(*arguments: str) -> None:
    """The command line, to its end."""
    command = [sys.executable, "-m", "lora_sweep", *arguments, "train.device=cpu"]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


def alone(trials: Sequence[list[str]], folder: Path) -> None:
    """Each in a process and with a results folder of its own."""
    for number, trial in enumerate(trials):
        run_command(*trial, f"results.dir={folder / str(number)}")


def with_caches(trials: Sequence[list[str]], folder: Path) -> None:
    """Each in a process of its own, with one cache for all."""
    for number, trial in enumerate(trials):
        run_command(*trial, f"results.dir={root_with_cache(folder, number)}")


def with_resident_base(trials: Sequence[list[str]], folder: Path) -> None:
    """One process and one cache, without the tree: each trial from its step 0."""
    in_fresh_process(train_one_by_one, trials, folder)


def train_one_by_one(trials: Sequence[list[str]], folder: Path) -> None:
    """The trials as units of one trial each."""
    from lora_sweep.config.compose import compose
    from lora_sweep.quiet import quiet_libraries
    from lora_sweep.results.board import Board, BoardTrial
    from lora_sweep.sweep.executor import InProcess
    from lora_sweep.sweep.interrupt import Interrupt
    from lora_sweep.sweep.request import resolve_request
    from lora_sweep.sweep.unit import units_of

    quiet_libraries()
    units = []
    for number, trial in enumerate(trials):
        root = root_with_cache(folder, number)
        request = resolve_request(compose([*trial, "train.device=cpu", f"results.dir={root}"]))
        units += units_of([request], root)[0]
    board = Board([BoardTrial(unit.trials[0], "", unit.steps) for unit in units], 1)
    executor = InProcess()
    executor.run(units, board, Interrupt())
    assert not executor.faults


def as_sweep(trials: Sequence[list[str]], folder: Path) -> None:
    """The command."""
    lengths = dict.fromkeys(trial[-1].partition("=")[2] for trial in trials)
    run_command(
        "-m", f"rank={','.join(map(str, RANKS))}", f"te_mode={','.join(MODES)}",
        f"train.max_train_steps={','.join(lengths)}", f"results.dir={folder}",
    )  # fmt: skip


WAYS: dict[str, Callable[[Sequence[list[str]], Path], None]] = {
    "twelve commands, nothing shared": alone,
    "the same with one cache": with_caches,
    "and one process with the base and the pictures kept": with_resident_base,
    "and the tree: the sweep as one command": as_sweep,
}
