"""What a sweep takes on 1 to 1,000 machines, by the real planner and a simulated pool.

    python scripts/simulate_scale.py                 the post's Y2K grid, as docs/scale.md has it
    python scripts/simulate_scale.py --seeds 78      the same with 78 seeds: 101,088 trials
    python scripts/simulate_scale.py --sweep huggy

The trials are those of the command line: composed, resolved, merged into families and cut into jobs
by the code that does it for hydra/launcher=slurm. Work is counted in rows, that is, pictures that
pass forward and backward. The pool gives each free machine the first job that may begin.

`of bound` compares with max(all work / machines, longest way from a first step to a last one):
nothing can be faster. `with starts` is the same with what each job takes before its first step.
Nothing is trained.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from lora_sweep.config import trial_id
from lora_sweep.config.compose import CONFIG_NAME, HYDRA_VERSION_BASE, conf_dir, sweep_of
from lora_sweep.config.composer import compose_trials
from lora_sweep.config.override import parse_axes
from lora_sweep.config.schema import register
from lora_sweep.config.settings import Settings
from lora_sweep.sweep.cluster.arrange import Arrangement, Job, arrange, simulate
from lora_sweep.sweep.cluster.work import rows_of
from lora_sweep.sweep.grid import build_grid, expand
from lora_sweep.sweep.request import Resolver, TrialRequest
from lora_sweep.sweep.stages import TrialSpec, spec_of
from lora_sweep.sweep.tree import build_tree

MACHINES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
SECONDS_PER_ROW = 0.5  # an assumption: it scales all times alike, save for starts
START_SECONDS = 60.0  # another one: starting python, loading the base
MOST_JOBS = 1000  # of one array of SLURM with its default MaxArraySize


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sweep", default="y2k", help="a name of conf/sweep")
    parser.add_argument("--seeds", type=int, default=1, help="so many copies, each of another seed")
    parser.add_argument("--machines", type=int, nargs="+", default=MACHINES)
    parser.add_argument("--most-jobs", type=int, default=MOST_JOBS)
    parser.add_argument("--start", type=float, default=START_SECONDS, help="seconds of each job")
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        requests = list(requests_of(arguments.sweep, Path(folder)))
    specs = [spec for seed in range(arguments.seeds) for spec in _specs(requests, seed)]
    tree = build_tree(specs)
    by_id = {spec.id: requests[at % len(requests)] for at, spec in enumerate(specs)}
    work = [rows_of(family, by_id) for family in tree.families]
    print(
        f"{tree.num_trials} trials, {len(tree.families)} families, {tree.steps_in_tree} steps for "
        f"{tree.steps_alone} alone; read and merged in {time.monotonic() - began:.0f} s"
    )
    print("\n| machines | jobs | cuts | hours | of bound | with starts | planned in s |")
    print("|---|---|---|---|---|---|---|")
    for machines in arguments.machines:
        began = time.monotonic()
        most = max(arguments.most_jobs, machines)
        found = arrange(tree.families, work, machines, min(8 * machines, most))
        seconds = time.monotonic() - began
        print(_row(found, len(tree.families), machines, arguments.start, seconds))


def requests_of(sweep: str, root: Path) -> Iterator[TrialRequest]:
    """The trials that `-m sweep=NAME` asks for."""
    register()
    with hydra.initialize_config_dir(str(conf_dir()), version_base=HYDRA_VERSION_BASE):
        running = GlobalHydra.instance().hydra
        assert running is not None
        arguments = [f"sweep={sweep}", f"results.dir={root}"]
        master = running.compose_config(
            CONFIG_NAME, arguments, run_mode=RunMode.MULTIRUN, from_shell=False
        )
        loader = running.config_loader
        grid = build_grid(sweep_of(master), arguments, {}, partial(parse_axes, loader))
        trials = compose_trials(loader, master, expand(grid)[1])
    resolver = Resolver()
    for trial in trials:
        assert isinstance(trial, Settings), trial
        yield resolver.resolve(trial)


def _specs(requests: Sequence[TrialRequest], seed: int) -> Iterator[TrialSpec]:
    for request in requests:
        spec = spec_of(request)
        settings = replace(spec.settings, seed=spec.settings.seed + seed)
        id_ = trial_id(settings, spec.dataset_hash, spec.base_hash)
        yield replace(spec, id=id_, settings=settings)


def _row(found: Arrangement, families: int, machines: int, start: float, seconds: float) -> str:
    """One line of the table."""
    real = simulate([_with_start(job, start / SECONDS_PER_ROW) for job in found.jobs], machines)
    cells = [
        f"{machines:,}",
        f"{len(found.jobs):,}",
        f"{len(found.parts) - families:,}",
        f"{found.makespan * SECONDS_PER_ROW / 3600:,.1f}",
        f"{found.makespan / found.bound:.3f}",
        f"{real / found.bound:.3f}",
        f"{seconds:.1f}",
    ]
    return f"| {' | '.join(cells)} |"


def _with_start(job: Job, rows: float) -> Job:
    return replace(job, work=rows + job.work, after=rows + job.after)


if __name__ == "__main__":
    main()
