"""Jobs that are submitted, found, lost and given up, on a scheduler that is a few lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cluster.fake_engine import Engine
from sweep.runs import record_of, small

from lora_sweep.results.board import Board, BoardTrial
from lora_sweep.results.store import Store
from lora_sweep.results.trial_record import TrialState
from lora_sweep.sweep.cluster import node
from lora_sweep.sweep.cluster.executor import ClusterExecutor
from lora_sweep.sweep.cluster.ledger import Batch, read_batch, read_job
from lora_sweep.sweep.cluster.options import ClusterError, SlurmOptions
from lora_sweep.sweep.cluster.standing import lines
from lora_sweep.sweep.executor import InProcess
from lora_sweep.sweep.interrupt import Interrupt
from lora_sweep.sweep.request import TrialRequest, resolve_request
from lora_sweep.sweep.unit import Unit, units_of

pytestmark = pytest.mark.usefixtures("one_base", "in_process")
Roots = Callable[[str], Path]


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes train in this process."""

    class Pool(InProcess):
        def __init__(self, count: int, gpus: Sequence[str]) -> None:
            super().__init__()

    monkeypatch.setattr(node, "WorkerPool", Pool)


def sweep(root: Path, *steps: int, seeds: int = 2) -> list[TrialRequest]:
    settings = small(root, "pivotal", train={"checkpoint_every": 1, "batch_size": 1})
    return [
        resolve_request(
            replace(settings, seed=seed, train=replace(settings.train, max_train_steps=count))
        )
        for seed in range(seeds)
        for count in steps
    ]


def units(requests: Sequence[TrialRequest], root: Path) -> tuple[list[Unit], Board]:
    found = units_of(requests, root)[0]
    shown = [BoardTrial(request.id, request.id, request.max_train_steps) for request in requests]
    return found, Board(shown, sum(unit.steps for unit in found))


def states(root: Path, requests: Sequence[TrialRequest]) -> list[str]:
    return [record_of(root / "runs" / request.id)["state"] for request in requests]


def test_a_family_is_cut_for_idle_workers_and_held_jobs_begin_when_their_state_is_there(
    new_root: Roots,
) -> None:
    root, engine = new_root("cut"), Engine()
    requests = sweep(root, 2, 4, 6, seeds=1)
    found, board = units(requests, root)
    executor = ClusterExecutor(engine)
    executor.run(found, board, Interrupt())
    assert states(root, requests) == ["done"] * 3 and executor.faults == {}
    assert len(engine.submitted) == 3 and not engine.held
    assert board.position == board.total_steps
    assert not list(root.glob("runs/*/checkpoints/*/pinned"))
    (folder,) = Store(root).cluster.batches()
    assert folder.finished.is_file()


def test_a_job_that_is_killed_is_submitted_again(
    new_root: Roots, capsys: pytest.CaptureFixture[str]
) -> None:
    root = new_root("killed")
    engine = Engine(lambda job, start: "is killed" if (job, start) == (1, 1) else "runs")
    requests = sweep(root, 2)
    found, board = units(requests, root)
    ClusterExecutor(engine).run(found, board, Interrupt())
    assert states(root, requests) == ["done", "done"]
    assert engine.submitted == [0, 1, 1]
    assert "job 101: FAILED; it is submitted again" in capsys.readouterr().err


def test_a_job_that_gains_nothing_again_and_again_is_recorded_and_the_others_finish(
    new_root: Roots,
) -> None:
    root = new_root("deadly")
    engine = Engine(lambda job, start: "is killed" if job == 0 and start < 4 else "runs")
    requests = sweep(root, 2)
    found, board = units(requests, root)
    executor = ClusterExecutor(engine)
    executor.run(found, board, Interrupt())
    assert sorted(states(root, requests)) == ["done", "failed"]
    ((trial, fault),) = executor.faults.items()
    assert "3 attempts in a row gained no step; the last one was killed" in str(fault)
    assert board.trials[trial].state is TrialState.failed


def test_a_job_that_is_killed_after_each_step_comes_to_its_end(new_root: Roots) -> None:
    root = new_root("slow")
    requests = sweep(root, 6, seeds=1)
    found, board = units(requests, root)

    def fate(job: int, start: int) -> str:
        if start < 5:  # somebody else gains a step, and is killed
            record = Store(root).trial(requests[0].id).create()
            from lora_sweep.results.trial_record import TrialRecord

            record.write_record(TrialRecord(requests[0].id, state=TrialState.running, steps=start))
            return "is killed"
        return "runs"

    ClusterExecutor(Engine(fate)).run(found, board, Interrupt())
    assert states(root, requests) == ["done"]


def test_a_command_that_comes_later_finds_the_jobs_and_submits_what_is_missing(
    new_root: Roots, capsys: pytest.CaptureFixture[str]
) -> None:
    root = new_root("found")
    engine = Engine(lambda job, start: "waits")
    requests = sweep(root, 2)
    found, board = units(requests, root)
    first = ClusterExecutor(engine, detach=True)
    first.run(found, board, Interrupt())
    assert first.left and engine.submitted == [0, 1]
    names = {request.id: f"seed={request.settings.seed}" for request in requests}
    standing = lines(Store(root), names)
    assert standing[0] == "2 trials: 2 waiting; 0 steps are saved"
    assert sum("waits for a machine" in line for line in standing) == 2
    engine.fate = lambda job, start: "runs"
    more = sweep(root, 2, seeds=3)
    found, board = units(more, root)
    ClusterExecutor(engine).run(found, board, Interrupt())
    assert states(root, more) == ["done"] * 3
    assert engine.submitted == [0, 1, 0]
    assert "found 2 jobs" in capsys.readouterr().err


def test_where_no_job_ever_begins_it_is_said_once_with_what_to_do(new_root: Roots) -> None:
    root = new_root("elsewhere")
    engine = Engine(lambda job, start: "never begins")
    found, board = units(sweep(root, 2), root)
    with pytest.raises(ClusterError, match="is not there on its machine, or not the same") as why:
        ClusterExecutor(engine).run(found, board, Interrupt())
    assert str(root) in str(why.value) and "results.dir" in str(why.value)
    assert len(engine.cancelled) == 2 and engine.submitted == [0, 1]


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("ModuleNotFoundError: No module named 'lora_sweep'", "its machine has no lora_sweep for"),
        ("execve(): python9: No such file or directory", "its machine cannot start"),
        ("a node of another kind", "the last that it said is 'a node of another kind'"),
    ],
)
def test_what_a_log_tells_of_a_job_that_never_began(new_root: Roots, word: str, told: str) -> None:
    root = new_root("log")

    class Words(Engine):
        def log(self, batch: Batch, number: int, id_: str) -> Path | None:
            (batch.folder.logs / "log").write_text(word + "\n")
            return super().log(batch, number, id_)

    found, board = units(sweep(root, 2), root)
    with pytest.raises(ClusterError) as why:
        ClusterExecutor(Words(lambda job, start: "never begins")).run(found, board, Interrupt())
    assert told in str(why.value)


def test_one_node_that_begins_nothing_does_not_stop_the_others(new_root: Roots) -> None:
    root = new_root("one_bad")
    engine = Engine(lambda job, start: "never begins" if job == 1 else "runs")
    requests = sweep(root, 2)
    found, board = units(requests, root)
    executor = ClusterExecutor(engine)
    executor.run(found, board, Interrupt())
    assert sorted(states(root, requests)) == ["done", "failed"]
    assert engine.submitted == [0, 1, 1, 1]
    assert "its job never began, 3 times" in str(next(iter(executor.faults.values())))


def test_what_comes_after_a_unit_is_submitted_when_it_is_over(new_root: Roots) -> None:
    root, engine = new_root("more"), Engine()
    requests = sweep(root, 2, seeds=3)
    found, board = units(requests[:1], root)
    for request in requests[1:]:
        board.add(BoardTrial(request.id, request.id, 2))
    later = [units(requests[at : at + 1], root)[0] for at in (1, 2)]

    def more(unit: Unit, faults: Mapping[str, Exception]) -> list[Unit]:
        assert not faults
        return later.pop(0) if later else []

    ClusterExecutor(engine).run(found, board, Interrupt(), more)
    assert states(root, requests) == ["done"] * 3 and not later


def test_asked_to_stop_it_cancels_the_jobs(new_root: Roots) -> None:
    root, interrupt = new_root("stopped"), Interrupt()
    engine = Engine(lambda job, start: "waits")
    found, board = units(sweep(root, 2), root)
    interrupt.stop("2 trials have failed")
    with pytest.raises(KeyboardInterrupt):
        ClusterExecutor(engine).run(found, board, interrupt)
    assert len(engine.cancelled) == 2


def test_nodes_read_copies_of_the_pictures_and_of_nothing_else(new_root: Roots) -> None:
    root, engine = new_root("pictures"), Engine(lambda job, start: "waits")
    found, board = units(sweep(root, 2, seeds=1), root)
    ClusterExecutor(engine, detach=True).run(found, board, Interrupt())
    (folder,) = Store(root).cluster.batches()
    (unit,) = read_job(folder.job(0)).units
    pictures = [each.path for each in unit.requests[0].examples.train]
    assert pictures and all(path.parent == root / "cluster" / "pictures" for path in pictures)
    before = found[0].requests[0].examples
    assert unit.requests[0].examples.content_hash == before.content_hash
    assert unit.root == root.absolute() and read_batch(folder).engine == "slurm"


def test_settings_that_cannot_be_are_named_together() -> None:
    options: Any = SlurmOptions(workers=0, time_minutes=1, signal_seconds=90, extra={"gres": "x"})
    found = "\n".join(options.problems())
    assert "hydra.launcher.workers=0: must be at least 1" in found
    assert "hydra.launcher.signal_seconds=90: must be at least 1 and less than" in found
    assert "hydra.launcher.extra.gres: is set by another setting" in found
