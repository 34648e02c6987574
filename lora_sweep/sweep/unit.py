"""A unit of work: the trials of one family, with all that whoever trains them has to know. No
torch.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lora_sweep.config import settings_from_plain, to_plain
from lora_sweep.data.examples import Example, Examples
from lora_sweep.results.names import TrialName
from lora_sweep.sweep.request import TrialRequest
from lora_sweep.sweep.stages import spec_of
from lora_sweep.sweep.tree import Address, build_tree


@dataclass(frozen=True)
class Unit:
    """Trials that share at least their first stage, so also pictures and base.

    As JSON it can go to another process or another machine that sees the same results folder: every
    setting is resolved in it, and nothing that is edited afterwards changes what is trained.
    """

    requests: tuple[TrialRequest, ...]
    steps: int  # to be trained for all of them
    root: Path  # the results folder
    group: str | None = None  # the sweep's name for trackers
    names: Mapping[str, TrialName] = field(default_factory=dict)  # what trackers call the trials
    leaves: tuple[Address, ...] = ()  # states to be kept, since other units go on from them
    until: Address | None = None  # the state with which it ends, where its one trial does not

    @property
    def trials(self) -> tuple[str, ...]:
        """Ids."""
        return tuple(request.id for request in self.requests)

    def to_plain(self) -> dict[str, Any]:
        """JSON values."""
        first = self.requests[0]
        return {
            "root": str(self.root),
            "group": self.group,
            "steps": self.steps,
            "base_hash": first.base_hash,
            "dataset": first.examples.name,
            "pictures": [_example(each) for each in first.examples.train],
            "heldout": [_example(each) for each in first.examples.heldout],
            "class_pictures": [_example(each) for each in first.class_examples],
            "trials": [
                {
                    "id": r.id,
                    "steps": r.max_train_steps,
                    "stop": r.stop_step,
                    "settings": to_plain(r.settings),
                }
                for r in self.requests
            ],
            "names": {trial: name.to_plain() for trial, name in self.names.items()},
            "leaves": [list(each) for each in self.leaves],
            "until": self.until and list(self.until),
        }


def unit_from_plain(values: Mapping[str, Any]) -> Unit:
    """The unit of `Unit.to_plain`; raises SettingsError for settings that this version lacks."""
    examples = Examples(
        values["dataset"], _examples(values["pictures"]), _examples(values["heldout"])
    )
    class_examples = _examples(values["class_pictures"])
    requests = [
        TrialRequest(
            trial["id"],
            settings_from_plain(trial["settings"]),
            examples,
            class_examples,
            values["base_hash"],
            trial["steps"],
            trial["stop"],
        )
        for trial in values["trials"]
    ]
    names = {trial: TrialName.from_plain(name) for trial, name in values["names"].items()}
    leaves, until = [(key, step) for key, step in values["leaves"]], values["until"]
    return Unit(
        tuple(requests),
        values["steps"],
        Path(values["root"]),
        values["group"],
        names,
        tuple(leaves),
        until and (until[0], until[1]),
    )


def units_of(
    requests: Iterable[TrialRequest],
    root: Path,
    group: str | None = None,
    names: Mapping[str, TrialName] | None = None,
) -> tuple[list[Unit], int]:
    """Trials by family, those with the most steps first; and the steps that sharing saves."""
    by_id = {request.id: request for request in requests}
    tree = build_tree(spec_of(request) for request in by_id.values())
    units = [
        Unit(
            tuple(by_id[trial] for trial in family.trials),
            family.steps_in_tree,
            root,
            group,
            {trial: names[trial] for trial in family.trials if names and trial in names},
        )
        for family in tree.families
    ]
    return units, tree.steps_alone - tree.steps_in_tree


def line_of(message: Mapping[str, Any]) -> str:
    """A message between processes: one line of JSON."""
    return json.dumps(message, allow_nan=True) + "\n"  # a loss may be NaN


def _example(example: Example) -> list[Any]:
    return [
        str(example.path),
        example.caption,
        example.digest,
        example.split,
        list(example.size_HW),
    ]


def _examples(rows: Sequence[Sequence[Any]]) -> tuple[Example, ...]:
    return tuple(
        Example(Path(path), caption, digest, split, (size[0], size[1]))
        for path, caption, digest, split, size in rows
    )
