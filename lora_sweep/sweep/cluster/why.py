"""Why a job ended before its node could begin it, in one message. No torch."""

from __future__ import annotations

import sys
from pathlib import Path

from lora_sweep.sweep.cluster.engine import Engine, Seen
from lora_sweep.sweep.cluster.options import SlurmOptions
from lora_sweep.sweep.cluster.tracked import Tracked

CANNOT_START = "its scheduler cannot start it"
"""Words of a job that waits for good; what follows them is the scheduler's reason."""

LINES = 400  # of a log, from its end
NO_PACKAGE = tuple(
    f"No module named {quote}{name}" for quote in ("'", "") for name in ("lora_sweep", "submitit")
)
NO_PYTHON = ("No such file or directory", "command not found", "execve()")


def why_it_never_began(engine: Engine, job: Tracked, seen: Seen) -> str:
    """What happened, and what to do."""
    log = engine.log(job.batch, job.number, job.id)
    where = f"job {job.id} never began ({seen.words})"
    if seen.words.startswith(CANNOT_START):
        return (
            f"job {job.id}: {seen.words}; ask for less in hydra.launcher (cpus, mem_gb, gres, "
            "time_minutes), or for another partition"
        )
    if log is None and not _with([seen.words], NO_PACKAGE):
        root = job.job.units[0].root
        return (
            f"{where} and left no word in {job.batch.folder.logs}: the results folder {root} is "
            "not there on its machine, or not the same; set results.dir to a folder that all "
            "machines share"
        )
    lines = [seen.words, *(_last_lines(log) if log is not None else ())]
    python = _python(engine)
    if line := _with(lines, NO_PACKAGE):
        return (
            f"{where}: its machine has no lora_sweep for {python} ({line}); install it where all "
            "machines see it, or say which one to start in hydra.launcher.python or "
            "hydra.launcher.setup"
        )
    if (line := _with(lines, NO_PYTHON)) and "python" in line:
        return (
            f"{where}: its machine cannot start {python} ({line}); set hydra.launcher.python, or "
            "what makes it known in hydra.launcher.setup"
        )
    said = next((line for line in reversed(lines) if line.strip()), "nothing")
    return f"{where}; the last that it said is {said.strip()!r}; all of it is in {log}"


def _python(engine: Engine) -> str:
    options = engine.options
    return (options.python if isinstance(options, SlurmOptions) else None) or sys.executable


def _last_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()[-LINES:]
    except OSError:
        return []


def _with(lines: list[str], parts: tuple[str, ...]) -> str | None:
    return next((line.strip() for line in lines if any(part in line for part in parts)), None)
