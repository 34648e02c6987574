"""How many steps a search takes to find what a full grid finds.

train: train the grid of 72 points with three seeds: `python scripts/benchmark_search.py train DIR`.
replay: search it many times, each trial looked up in DIR in place of trained, its steps counted as
the stage tree counts them: what a checkpoint of an earlier trial holds is not trained again.
overhead: time of sweeper and storage for each trial, without what the trial itself takes.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import optuna
from benchmarks.search_replay import GRID, Found, KnownGrid, Replayed

from lora_sweep.config.study import Choice, Method, Study, typed
from lora_sweep.results.board import Board
from lora_sweep.results.report.verdict import judge
from lora_sweep.results.store import Store
from lora_sweep.sweep.interrupt import Interrupt
from lora_sweep.sweep.search import hand, search
from lora_sweep.sweep.search.runners import Runner
from lora_sweep.sweep.search.search import Search
from lora_sweep.sweep.search.space import Part, Space
from lora_sweep.sweep.search.storage import close_storage, open_storage
from lora_sweep.sweep.search.study import StudyPlan, open_study
from lora_sweep.sweep.tree import build_tree

SEEDS = (0, 1, 2)
LONGEST = 120
OBJECTIVE = "val_loss"
FIXED = (
    "dataset=face", "dataset.set=varied", "train.batch_size=1", "evaluate=off", "evaluate.every=20",
)  # fmt: skip
TPE, NONE = Method("tpe"), Method("none")
EARLY = Method("hyperband", {"min_resource": 20, "reduction_factor": 3})  # at 20 and 60 of 120
LATE = Method("hyperband", {"min_resource": 60, "reduction_factor": 2})  # at 60 of 120
STRATEGIES: Mapping[str, tuple[Method, Method, tuple[int, ...] | None]] = {
    "random": (Method("random"), NONE, None),
    "TPE": (TPE, NONE, None),
    "TPE + hyperband at 20, 60": (TPE, EARLY, (20, 60)),
    "TPE + hyperband at 60": (TPE, LATE, (60,)),
}
REPEATS = 15
MOST_TRIALS = 72
NEVER = 10**9
OVERHEAD_TRIALS = 40


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("train", "replay", "overhead"))
    parser.add_argument("folder", type=Path, help="results folder of the grid")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="searches for each seed")
    parser.add_argument("--storage", help="of overhead; without it a journal, then SQLite")
    arguments = parser.parse_args()
    for module in (search, hand):  # what they say of each trial is of no interest here
        setattr(module, "say", lambda line: None)  # noqa: B010
    match arguments.what:
        case "train":
            train(arguments.folder)
        case "replay":
            replay(arguments.folder, arguments.repeats)
        case _:
            overhead(arguments.folder, arguments.storage)


def train(folder: Path) -> None:
    """Train the whole grid; the same command goes on where it was stopped."""
    axes = [f"{key}={','.join(values)}" for key, values in GRID.items()]
    seeds = f"seed={','.join(map(str, SEEDS))}"
    command = [sys.executable, "-m", "lora_sweep", "-m", *FIXED, *axes, seeds]
    more = ["train.checkpoint_every=0", "train.checkpoints_kept=1", "sweep.name=search_grid"]
    sys.exit(subprocess.call([*command, *more, f"results.dir={folder}"]))


def replay(folder: Path, repeats: int) -> None:
    """Search the grid with every strategy, for each seed of training and many of searching."""
    known = KnownGrid(folder, FIXED, SEEDS)
    points = list(known.points)
    values = [{str(s): known.value(point, s, OBJECTIVE) for s in SEEDS} for point in points]
    verdict = judge(OBJECTIVE, "lower", values)
    good = {points[s.group] for s in verdict.standings if s.inside or s is verdict.standings[0]}
    best = verdict.standings[0]
    print(f"{len(points)} points x {len(SEEDS)} seeds; best {best.mean:.4f}: {points[best.group]}")
    print(f"noise floor {verdict.floor:.4f}; {len(good)} points lie within it of the best")
    worst = verdict.standings[-1]
    print(f"worst {worst.mean:.4f}; standard deviation over seeds {verdict.pooled:.4f}\n")
    tree = build_tree(known.specs(SEEDS[0]))
    print(f"{'full grid':<28}{tree.steps_in_tree:>6,} steps ({tree.steps_alone:,} without sharing)")
    for name in STRATEGIES:
        found = [
            _steps_until(known, _study(f"of-{seed}-{n}", n, name), seed, good)
            for seed in SEEDS
            for n in range(repeats)
        ]
        print(_line(name, found, tree.steps_in_tree), flush=True)


def _study(name: str, seed: int, strategy: str) -> Study:
    sampler, pruner, rungs = STRATEGIES[strategy]
    return Study(name, (OBJECTIVE,), MOST_TRIALS, seed, sampler, pruner, rungs)


def _line(name: str, found: Sequence[Found], grid: int) -> str:
    """What became of many searches with one strategy."""
    steps = sorted(each.steps if each.at_last else NEVER for each in found)
    low, median, high = (_shown(steps[int(len(steps) * q)]) for q in (0.1, 0.5, 0.9))
    half = steps[len(steps) // 2]
    ratio = f"{grid / half:.1f} times fewer than the grid" if half < NEVER else "-"
    hits = [each for each in found if each.at_last]
    trials = statistics.median(each.trials for each in hits) if hits else 0
    saved = 1 - sum(each.steps for each in found) / sum(each.steps_alone for each in found)
    return (
        f"{name:<28}{median:>6} steps ({low} in the best tenth, {high} in the worst), {ratio}; "
        f"found in {len(hits)} of {len(found)} searches, after {trials:.0f} trials; "
        f"sharing saved {saved:.0%}"
    )


def _shown(steps: int) -> str:
    return f"{steps:,}" if steps < NEVER else "never"


def _space() -> Space:
    choices = {k: Choice(tuple(map(typed, values)), tuple(values)) for k, values in GRID.items()}
    return Space((Part(choices),))


def _steps_until(known: KnownGrid, settings: Study, seed: int, good: set[str]) -> Found:
    """Search until a trial of a good point has ended."""
    storage = optuna.storages.InMemoryStorage()
    with tempfile.TemporaryDirectory(dir=_fast_folder()) as root:
        executor = Replayed(known, seed, good)
        try:
            _run(settings, storage, Path(root), known.compose(seed, Path(root)), executor)
        except Found as found:
            return found
    return Found(executor.steps, executor.steps_alone, MOST_TRIALS, at_last=False)


def _run(
    settings: Study, storage: optuna.storages.BaseStorage, root: Path, compose: hand.Compose,
    executor: Replayed,
) -> None:  # fmt: skip
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    plan = StudyPlan(settings.name or "", settings, _space(), (), LONGEST, {})
    study = open_study(plan, storage)
    runner = Runner(study, root, 3600, alone=True)
    hands = hand.Hands(plan, Store(root), compose, ())
    running = Search(plan, study, hands, runner, Board([], 0))
    executor.run(running.first(), running.board, Interrupt(), running.more)


def _fast_folder() -> str | None:
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() else None


def overhead(folder: Path, url: str | None) -> None:
    """Search with each storage, on a disk, and take away what pretending to train takes."""
    known = KnownGrid(folder, FIXED, SEEDS)
    with tempfile.TemporaryDirectory() as scratch:
        storages = [url] if url else [None, f"sqlite:///{scratch}/study.db"]
        for number, storage in enumerate(storages):
            settings = Study("o", (OBJECTIVE,), OVERHEAD_TRIALS, 0, TPE, EARLY, (20, 60))
            root = Path(scratch) / f"results{number}"
            opened = open_storage(storage, root / "journal.log")
            executor = Replayed(known, 0, set())
            began, cpu = time.monotonic(), time.process_time()
            _run(settings, opened, root, known.compose(0, root), executor)
            wall = time.monotonic() - began - executor.seconds
            used = time.process_time() - cpu - executor.cpu_seconds
            close_storage(opened)
            name = storage.partition(":")[0] if storage else "journal"
            print(
                f"{name:<12}{1000 * wall / OVERHEAD_TRIALS:6.0f} ms a trial, of them "
                f"{1000 * used / OVERHEAD_TRIALS:.0f} ms of CPU time; {executor.units} units for "
                f"{OVERHEAD_TRIALS} trials",
                flush=True,
            )


if __name__ == "__main__":
    main()
