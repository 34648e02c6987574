"""What of a finished trial goes to the hub: card, samples, settings, weights; nothing private."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import yaml

from lora_sweep.config import settings_from_plain, to_plain
from lora_sweep.config.settings import Pivotal, Settings, TeFull
from lora_sweep.errors import StoreError
from lora_sweep.results.card import NANO, CardFacts, render_card
from lora_sweep.results.card_facts import card_facts
from lora_sweep.results.finished import FinishedTrial
from lora_sweep.results.names import without_path
from lora_sweep.results.private import public_settings, without_secrets
from lora_sweep.results.samples import Sample, read_samples

Content = bytes | Path
"""Of a file that is uploaded: as made for it, or as it lies in the trial's folder."""


def published_files(
    trial: FinishedTrial, repo: str, base: str | None, token: str
) -> dict[str, Content]:
    """The files of the trial's repository, by their path in it.

    base: the hub name of the base, where it was a folder of this machine. Neither the token nor a
    path of this machine is in any of them. Raises StoreError where a file is missing.
    """
    environ = {**os.environ, "HF_TOKEN": token}
    settings = settings_from_plain(without_secrets(to_plain(trial.settings), environ))
    samples = [
        Sample(**without_secrets(asdict(each), environ))
        for each in _last(read_samples(trial.folder))
    ]
    card = render_card(trial.folder, _facts(trial, settings, samples, repo, base))
    plain = public_settings(to_plain(settings))
    files: dict[str, Content] = {
        "README.md": card.encode(),
        "config.yaml": yaml.safe_dump(plain, sort_keys=False, allow_unicode=True).encode(),
    }
    files |= {path.name: path for path in _weights(trial)}
    files |= {f"samples/{each.file}": trial.folder.samples / each.file for each in samples}
    if samples:
        listed = json.dumps([asdict(each) for each in samples], indent=2, ensure_ascii=False)
        files["samples/samples.json"] = f"{listed}\n".encode()
    for path in files.values():
        if isinstance(path, Path) and not path.is_file():
            raise StoreError(
                f"{path} is missing; remove the trial's trial.json and run its command again"
            )
    return files


def is_local_base(settings: Settings) -> bool:
    """Whether the base was a folder or file that is on this machine alone."""
    path = settings.model.path
    return path != NANO and (without_path("model.path", path) != path or Path(path).exists())


def _facts(
    trial: FinishedTrial,
    settings: Settings,
    samples: Sequence[Sample],
    repo: str,
    base: str | None,
) -> CardFacts:
    """What the card tells elsewhere: of paths of this machine the last part."""
    facts = card_facts(settings, trial.folder, trial.record.scores, samples)
    return replace(
        facts,
        repo=repo,
        base=base or without_path("model.path", settings.model.path),
        single_file=facts.single_file and base is None,
        vae=facts.vae and without_path("model.vae", facts.vae),
        settings=public_settings(to_plain(settings)),
    )


def _last(samples: Sequence[Sample]) -> list[Sample]:
    """The pictures of the last step, which the card shows."""
    last = max((sample.step for sample in samples), default=0)
    return [sample for sample in samples if sample.step == last]


def _weights(trial: FinishedTrial) -> list[Path]:
    folder, name = trial.folder, trial.settings.results.name
    paths = [folder.diffusers_weights, folder.kohya_weights(name)]
    if isinstance(trial.settings.te_mode, Pivotal):
        paths.append(folder.embeddings(name))
    if isinstance(trial.settings.te_mode, TeFull):
        paths += [folder.text_encoder, folder.text_encoder_2]
    return paths
