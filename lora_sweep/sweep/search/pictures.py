"""Validation pictures of trials as artifacts of the study, which optuna-dashboard shows."""

from __future__ import annotations

from pathlib import Path

from optuna.artifacts import FileSystemArtifactStore, get_all_artifact_meta, upload_artifact
from optuna.trial import Trial

from lora_sweep.files import make_folder
from lora_sweep.results.samples import read_samples
from lora_sweep.results.store import TrialFolder

MOST_PICTURES = 12
"""Of one trial: each costs a write to the storage."""


def show_pictures(trial: Trial, folder: TrialFolder, artifacts: Path) -> None:
    """Copy the pictures of a trial's last step beside the study; those that are there are not
    copied again. Call it before the trial is told: afterwards the storage takes nothing of it.
    """
    samples = read_samples(folder)
    last = max((sample.step for sample in samples), default=0)
    paths = [folder.samples / each.file for each in samples if each.step == last]
    wanted = [path for path in paths[:MOST_PICTURES] if path.is_file()]
    if not wanted:
        return
    known = {meta.filename for meta in get_all_artifact_meta(trial)}
    store = FileSystemArtifactStore(base_path=str(make_folder(artifacts)))
    for path in wanted:
        if path.name not in known:
            upload_artifact(artifact_store=store, file_path=str(path), study_or_trial=trial)
