"""Computed peaks of memory against measured ones, on the CPU: the table of docs/sdxl.md.

python scripts/check_memory.py --record measured.json
python scripts/check_memory.py --cards   computed for SDXL on GPUs, instead

Trains nano for two steps in each of the configurations below, at resolutions where activations
weigh, each in a process of its own, by the ordinary entry point; some fifteen minutes on two cores.
What the record holds already is not measured again. With --full-size FOLDER the trials that
scripts/full_size_check.py trained there are compared, too. Ends with an error where a computed peak
is more than 15 % off.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from subprocess import DEVNULL, run

from lora_sweep.config.compose import compose
from lora_sweep.sweep.cost.peak import computed_peak
from lora_sweep.sweep.fit_memory import GIB, GPU_SHARE, fitted

OBSERVE = Path(__file__).parent / "full_size" / "observe.py"
MIB = 2**20
ALLOWED = 0.15

COMMON = (
    "train.max_train_steps=2",
    "train.log_every=1",
    "dataset.subset=4",
    "dataset.holdout=0",
    "evaluate=off",
    "evaluate.loss_timesteps=0",
)
BF16, CHECKPOINTED = "model.precision=bf16", "train.gradient_checkpointing=true"
CONFIGURATIONS = (
    "te_mode=pivotal",
    "te_mode=frozen model.resolution=256",
    f"te_mode=frozen model.resolution=256 {CHECKPOINTED}",
    "te_mode=frozen model.resolution=256 rank=128 train.batch_size=1",
    "te_mode=lora model.resolution=256 optimizer=adamw",
    "te_mode=lora model.resolution=256 lora.target_modules=[to_q,to_v]",
    f"te_mode=full model.resolution=256 optimizer=adafactor {CHECKPOINTED}",
    "te_mode=full model.resolution=256 optimizer=adamw train.batch_size=2",
    "te_mode=pivotal model.resolution=256 train.gradient_accumulation_steps=2",
    f"te_mode=frozen model.resolution=256 {BF16}",
    f"te_mode=pivotal model.resolution=256 {BF16} {CHECKPOINTED}",
    "te_mode=frozen model.resolution=256 lora.blocks=[up_blocks]",
    "te_mode=frozen model.resolution=512 train.batch_size=1",
    "te_mode=frozen model.resolution=512 train.batch_size=2 optimizer=adamw",
    f"te_mode=pivotal model.resolution=512 {CHECKPOINTED}",
    f"te_mode=lora model.resolution=512 {BF16}",
)


def measured(configuration: str) -> int:
    """Bytes at the peak of a process that trains it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "observed.jsonl"
        arguments = [*configuration.split(), *COMMON, f"results.dir={folder}/results"]
        run([sys.executable, str(OBSERVE), str(file), *arguments], check=True, stdout=DEVNULL)
        return max(json.loads(line)["peak"] for line in file.read_text().splitlines())


def computed(overrides: Sequence[str]) -> tuple[int, str] | None:
    """Bytes, and while what; None where the base is gone, as the check's one file is."""
    peak = computed_peak(compose(list(overrides)), "cpu")
    return None if peak is None else (peak.total, peak.phase)


def full_size(folder: Path) -> Iterator[tuple[str, Sequence[str], int]]:
    """What scripts/full_size_check.py recorded: its name, its overrides and its peak."""
    for record in sorted((folder / "observed").glob("*.json")):
        told = json.loads(record.read_text())
        yield f"SDXL: {record.stem}", told["overrides"], max(row["peak"] for row in told["rows"])


CARDS = (8, 10, 12, 16, 24, 48)  # GiB
MODES = {
    "frozen": ("te_mode=frozen",),
    "pivotal": ("te_mode=pivotal",),
    "lora": ("te_mode=lora",),
    "full": ("te_mode=full", "optimizer=adafactor"),
}
POST = ("experiment=huggy_prodigy", "model=sdxl", "train.device=cuda", "evaluate=off")


def print_cards() -> None:
    """What the post's command takes on a GPU by setting, and what train.fit_memory chooses."""
    kinds = [(batch, checkpointing) for batch in (1, 4) for checkpointing in (True, False)]
    told = [f"batch {b}{', checkpointing' if c else ''}" for b, c in kinds]
    print(f"| te_mode | {' | '.join(told)} |\n|---|{'---|' * len(kinds)}")
    for name, mode in MODES.items():
        cells: list[str] = []
        for batch, checkpointing in kinds:
            settings = compose([*POST, *mode])
            train = replace(settings.train, batch_size=batch, gradient_checkpointing=checkpointing)
            peak = computed_peak(replace(settings, train=train), "cuda")
            cells.append(f"{peak.total / GIB:.1f}" if peak is not None else "?")
        print(f"| {name} | {' | '.join(cells)} |")
    for name, mode in MODES.items():
        for card in CARDS:
            fit = fitted(compose([*POST, *mode, f"train.fit_memory={GPU_SHARE * card:.2f}"]))
            print(f"{name}, {card} GiB: {fit.words or fit.problem}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--record", type=Path, default=Path("measured.json"), help="is added to")
    parser.add_argument("--cards", action="store_true", help="of GPUs, computed")
    parser.add_argument("--full-size", type=Path, help="folder of scripts/full_size_check.py")
    chosen = parser.parse_args()
    if chosen.cards:
        print_cards()
        return 0
    known: dict[str, int] = {}
    if chosen.record.is_file():
        known = json.loads(chosen.record.read_text())
    rows: list[tuple[str, Sequence[str], int]] = []
    for configuration in CONFIGURATIONS:
        if configuration not in known:
            known[configuration] = measured(configuration)
            chosen.record.write_text(json.dumps(known, indent=1))
        rows.append((configuration, [*configuration.split(), *COMMON], known[configuration]))
    rows += full_size(chosen.full_size) if chosen.full_size else []
    errors: list[float] = []
    print("| configuration | measured, MiB | computed, MiB | | most while |\n|---|---|---|---|---|")
    for name, overrides, peak in rows:
        told = computed(overrides)
        if told is None:
            continue
        expected, phase = told
        off = expected / peak - 1
        errors.append(abs(off))
        print(f"| {name} | {peak / MIB:.0f} | {expected / MIB:.0f} | {off:+.1%} | {phase} |")
    print(f"\n{len(errors)} configurations, at most {max(errors):.1%} off")
    return int(max(errors) > ALLOWED)


if __name__ == "__main__":
    sys.exit(main())
