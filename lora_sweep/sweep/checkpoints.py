"""Checkpoints as addresses of states: whichever trial wrote one, all that share its stage may use
it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lora_sweep.errors import StoreError
from lora_sweep.results.checkpoint import check_checkpoint, checkpoint_steps, load_checkpoint
from lora_sweep.results.metrics import reaches, read_metrics
from lora_sweep.results.store import TrialFolder
from lora_sweep.sweep.tree import Segment

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class FoundCheckpoint:
    """A state on disk: after `step` steps, the last of them in the stage `key`."""

    key: str
    step: int
    folder: TrialFolder

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and plain values; raises CorruptCheckpoint."""
        return load_checkpoint(self.folder.checkpoints, self.step)

    def check(self) -> None:
        """Raise StoreError if it is not whole, or the rows of its steps are not beside it."""
        check_checkpoint(self.folder.checkpoints, self.step)
        if not reaches(read_metrics(self.folder.metrics), self.step):
            raise StoreError(f"{self.folder.metrics} has no row for step {self.step}")


class CheckpointIndex:
    """The checkpoints of some trials, by stage."""

    def __init__(self, folders: Iterable[TrialFolder] = ()) -> None:
        self._by_key: dict[str, dict[int, FoundCheckpoint]] = {}
        self._known: dict[Path, str] = {}  # a trial's id decides the stage of each step
        self._whole: set[Path] = set()  # of those there are now
        self.look(folders)

    def look(self, folders: Iterable[TrialFolder]) -> None:
        """Forget what was found, and find what is there now; known ones are not read again."""
        self._by_key.clear()
        self._whole.clear()
        for folder in folders:
            for step in checkpoint_steps(folder.checkpoints):
                path = folder.checkpoint(step)
                key = self._known.get(path) or _stage_key(path)
                if key is not None:
                    self._known[path] = key
                    found = FoundCheckpoint(key, step, folder)
                    self._by_key.setdefault(key, {}).setdefault(step, found)

    def furthest(self) -> dict[str, int]:
        """For each stage that has one, the step of its last state."""
        return {key: max(found) for key, found in self._by_key.items()}

    def latest(self, segment: Segment) -> FoundCheckpoint | None:
        """The state furthest into a segment; one at its start belongs to the segment before."""
        found = self._by_key.get(segment.key, {})
        steps = [step for step in found if segment.start < step <= segment.stop]
        return found[max(steps)] if steps else None

    def latest_whole(self, segment: Segment, say: Callable[[str], None]) -> FoundCheckpoint | None:
        """The same of those that can be gone on from; others are forgotten, and `say` is told."""
        while (found := self.latest(segment)) is not None:
            path = found.folder.checkpoint(found.step)
            try:
                if path not in self._whole:
                    found.check()
                    self._whole.add(path)
                return found
            except StoreError as error:
                reason = str(error).partition(";")[0]
                say(f"{reason}; the state of step {found.step} there is not used")
                del self._by_key[segment.key][found.step]
        return None


def _stage_key(path: Path) -> str | None:
    # Only the small file is read here; it is checked against its hash when the state is loaded.
    try:
        meta = json.loads((path / "state.json").read_bytes())["meta"]
        return str(meta["stage"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
