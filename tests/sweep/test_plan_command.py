"""hydra/launcher=plan as users give it: the post's grids, in processes that import no torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT_TORCH = """
import sys
from lora_sweep.__main__ import main
try:
    main()
finally:
    heavy = {"torch", "diffusers", "transformers", "peft"} & set(sys.modules)
    assert not heavy, f"a plan imported {heavy}"
"""


def command(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m lora_sweep -m hydra/launcher=plan …`, which fails if it imports torch."""
    words = ["-m", "hydra/launcher=plan", f"results.dir={root}", *arguments]
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *words], capture_output=True, text=True, timeout=300
    )


def plan(root: Path, *arguments: str) -> tuple[dict[str, str], str]:
    """The counts by their names, and all that was printed."""
    done = command(root, *arguments)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.partition("\n\n")[0].splitlines()
    return {line[:18].rstrip(): line[18:].strip() for line in lines}, done.stdout


@pytest.mark.parametrize(
    ("grid", "counts"),
    [
        ("huggy", ("288", "96", "412,800", "232,800", "43.60 %")),
        ("y2k", ("1,296", "432", "1,296,000", "810,000", "37.50 %")),
        ("face", ("768", "256", "453,120", "251,520", "44.49 %")),
    ],
)
def test_the_posts_grids(tmp_path: Path, grid: str, counts: tuple[str, ...]) -> None:
    found, text = plan(tmp_path, f"sweep={grid}", "hydra.launcher.calibrate=never")
    names = ("trials", "families", "steps alone", "steps in the tree", "saving")
    assert tuple(found[name] for name in names) == counts
    assert found["duplicates dropped"] == "0"
    for heading in ("\ntime on ", "\nmemory at the peak", "\ndisk, in ", "\nte_mode  optimizer"):
        assert heading in text
    assert list(tmp_path.iterdir()) == []


def test_a_plan_measures_what_it_does_not_know_in_another_process(tmp_path: Path) -> None:
    words = ("rank=4,8", "train.max_train_steps=100,200", "hydra.launcher.workers=2")
    found, text = plan(tmp_path, *words)
    assert (found["trials"], found["families"]) == ("4", "2")
    assert "unknown" not in text
    for part in ("\n  by 2 workers ", "its process in all", "of 4 kinds of steps measured here on"):
        assert part in text
    assert {path.name for path in tmp_path.iterdir()} == {"cache"}
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {"calibration"}


def test_what_is_asked_for_wrongly_is_refused(tmp_path: Path) -> None:
    done = command(tmp_path, "hydra.launcher.calibrate=sometimes", "rank=4,8")
    assert done.returncode == 2
    assert "hydra.launcher.calibrate=sometimes: must be one of auto, never, always" in done.stderr
    done = command(tmp_path, "rank=4,0,8", "train.batch_size=0")
    assert (done.returncode, done.stdout) == (2, "")
    assert "all 3 trials: train.batch_size=0: must be at least 1" in done.stderr
    assert "trial 1 (rank=0): lora.rank=0: must be at least 1" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_single_value_of_a_choice_that_the_file_makes_is_told_to_need_it(tmp_path: Path) -> None:
    done = command(tmp_path, "sweep=face", "prior.num_class_images=100")
    assert done.returncode == 2 and "not a setting of prior=none" in done.stderr
    (hint,) = [line for line in done.stderr.splitlines() if line.startswith("a single value")]
    words = hint.partition("`")[2].partition("`")[0].split()
    _, text = plan(tmp_path, *words, "rank=4", "hydra.launcher.calibrate=never")
    assert text.split()[:2] == ["trials", "96"]


def test_only_a_plan_calibrates(tmp_path: Path) -> None:
    done = command(tmp_path, "hydra/launcher=tree", "hydra.launcher.calibrate=never")
    assert done.returncode == 2
    assert "hydra.launcher.calibrate: there is no such setting" in done.stderr


A_HUNDRED_THOUSAND_TRIALS = """
import resource, sys, time
from dataclasses import replace
from itertools import product
from pathlib import Path
from lora_sweep.config.settings import (
    AdamW, Dataset, Evaluate, Lora, Pivotal, Prodigy, Results, Settings, TeLora, Train)
from lora_sweep.config.sweep import Calibrate
from lora_sweep.results.store import Store
from lora_sweep.sweep.plan import print_plan
from lora_sweep.sweep.request import Resolver

root = Path(sys.argv[1])
some = Settings(dataset=Dataset(name="y2k"), evaluate=Evaluate(prompts=("a TOK",)),
                results=Results(dir=str(root)))
axes = ([Lora(r) for r in (4, 16, 32)], [Prodigy(), AdamW(te_lr=3e-4), AdamW(te_lr=5e-5)],
        [TeLora(), Pivotal()], [replace(some.dataset, repeats=n) for n in (1, 2, 3, 4)],
        [Train(steps, batch_size=n) for steps in (500, 1000, 1500) for n in (1, 2, 3, 4)])
trials = [
    replace(some, seed=seed, lora=lora, optimizer=rates, te_mode=mode, dataset=data, train=train)
    for seed in range(116) for lora, rates, mode, data, train in product(*axes)
][:100_000]
lines, began = [], time.process_time()
resolver = Resolver()
requests = [resolver.resolve(trial) for trial in trials]
print_plan(requests, Store(root), calibrate=Calibrate.never, out=lines.append)
seconds = time.process_time() - began
peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
assert lines[0].split() == ["trials", "100,000"], lines[0]
assert seconds < 20 and peak_bytes < 2e9, (seconds, peak_bytes)
assert "torch" not in sys.modules
print(f"{seconds:.1f} s, {peak_bytes / 2**20:.0f} MiB")
"""


@pytest.mark.slow
def test_a_hundred_thousand_composed_trials_take_20_seconds_and_2_gigabytes(
    tmp_path: Path,
) -> None:
    code = [sys.executable, "-c", A_HUNDRED_THOUSAND_TRIALS, str(tmp_path)]
    done = subprocess.run(code, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    print(done.stdout)
