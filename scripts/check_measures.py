"""Whether the measures measure what they say: `python scripts/check_measures.py`.

Trains one adapter per seed on a few pictures of the embedded base's world, far too long, and
measures it untrained, well trained and at the end; then real pictures of the subject and of other
classes by the same embedder. Takes some ten minutes on one core. Ends with an error if an order is
not as it must be.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

WELL, TOO_LONG = 120, 1500
"""Optimizer steps."""

PICTURES = 4
RISES = {"gap": (1, 2), "copying": (0, 1, 2), "drift": (0, 1, 2), "subject": (0, 1)}
FALLS = {"val_loss": (0, 1)}


@dataclass(frozen=True)
class Found:
    """Scores of each seed at steps 0, WELL and TOO_LONG, and how real pictures score."""

    by_seed: Mapping[int, Sequence[Mapping[str, float]]]
    real: Mapping[str, float]


def settings_of(seed: int, root: Path) -> list[str]:
    """The trial: a character of which four pictures are known."""
    return [
        "dataset=huggy",
        f"dataset.subset={PICTURES}",
        "optimizer=prodigy",
        "te_mode=pivotal",
        "rank=16",
        "train.batch_size=1",
        f"train.max_train_steps={TOO_LONG}",
        "evaluate.prompts=[a TOK emoji,a TOK emoji wearing a crown,"
        "a TOK emoji dressed as Yoda,a happy TOK emoji on a blue background]",
        "evaluate.images_per_prompt=4",
        f"seed={seed}",
        f"results.dir={root}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, nargs="*", default=[])
    parser.add_argument("overrides", nargs="*")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        run(Path(root), arguments.seeds, arguments.steps, arguments.overrides)


def run(root: Path, seeds: int, steps: Sequence[int], overrides: Sequence[str]) -> None:
    import torch

    torch.set_num_threads(1)
    from lora_sweep.config.compose import compose
    from lora_sweep.model.base import load_base
    from lora_sweep.results.evaluate import evaluate_trial
    from lora_sweep.results.store import Store
    from lora_sweep.sweep.device import open_device
    from lora_sweep.sweep.prepare import prepare
    from lora_sweep.sweep.request import resolve_request
    from lora_sweep.training.loop import train
    from lora_sweep.training.trial import build_trial

    base = None
    for seed in range(seeds):
        request = resolve_request(compose([*settings_of(seed, root), *overrides]))
        settings = request.settings
        base = base or load_base(settings.model, open_device(settings))
        store = Store(root)
        prepared = prepare(base, request, store)
        trial = build_trial(
            base, settings, prepared.items, None, request.max_train_steps, prepared.text_identity
        )
        for at in steps:
            for _ in train(trial, at):
                pass
            e = evaluate_trial(trial, settings, store.trial(request.id), prepared.yardstick)
            print(seed, at, {k: round(v, 4) for k, v in e.scores.items()}, flush=True)
            import shutil

            shutil.copytree(
                store.trial(request.id).samples, f"/tmp/engE/samples-{seed}", dirs_exist_ok=True
            )
        trial.close()


if __name__ == "__main__":
    sys.exit(main())
