"""Sweeps on a real SLURM: whatever becomes of jobs, nodes or the command, the bytes are alike."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster.commands import (
    PATIENCE,
    TRIAL,
    TWELVE,
    notes,
    outcomes,
    run,
    started,
    training,
    wait_until,
)

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1800)]

LAB = Path(__file__).parents[2] / "scripts" / "slurm_local.sh"
SLURM = (
    "hydra/launcher=slurm", "hydra.launcher.cpus=1", "hydra.launcher.mem_gb=2",
    "hydra.launcher.poll_seconds=0.5", "hydra.launcher.workers=2",
)  # fmt: skip
Roots = Callable[[str], Path]


def sh(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Two nodes with a fake GPU each."""
    patch = pytest.MonkeyPatch()
    patch.setenv("SLURM_LOCAL", str(tmp_path_factory.mktemp("slurm")))
    patch.setenv("SLURM_LOCAL_PORT", str(20_000 + os.getpid() % 2_000 * 5))  # beside another's
    try:
        for line in sh(str(LAB), "up").splitlines():
            folder = line.partition("SLURM_CONF='")[2].partition("/slurm.conf'")[0]
            patch.setenv("SLURM_CONF", f"{folder}/slurm.conf")
            patch.setenv("PATH", f"{folder}/bin:{os.environ['PATH']}")
        yield
    finally:
        sh(str(LAB), "down")
        patch.undo()


def test_twelve_trials_with_a_cancelled_job_a_dead_node_and_a_killed_command(
    new_root: Roots, tmp_path: Path, twelve: dict[str, Any]
) -> None:
    root, logs = new_root("slurm"), [tmp_path / "first", tmp_path / "second"]
    with started(root, logs[0], *TWELVE, *SLURM) as process:
        first = wait_until(lambda: training(root), "job in training")
        os.killpg(process.pid, signal.SIGKILL)
    before = sh("squeue", "-h", "-r", "-o", "%F").split()
    with started(root, logs[1], *TWELVE, *SLURM) as process:
        wait_until(lambda: "found" in logs[1].read_text(), "word of the jobs that are there")
        assert set(sh("squeue", "-h", "-r", "-o", "%F").split()) <= set(before)
        sh("scancel", first["id"])
        other = wait_until(lambda: training(root, but=[first["id"]]), "other job in training")
        node = sh("squeue", "-h", "-j", other["id"], "-o", "%N").strip()
        sh(str(LAB), "kill-node", node)
        sh(str(LAB), "node", node)
        assert process.wait(PATIENCE) == 0, logs[1].read_text()
    said = logs[1].read_text()
    assert f"job {first['id']}: CANCELLED" in said and "it is submitted again" in said
    assert "Traceback" not in said
    assert outcomes(root) == twelve
    # The node's job was requeued by SLURM under its own name, and the other one has a new one.
    began = [(note["job"], note["id"]) for note in notes(root) if note["event"] == "began"]
    assert began.count((other["job"], other["id"])) == 2
    assert {name for job, name in began if job == first["job"]} > {first["id"]}
    assert sh("squeue", "-h").strip() == ""


def test_a_job_out_of_time_saves_and_is_requeued_and_others_go_on_from_its_states(
    new_root: Roots, tmp_path: Path
) -> None:
    lengths = "train.max_train_steps=100,200,900"
    asked = (*TRIAL, lengths, "rank=2", "train.checkpoint_every=20", "tracker=wandb")
    there, here = new_root("there"), new_root("here")
    status, said = run(
        there, *asked, *SLURM, "hydra.launcher.signal_seconds=115", "hydra.launcher.detach=true"
    )
    assert status == 0 and "cut into 3 parts" in said, said
    (folder,) = there.glob("multirun/*/*")
    status_of = [sys.executable, "-m", "lora_sweep.sweep.status", str(folder)]
    assert "waits for a state of job" in sh(*status_of)
    trunk = wait_until(lambda: training(there), "trunk in training")
    # SLURM looks at the time of jobs every half minute, and signals those with too little of it.
    minutes = int((time.time() - trunk["time"]) // 60) + 2
    sh("scontrol", "update", f"JobId={trunk['id']}", f"TimeLimit={minutes}")
    wait_until(lambda: any(n["event"] == "stopped" for n in notes(there)), "job out of time")
    sh("scontrol", "update", f"JobId={trunk['id']}", "TimeLimit=240")
    assert run(here, *asked)[0] == 0
    wait_until(lambda: not sh("squeue", "-h").strip(), "end of all jobs")
    stops = [note for note in notes(there) if note["event"] == "stopped"]
    assert [note["job"] for note in stops] == [trunk["job"]]
    assert "time is up" in stops[0]["reason"]
    began = [note["id"] for note in notes(there) if note["event"] == "began"]
    assert began.count(trunk["id"]) == 2 and len(set(began)) == 3
    assert sh(*status_of).splitlines()[0].startswith("3 trials: 3 done")
    assert outcomes(there) == outcomes(here)
    # Whoever waited for no job has its summary by giving the command again.
    status, said = run(there, *asked, *SLURM)
    assert status == 0 and "table:" in said and "submitted" not in said
    trials = [path.name for path in (there / "runs").iterdir()]
    gathered = [path.name for path in (there / "wandb" / "wandb").glob("offline-run-*")]
    assert all(any(trial in name for name in gathered) for trial in trials)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["hydra.launcher.partition=gold"], "partition=gold: SLURM has no such partition; it has"),
        (["hydra.launcher.cpus=64"], "its scheduler cannot start it: PartitionConfig; ask for "),
        (["+hydra.launcher.extra.nodelist=n9"], "SLURM refuses the jobs: "),
        (["hydra.launcher.python=/usr/bin/python3"], "its machine has no lora_sweep for /usr/bin"),
        (["hydra.launcher.python=/nowhere/python"], "cannot start /nowhere/python"),
    ],
)
def test_what_cannot_work_is_said_once_and_at_once(
    new_root: Roots, settings: list[str], message: str
) -> None:
    root = new_root("refused")
    status, said = run(root, *TWELVE, *SLURM, *settings)
    assert status == 1 and said.count(message) == 1, said
    assert "Traceback" not in said
    assert sh("squeue", "-h").strip() == ""


def test_a_results_folder_that_nodes_do_not_share_is_noticed_by_the_first_job(
    new_root: Roots, tmp_path: Path
) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare, to hide the folder from a node")
    root = new_root("hidden")
    sh(str(LAB), "kill-node", "n2")
    hide = f"mount -t tmpfs none {root} && {LAB} node n2"
    try:
        sh("unshare", "-m", "sh", "-c", hide)
        wait_until(lambda: "n2" in sh("sinfo", "-h", "-N", "-t", "idle", "-o", "%N"), "node n2")
        status, said = run(root, *TWELVE, *SLURM, "+hydra.launcher.extra.nodelist=n2")
        assert status == 1 and "Traceback" not in said, said
        assert f"the results folder {root} is not there on its machine" in said
        assert "set results.dir to a folder that all machines share" in said
        assert sh("squeue", "-h").strip() == ""
    finally:
        sh(str(LAB), "kill-node", "n2")
        sh(str(LAB), "node", "n2")


def test_without_slurm_the_command_says_so(new_root: Roots) -> None:
    root = new_root("nowhere")
    status, said = run(root, *TWELVE, *SLURM, env={"PATH": "/nowhere"})
    assert status == 1 and "there is no sbatch, squeue, scontrol, scancel, srun on this" in said
    assert "Traceback" not in said and json.dumps(said).count("hydra/launcher=tree") == 1
