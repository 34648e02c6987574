"""Sweeps on disk as training leaves them, without training."""

from __future__ import annotations

import io
import itertools
import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from PIL import Image, ImageDraw

from lora_sweep.config.plain import to_plain
from lora_sweep.config.settings import AdamW, Dataset, Lora, Prodigy, Results, Settings, Train
from lora_sweep.files import to_json
from lora_sweep.results.samples import Sample, png_bytes
from lora_sweep.results.store import Store, SweepFolder
from lora_sweep.results.trial_record import TrialRecord, TrialState

PROMPTS = ("a photo of TOK woman", "a photo of TOK woman wearing a hat")
OPTIMIZERS = {"prodigy": Prodigy(), "adamw": AdamW()}


@dataclass(frozen=True)
class Made:
    """A sweep on disk and where its report is."""

    folder: SweepFolder
    store: Store
    page: Path


def scores_of(optimizer: str, rank: int, dice: random.Random, noise: float) -> dict[str, float]:
    """Measures: val_loss is best at rank 16 with prodigy, and subject trades with prompt."""
    good = -abs(math.log2(rank / 16)) * 0.01 + (0.012 if optimizer == "prodigy" else 0)
    fit = 0.16 - 0.004 * math.log2(rank) + dice.gauss(0, noise)
    val = 0.17 - good + dice.gauss(0, noise)
    return {
        "val_loss": val,
        "fit_loss": fit,
        "gap": val - fit,
        "drift": 0.0004 * rank + abs(dice.gauss(0, noise / 40)),
        "subject": 0.62 + 0.03 * math.log2(rank) + good + dice.gauss(0, noise),
        "prompt": 0.34 - 0.008 * math.log2(rank) + dice.gauss(0, noise / 2),
        "diversity": 0.3 - 0.01 * math.log2(rank) + dice.gauss(0, noise),
        "copying": 0.7 + 0.02 * math.log2(rank) + dice.gauss(0, noise),
    }


def history(scores: Mapping[str, float], steps: int, dice: random.Random) -> str:
    """metrics.jsonl with a noisy loss and measures at every quarter."""
    rows: list[dict[str, Any]] = []
    for step in range(1, steps + 1):
        done = step / steps
        loss = scores["fit_loss"] + 0.25 * math.exp(-5 * done) + abs(dice.gauss(0, 0.05))
        rate = min(1e-3, 1e-6 * math.exp(20 * done))
        rows.append(
            {"step": step, "loss": loss, "grad_norm": 0.1, "lr/unet": rate, "lr/text": rate}
        )
        if step % max(1, steps // 4) == 0:
            drop = {name: score + 0.05 * (1 - done) for name, score in scores.items()}
            rows.append({"step": step, **drop})
    return "".join(to_json(row) + "\n" for row in rows)


def picture(text: str, colour: tuple[int, int, int], size: int) -> bytes:
    """A small PNG that tells what it is of."""
    image = Image.new("RGB", (size, size), colour)
    draw = ImageDraw.Draw(image)
    draw.ellipse([size * 0.2, size * 0.2, size * 0.8, size * 0.8], fill=(250, 210, 60))
    draw.text((3, size // 2 - 5), text, fill=(0, 0, 0))
    return png_bytes(image)


def make_trial(
    store: Store,
    number: int,
    settings: Settings,
    scores: Mapping[str, float | None],
    *,
    steps: int = 120,
    state: TrialState = TrialState.done,
    error: str | None = None,
    prompts: Sequence[str] = PROMPTS,
    pictures: int = 4,
    name: str = "face",
    size: int = 64,
) -> str:
    """One trial's folder; returns its id."""
    dice = random.Random(number)
    id = f"{number:012x}"
    folder = store.trial(id).create()
    folder.config.write_text(yaml.safe_dump(to_plain(settings), sort_keys=False), "utf-8")
    numbers = {key: score for key, score in scores.items() if score is not None}
    if numbers:
        folder.metrics.write_text(history(numbers, steps, dice))
    folder.write_record(
        TrialRecord(
            id, state, name, steps, 20.0 + number, 8.0, dict(scores) if scores else {}, error=error
        )
    )
    if state is not TrialState.done:
        return id
    samples = [
        Sample(f"step-{steps:06d}-prompt-{p}-seed-{s}.png", steps, prompt, prompt, s)
        for p, prompt in enumerate(prompts)
        for s in range(pictures // len(prompts))
    ]
    folder.samples.mkdir()
    for sample in samples:
        colour = (60 + number * 37 % 180, 60 + number * 91 % 180, 200)
        (folder.samples / sample.file).write_bytes(picture(f"{number}/{sample.seed}", colour, size))
    folder.samples_index.write_text(json.dumps([vars(sample) for sample in samples]), "utf-8")
    card = (
        f"# lora\n\n## diffusers\n\n```python\nfolder = {str(folder.path)!r}\n```\n\n## ComfyUI\n"
    )
    folder.card.write_text(card, "utf-8")
    return id


def make_sweep(
    root: Path,
    *,
    ranks: Sequence[int] = (4, 16, 64),
    optimizers: Sequence[str] = ("prodigy", "adamw"),
    seeds: Sequence[int] = (0, 1, 2),
    noise: float = 0.004,
    failed: int = 1,
    **trial: Any,
) -> tuple[SweepFolder, Store]:
    """A grid of ranks, optimizers and seeds; the last `failed` trials have run out of memory."""
    store = Store(root)
    grid = list(itertools.product(optimizers, ranks, seeds))
    asked: list[dict[str, Any]] = []
    for number, (optimizer, rank, seed) in enumerate(grid):
        settings = Settings(
            dataset=Dataset(name="face", set="varied", class_noun="woman"),
            optimizer=OPTIMIZERS[optimizer],
            lora=Lora(rank=rank),
            train=Train(max_train_steps=120),
            seed=seed,
            results=Results(dir=str(root)),
        )
        bad = number >= len(grid) - failed
        id = make_trial(
            store,
            number + 1,
            settings,
            {} if bad else scores_of(optimizer, rank, random.Random(number), noise),
            state=TrialState.failed if bad else TrialState.done,
            error="out of memory: 80 GiB are not enough for batch_size=64" if bad else None,
            **trial,
        )
        overrides = [f"optimizer={optimizer}", f"rank={rank}", f"seed={seed}"]
        asked.append({"id": id, "overrides": [*overrides, f"results.dir={root}"], "varied": {}})
    folder = store.sweep(root / "multirun" / "2026-01-02" / "03-04-05")
    folder.path.mkdir(parents=True)
    folder.sweep.write_text(to_json({"format": 1, "trials": asked}), "utf-8")
    return folder, store


def with_tree(folder: SweepFolder) -> None:
    """Add a stage tree to sweep.json: trials of one optimizer share their first half."""
    content = json.loads(folder.sweep.read_text("utf-8"))
    ids = [row["id"] for row in content["trials"]]
    half = len(ids) // 2
    families: list[dict[str, Any]] = []
    for members in (ids[:half], ids[half:]):
        many = len(members)
        trunk = {"parent": None, "start": 0, "stop": 60, "text_trains": True}
        segments: list[dict[str, Any]] = [{**trunk, "trials": [0, many], "ends": [0, 0]}]
        segments += [
            {"parent": 0, "start": 60, "stop": 120, "text_trains": False}
            | {"trials": [k, k + 1], "ends": [k, k + 1]}
            for k in range(many)
        ]
        families.append({"trials": members, "segments": segments})
    content["tree"] = {"families": families}
    folder.sweep.write_text(to_json(content), "utf-8")


def decoded(data: bytes) -> Image.Image:
    """A picture file as a picture."""
    return Image.open(io.BytesIO(data))
