"""SDXL at its full size, with random weights, through the ordinary entry point.

python scripts/full_size_check.py --folder full-size --resolution 256

Builds the exact architecture in bf16 once (7 GB), with CLIP's real tokenizers; trains the post's
Huggy command for a few steps in each te_mode, with gradient checkpointing and without, interrupted
and resumed, from a folder and from one file; checks every key of the exported files and loads them
into StableDiffusionXLPipeline; prints seconds and peak memory of each phase. What has run before in
the folder is looked up, so that a check that was stopped goes on. On a GPU where there is one.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from full_size.commands import SCRIPTS, UNMEASURED, Setup, observed
from full_size.exports import check_exports, digest

GIB = 2**30
RANK = 32  # of the command
FULL_NEEDS = 17 * GIB  # te_mode=full trains 818 million numbers in fp32

MODES = ("frozen", "lora", "pivotal")
ON, OFF = "train.gradient_checkpointing=true", "train.gradient_checkpointing=false"
Stage = Callable[[Setup], None]


def build(setup: Setup) -> None:
    """The base on disk."""
    from full_size.build import NUMBERS, build_base

    build_base(setup.folder)
    told = ", ".join(f"{part} {numbers:,}" for part, numbers in NUMBERS.items())
    print(f"parameters: {told}; tokenizers have SDXL's hashes")


def modes(setup: Setup) -> None:
    """Each te_mode with checkpointing and without, which must give the same adapter."""
    for mode in MODES:
        digests: list[str] = []
        for name, checkpointing in ((mode, OFF), (f"{mode}-checkpointed", ON)):
            rows = observed(setup, name, f"te_mode={mode}", checkpointing, *UNMEASURED)
            _print_phases(setup, name, rows)
            text, tokens = mode == "lora", mode == "pivotal"
            for line in check_exports(setup.trial(name), RANK, text_encoders=text, tokens=tokens):
                print(f"  {line}")
            digests.append(digest(setup.trial(name)))
        same = (
            "the same bytes" if len(set(digests)) == 1 else "other bytes: kernels round otherwise"
        )
        print(f"  adapters with checkpointing and without: {same}")


def full(setup: Setup) -> None:
    """te_mode=full, where memory allows."""
    from lora_sweep.sweep.cost.machine import available_memory

    having = available_memory()
    if having is not None and having < FULL_NEEDS:
        print(
            f"te_mode=full: not run, it needs {FULL_NEEDS / GIB:.0f} GiB and {having / GIB:.0f} "
            "are free"
        )
        return
    rows = observed(setup, "full", "te_mode=full", "optimizer=adafactor", ON, *UNMEASURED)
    _print_phases(setup, "full", rows)


def resumed(setup: Setup) -> None:
    """Interrupted after the first step and run again: the same bytes as straight through."""
    rows = observed(setup, "resumed", "te_mode=pivotal", ON, *UNMEASURED, stop_after=1)
    steps = sum(row["phase"] == "step" for row in rows)
    assert digest(setup.trial("resumed")) == digest(setup.trial("pivotal-checkpointed"))
    print(f"interrupted after a step and resumed: {steps} steps in all, the same bytes")


def command(setup: Setup) -> None:
    """The post's command as it stands, batches of 4, with one picture drawn and losses measured."""
    rows = observed(
        setup, "command", "train.batch_size=4", ON,
        "evaluate.images_per_prompt=1", "evaluate.sample_steps=2", "evaluate.loss_timesteps=1",
        "evaluate.embedder=none", "evaluate.prompts=[a TOK emoji of a cat]", "dataset.holdout=1",
    )  # fmt: skip
    _print_phases(setup, "command", rows)


def single_file(setup: Setup) -> None:
    """The same base as one checkpoint in Stability AI's names: the same adapter."""
    file = setup.folder / "base.safetensors"
    subprocess.run([sys.executable, "-c", _BUILD_FILE, str(setup.folder / "base"), str(file)],
                   check=True, env={**os.environ, "PYTHONPATH": str(SCRIPTS)})  # fmt: skip
    rows = observed(
        setup, "file", "model=sdxl_file", f"model.path={file}",
        "te_mode=frozen", ON, *UNMEASURED,
    )  # fmt: skip
    _print_phases(setup, "file", rows)
    same = digest(setup.trial("file")) == digest(setup.trial("frozen-checkpointed"))
    print(f"  its adapter has {'the same' if same else 'other'} bytes as that from the folder")
    file.unlink()


_BUILD_FILE = """
import sys
from pathlib import Path
from full_size.build import build_single_file
build_single_file(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def reload(setup: Setup) -> None:
    """Exported files in a pipeline of diffusers."""
    for name in ("lora-checkpointed", "pivotal-checkpointed"):
        script = SCRIPTS / "full_size" / "reload.py"
        arguments = [setup.folder / "base", setup.trial(name), setup.resolution]
        told = subprocess.run([sys.executable, str(script), *map(str, arguments)],
                              check=True, capture_output=True, text=True)  # fmt: skip
        print(f"{name} in StableDiffusionXLPipeline: {told.stdout.strip()}")


def ratio(setup: Setup) -> None:
    """A whole step against the bare forward and backward."""
    for mode in setup.ratios:
        script = SCRIPTS / "full_size" / "ratio.py"
        overrides = [*setup.overrides(mode), f"te_mode={mode}", ON, "train.max_train_steps=1000"]
        told = subprocess.run([sys.executable, str(script), str(setup.rounds), *overrides],
                              check=True, capture_output=True, text=True)  # fmt: skip
        found: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
        print(
            f"{mode}: step {found['step']:.1f} s, bare {found['bare']:.1f} s, ratio "
            f"{found['ratio']:.3f}, peak {found['peak'] / GIB:.2f} GiB"
        )


def _print_phases(setup: Setup, name: str, rows: Sequence[dict[str, Any]]) -> None:
    from lora_sweep.config.compose import compose
    from lora_sweep.sweep.cost.machine import device_of
    from lora_sweep.sweep.cost.peak import computed_peak

    print(name)
    for phase in dict.fromkeys(row["phase"] for row in rows):
        own = [row for row in rows if row["phase"] == phase]
        seconds = ", ".join(f"{row['seconds']:.1f}" for row in own)
        peak = max(row["peak"] for row in own) / GIB
        print(f"  {phase:<8} {seconds} s, peak {peak:.2f} GiB")
    settings = compose(json.loads(setup.record(name).read_text())["overrides"])
    expected = computed_peak(settings, device_of(settings))
    if expected is not None:
        most, computed = max(row["peak"] for row in rows) / GIB, expected.total / GIB
        print(f"  peak {most:.2f} GiB, computed {computed:.2f} GiB, {computed / most - 1:+.0%}")
    first = next((row for row in rows if row["phase"] == "step"), None)
    if first is not None:
        print(f"  start to first step: {first['since_start'] - first['seconds']:.0f} s")


STAGES: dict[str, Stage] = {
    "build": build,
    "modes": modes,
    "resumed": resumed,
    "command": command,
    "reload": reload,
    "file": single_file,
    "ratio": ratio,
    "full": full,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path("full-size"), help="25 GB are needed")
    parser.add_argument("--resolution", type=int, default=256, help="pixels")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--steps", type=int, default=2, help="of each trial")
    parser.add_argument("--rounds", type=int, default=3, help="of the ratio, beside a first")
    parser.add_argument("--ratios", nargs="+", default=MODES, help="te_modes of it")
    parser.add_argument("--only", choices=STAGES, nargs="+", help="stages, instead of all")
    parser.add_argument("--remove", action="store_true", help="delete the folder at the end")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    setup = Setup(
        chosen.folder.resolve(), chosen.resolution, chosen.threads, chosen.steps,
        chosen.rounds, chosen.ratios,
    )  # fmt: skip
    for name in chosen.only or STAGES:
        start = time.perf_counter()
        STAGES[name](setup)
        print(f"[{name}: {time.perf_counter() - start:.0f} s]\n", flush=True)
    if chosen.remove:
        shutil.rmtree(setup.folder)


if __name__ == "__main__":
    main()
