"""Pictures for nodes: copies in the results folder, which all machines share. No torch."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace

from lora_sweep.data.examples import Example, Examples
from lora_sweep.files import atomic_path
from lora_sweep.results.batch import ClusterFolder
from lora_sweep.sweep.request import TrialRequest


class SharedPictures:
    """Copies each picture once, by its content."""

    def __init__(self, cluster: ClusterFolder) -> None:
        self._folder = cluster.pictures
        self._known: dict[int, tuple[tuple[Example, ...], tuple[Example, ...]]] = {}

    def of(self, request: TrialRequest) -> TrialRequest:
        """The request with the copies in place of the pictures; raises StoreError."""
        found = request.examples
        examples = Examples(found.name, self._all(found.train), self._all(found.heldout))
        return replace(request, examples=examples, class_examples=self._all(request.class_examples))

    def _all(self, examples: tuple[Example, ...]) -> tuple[Example, ...]:
        # Trials of a sweep have the very same tuples, and units write them once for all trials.
        key = id(examples)
        if key not in self._known:
            self._known[key] = (examples, tuple(self._copy(example) for example in examples))
        return self._known[key][1]

    def _copy(self, example: Example) -> Example:
        path = (self._folder / f"{example.digest}{example.path.suffix.lower()}").absolute()
        if not path.is_file() or path.stat().st_size != os.stat(example.path).st_size:
            with atomic_path(path) as temporary:
                shutil.copyfile(example.path, temporary)
        return replace(example, path=path)
