"""Everything the page shows, as plain data; the page itself computes nothing but its drawings."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lora_sweep.results.measures import MEASURES
from lora_sweep.results.report.axes import is_told
from lora_sweep.results.report.commands import Rerun, comfyui_lines, diffusers_code
from lora_sweep.results.report.importance import importance_of
from lora_sweep.results.report.pictures import Album, TrainingSet
from lora_sweep.results.report.read import Found, ReportTrial
from lora_sweep.results.report.verdict import Verdict, judge

DEFAULT_MEASURES = ("val_loss", "subject")
"""The first that any trial has decides which settings are best."""

HOLDOUT = "dataset.holdout"
ID_MARK = "{id}"
"""Stands for the trial's id in texts that are kept once for all trials."""


def verdicts_of(found: Found) -> dict[str, Verdict]:
    """Of each measure that has a direction and a value, in the order of tables."""
    verdicts: dict[str, Verdict] = {}
    for name, measure in MEASURES.items():
        values = [_values_by_seed(found, group, name) for group in found.groups]
        if measure.better is not None and any(values):
            verdicts[name] = judge(name, measure.better, values)
    return verdicts


def _values_by_seed(found: Found, group: Sequence[int], measure: str) -> dict[str, float]:
    seeds = [axis.name for axis in found.axes if axis.is_seed]
    return {
        repr([found.values[k].get(seed) for seed in seeds]): found.trials[k].scores[measure]
        for k in group
        if measure in found.trials[k].scores
    }


def chosen_measure(verdicts: Mapping[str, Verdict], objectives: Sequence[str] = ()) -> str | None:
    """The measure to choose by unless the reader takes another: of a study, its objective."""
    names = (*objectives, *DEFAULT_MEASURES, *verdicts)
    return next((name for name in names if name in verdicts), None)


def build_content(found: Found, album: Album, place: Path) -> dict[str, Any]:
    """The page's data; `place` is the folder that links are relative to."""
    verdicts = verdicts_of(found)
    common = _common([trial.settings for trial in found.trials])
    usages: dict[str, int] = {}
    prompts: dict[str, int] = {}
    rerun = Rerun()
    return {
        "title": found.title,
        "made": time.strftime("%Y-%m-%d %H:%M"),
        "states": dict(Counter(trial.state for trial in found.trials)),
        "fixed": [override for override in found.fixed if is_told(override)],
        "axes": [{"name": a.name, "values": list(a.values), "seed": a.is_seed} for a in found.axes],
        "measures": [asdict(m) for m in MEASURES.values() if _has(found, m.name)],
        "measure": chosen_measure(verdicts, found.objectives),
        "objectives": list(found.objectives),
        "verdicts": {name: asdict(verdict) for name, verdict in verdicts.items()},
        "groups": [list(group) for group in found.groups],
        "trials": [
            _trial(found, k, common, rerun, usages, prompts, album, place)
            for k in range(len(found.trials))
        ],
        "common": common,
        "usages": list(usages),
        "prompts": list(prompts),
        "sets": [asdict(one) for one in album.sets],
        "holdout": _holdout(found, album),
        "all_pictures": [_all_pictures(found, rerun, group) for group in found.groups],
        "importance": _importance(found),
        "tree": _tree(found),
        "left_out": [
            {"asked": " ".join(one["overrides"]), "why": "; ".join(one["problems"])}
            for one in found.left_out
        ],
        "warnings": _warnings(found),
        "notes": _notes(found, album),
        "edge": album.edge,
    }


def _has(found: Found, measure: str) -> bool:
    return any(measure in trial.scores for trial in found.trials)


def _trial(
    found: Found,
    k: int,
    common: Mapping[str, Any],
    rerun: Rerun,
    usages: dict[str, int],
    prompts: dict[str, int],
    album: Album,
    place: Path,
) -> dict[str, Any]:
    trial = found.trials[k]
    record = trial.record
    code = diffusers_code(trial)
    usage = None
    if code is not None:
        text = code.replace(trial.id, ID_MARK)
        usage = usages.setdefault(text, len(usages))
    return {
        "id": trial.id,
        "name": record.name,
        "state": trial.state,
        "reason": trial.problem or record.error,
        "steps": record.steps,
        "seconds": round(record.seconds, 1),
        "shared": round(record.seconds_shared, 1),
        "values": [found.values[k].get(axis.name) for axis in found.axes],
        "scores": {name: float(f"{score:.6g}") for name, score in trial.scores.items()},
        "settings": {n: v for n, v in trial.settings.items() if common.get(n, ...) != v},
        "command": rerun.command(trial),
        "usage": usage,
        "comfyui": comfyui_lines(trial.settings) if usage is not None else [],
        "folder": relative(trial.folder.path, place),
        "set": album.set_of[k],
        "samples": [
            [prompts.setdefault(s.prompt, len(prompts)), s.seed, s.step, index, s.file]
            for s, index in zip(trial.samples, album.samples[k], strict=True)
            if index is not None
        ],
    }


def relative(path: Path, place: Path) -> str | None:
    """The way from the page to a file, for links; None across drives."""
    try:
        return Path(os.path.relpath(path.absolute(), place.absolute())).as_posix()
    except ValueError:
        return None


def _common(settings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    known = [each for each in settings if each]
    first = known[0] if known else {}
    return {
        name: value
        for name, value in first.items()
        if all(name in each and each[name] == value for each in known)
    }


def _holdout(found: Found, album: Album) -> dict[str, Any]:
    """How many pictures no trial has seen, and whether the data set brought them."""
    asked = {str(t.settings[HOLDOUT]) for t in found.trials if HOLDOUT in t.settings}
    return {
        "asked": sorted(asked),
        "kept_back": _heldout([one for one in album.sets if not one.packaged]),
        "brought": _heldout([one for one in album.sets if one.packaged]),
        "known": bool(album.sets),
        "packaged": all(t.settings.get("dataset.path") is None for t in found.trials),
    }


def _heldout(sets: Sequence[TrainingSet]) -> int:
    """How many held-out pictures there are; sets may have the same ones."""
    counts = {one.heldout: one.num_heldout for one in sets}
    return sum(counts.values())


def _all_pictures(found: Found, rerun: Rerun, group: Sequence[int]) -> str | None:
    """The command that trains the settings of a group on held-out pictures, too.

    None where there is nothing to gain: a packaged set brings its held-out pictures beside those
    trained on, and with holdout=0 all are trained on already.
    """
    trial: ReportTrial = found.trials[group[0]]
    held = str(trial.settings.get(HOLDOUT, "auto"))
    if not trial.settings or trial.settings.get("dataset.path") is None or held == "0":
        return None
    return rerun.command(trial, f"{HOLDOUT}=0")


def _importance(found: Found) -> dict[str, Any]:
    shares: dict[str, Any] = {}
    for name in MEASURES:
        if _has(found, name):
            scores = [trial.scores.get(name) for trial in found.trials]
            shares[name] = asdict(importance_of(found.axes, found.values, scores))
    return shares


def _tree(found: Found) -> dict[str, Any] | None:
    """The stage tree with trials as positions on this page; None where it was not recorded."""
    if not found.tree:
        return None
    position = {trial.id: k for k, trial in enumerate(found.trials)}
    families = [
        {**family, "trials": [position.get(id) for id in family["trials"]]}
        for family in found.tree["families"]
    ]
    return {**found.tree, "families": families}


def _notes(found: Found, album: Album) -> list[str]:
    notes = list(dict.fromkeys(album.notes))
    if album.missing:
        some = "1 picture is" if album.missing == 1 else f"{album.missing} pictures are"
        notes.append(f"{some} listed in samples.json and cannot be read; they are left out.")
    if album.last_step_only:
        notes.append("There are too many pictures for one page: only those of the last step.")
    return notes


def _warnings(found: Found) -> list[str]:
    """What makes the answer itself doubtful."""
    compared = {a.name for a in found.axes} & {"dataset", "dataset.name", "dataset.path", HOLDOUT}
    if not compared or not _has(found, "val_loss"):
        return []
    varied = ", ".join(sorted(compared))
    return [f"{varied} varies: val_loss on different held-out pictures cannot be compared."]


def curves_content(found: Found) -> list[dict[str, Any]]:
    """Of each trial its lines by name, and the raw loss."""
    return [{"lines": t.curves.lines, "raw": t.curves.raw} for t in found.trials]
