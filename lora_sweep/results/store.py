"""Where everything lies below the results folder: the one module that knows paths and names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from lora_sweep.config.ranges import TAKEN_NAMES, is_taken_name
from lora_sweep.errors import StoreError
from lora_sweep.files import TEMPORARY, check_name, check_writable, make_folder
from lora_sweep.results.batch import ClusterFolder
from lora_sweep.results.checkpoint import step_folder
from lora_sweep.results.lock import file_lock
from lora_sweep.results.trial_record import TrialRecord, read_record, write_record

DIFFUSERS_WEIGHTS = "pytorch_lora_weights.safetensors"
TRIAL_ID = re.compile(r"[0-9a-zA-Z][0-9a-zA-Z_-]{0,63}")


@dataclass(frozen=True)
class TrialFolder:
    """The files of one trial; nothing is created until `create` or a write."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def config(self) -> Path:
        """The full resolved settings."""
        return self.path / "config.yaml"

    @property
    def record(self) -> Path:
        return self.path / "trial.json"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def diffusers_weights(self) -> Path:
        """The adapter with diffusers' keys."""
        return self.path / DIFFUSERS_WEIGHTS

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    @property
    def samples_index(self) -> Path:
        """Prompt and seed of every sample."""
        return self.samples / "samples.json"

    @property
    def card(self) -> Path:
        return self.path / "README.md"

    @property
    def text_encoder(self) -> Path:
        """All weights of the first text encoder (te_mode=full)."""
        return self.path / "text_encoder.safetensors"

    @property
    def text_encoder_2(self) -> Path:
        """All weights of the second text encoder (te_mode=full)."""
        return self.path / "text_encoder_2.safetensors"

    @property
    def lock_file(self) -> Path:
        return self.path / ".lock"

    def checkpoint(self, step: int) -> Path:
        """The folder of one step's checkpoint."""
        return step_folder(self.checkpoints, step)

    def kohya_weights(self, name: str) -> Path:
        """The adapter for ComfyUI and A1111; `name` is results.name. Raises StoreError."""
        return self.path / f"{check_weights_name(name)}.safetensors"

    def embeddings(self, name: str) -> Path:
        """The new tokens' rows (te_mode=pivotal); `name` is results.name. Raises StoreError."""
        return self.path / f"{check_weights_name(name)}_emb.safetensors"

    def create(self) -> TrialFolder:
        """Make the folder; raises StoreError."""
        make_folder(self.path)
        return self

    def remove_leftovers(self) -> None:
        """Remove temporary files of a killed process; only for the holder of the lock."""
        for folder in (self.path, self.samples):
            for path in folder.glob(f"{TEMPORARY}*"):
                if path.is_file():
                    path.unlink(missing_ok=True)

    def read_record(self) -> TrialRecord | None:
        """trial.json, or None; raises StoreError when it is damaged or too new."""
        return read_record(self.record)

    def write_record(self, record: TrialRecord) -> None:
        """Replace trial.json; raises StoreError."""
        if record.id != self.id:
            raise StoreError(f"the record of trial {record.id} does not belong in {self.path}")
        write_record(self.record, record)

    def lock(
        self, *, blocking: bool = True, on_wait: Callable[[str], None] | None = None
    ) -> AbstractContextManager[None]:
        """Work on the trial alone; see `lock.file_lock`. Raises LockHeld unless blocking."""
        return file_lock(self.lock_file, blocking=blocking, on_wait=on_wait)


@dataclass(frozen=True)
class SweepFolder:
    """The files of one sweep, in Hydra's folder."""

    path: Path

    @property
    def sweep(self) -> Path:
        """Trial ids in the order they were asked for, and their overrides."""
        return self.path / "sweep.json"

    @property
    def summary(self) -> Path:
        return self.path / "summary.csv"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def lock_file(self) -> Path:
        """Held by the process that runs the sweep."""
        return self.path / ".lock"

    @property
    def assets(self) -> Path:
        """Pictures that the report shows."""
        return self.path / "assets"


@dataclass(frozen=True)
class StudyFolder:
    """The files of one study, beside the trials that it has in `runs`."""

    path: Path

    @property
    def journal(self) -> Path:
        """All that was asked and told, unless another storage keeps it."""
        return self.path / "journal.log"

    @property
    def artifacts(self) -> Path:
        """Pictures for optuna-dashboard."""
        return self.path / "artifacts"

    @property
    def lock_file(self) -> Path:
        """Held while the study is opened."""
        return self.path / ".lock"


@dataclass(frozen=True)
class Store:
    """The results folder."""

    root: Path

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def cache(self) -> Path:
        """Content-addressed: latents, text embeddings, class images."""
        return self.root / "cache"

    @property
    def multirun(self) -> Path:
        return self.root / "multirun"

    @property
    def generated(self) -> Path:
        """Pictures drawn with finished trials."""
        return self.root / "generated"

    @property
    def wandb(self) -> Path:
        return self.root / "wandb"

    @property
    def cluster(self) -> ClusterFolder:
        """Jobs of SLURM and Ray."""
        return ClusterFolder(self.root / "cluster")

    def check_writable(self) -> None:
        """Fail now, with what to do, if nothing can be written; raises StoreError."""
        check_writable(self.root)

    def trial(self, trial_id: str) -> TrialFolder:
        """The folder of a trial; raises StoreError for an id that is not one."""
        if not TRIAL_ID.fullmatch(trial_id):
            raise StoreError(f"{trial_id!r} is not a trial id: letters, digits, '-' and '_' only")
        return TrialFolder(self.runs / trial_id)

    def trials(self) -> Iterator[TrialFolder]:
        """Every trial that has a record, by id."""
        if self.runs.is_dir():
            for path in sorted(self.runs.iterdir()):
                if TRIAL_ID.fullmatch(path.name) and (path / "trial.json").is_file():
                    yield TrialFolder(path)

    def study(self, name: str) -> StudyFolder:
        """The files of a study; raises StoreError for a name that cannot be a folder's."""
        return StudyFolder(self.root / "studies" / check_name(name, "study.name"))

    def sweep(self, folder: Path) -> SweepFolder:
        """The files of the sweep whose Hydra folder is `folder`."""
        return SweepFolder(folder)


def check_weights_name(name: str) -> str:
    """Return results.name if it can name the exported files; raises StoreError."""
    check_name(name)
    if is_taken_name(name):
        raise StoreError(
            f"results.name={name!r} would overwrite another file of the trial; "
            f"anything but {', '.join(TAKEN_NAMES)} and names that end in _emb is allowed"
        )
    return name
