"""Jobs as units of work: what each machine is told. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lora_sweep.results.names import TrialName
from lora_sweep.sweep.cluster.arrange import Arrangement, Job
from lora_sweep.sweep.cluster.parts import Part
from lora_sweep.sweep.hand_over import with_leaves
from lora_sweep.sweep.request import TrialRequest
from lora_sweep.sweep.stages import spec_of
from lora_sweep.sweep.tree import Address, build_tree
from lora_sweep.sweep.unit import Unit


@dataclass(frozen=True)
class JobUnits:
    """The units of one job, and what it waits for."""

    units: tuple[Unit, ...]
    parent: int | None = None  # the job that leaves the state `start`, by its place
    start: Address | None = None

    @property
    def trials(self) -> tuple[str, ...]:
        """Those that are done with it: a unit with `until` carries its trial only a part of the
        way.
        """
        return tuple(t for unit in self.units if unit.until is None for t in unit.trials)


def units_of_jobs(
    arrangement: Arrangement,
    requests: Mapping[str, TrialRequest],
    root: Path,
    group: str | None,
    names: Mapping[str, TrialName],
) -> list[JobUnits]:
    """The jobs of an arrangement, in its order."""
    return [_job(job, arrangement.parts, requests, root, group, names) for job in arrangement.jobs]


def _job(
    job: Job,
    parts: Sequence[Part],
    requests: Mapping[str, TrialRequest],
    root: Path,
    group: str | None,
    names: Mapping[str, TrialName],
) -> JobUnits:
    units = tuple(unit_of_part(parts[n], requests, root, group, names) for n in job.parts)
    return JobUnits(units, job.parent, parts[job.parts[0]].start)


def unit_of_part(
    part: Part,
    requests: Mapping[str, TrialRequest],
    root: Path,
    group: str | None = None,
    names: Mapping[str, TrialName] | None = None,
) -> Unit:
    """A part as it is trained; its steps are counted from step 0, whoever has taken them."""
    trials = part.trials or ((part.carrier,) if part.carrier else ())
    (family,) = build_tree(spec_of(requests[trial]) for trial in trials).families
    family = with_leaves(family, part.leaves, part.until)
    return Unit(
        tuple(requests[trial] for trial in family.trials),
        family.steps_in_tree,
        root,
        group,
        {trial: names[trial] for trial in family.trials if names and trial in names},
        part.leaves,
        part.until,
    )


def with_root(unit: Unit, root: Path) -> Unit:
    """The unit with another name of the results folder."""
    return replace(unit, root=root)
