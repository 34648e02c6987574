"""The plan as it is printed: by costs that are given, so that every number can be checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from keyed import HERE, finish
from runs import small
from told import Told

from lora_sweep.config.settings import Dataset, Evaluate, Lora, Model, Settings
from lora_sweep.config.sweep import Calibrate
from lora_sweep.errors import SettingsError, StoreError
from lora_sweep.results.store import Store
from lora_sweep.results.trial_record import FORMAT, TrialState
from lora_sweep.sweep import plan_text
from lora_sweep.sweep.asked import Asked
from lora_sweep.sweep.cost import known
from lora_sweep.sweep.cost.keys import finish_key, phases, step_key
from lora_sweep.sweep.cost.records import Records, StepCost
from lora_sweep.sweep.options import SweepOptions
from lora_sweep.sweep.plan import plan_sweep, print_plan
from lora_sweep.sweep.request import Resolver, TrialRequest
from lora_sweep.sweep.run import run_requests

MIB = 2**20
QUIET = Evaluate(loss_timesteps=0)


@pytest.fixture(autouse=True)
def one_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cores, 1 GiB of memory and of disk."""
    for module in (known, plan_text):
        for name in ("this_machine", "available_memory", "free_disk"):
            value: Any = HERE if name == "this_machine" else 2**30
            if hasattr(module, name):
                monkeypatch.setattr(module, name, lambda *_, value=value: value)


def requests_of(*settings: Settings) -> list[TrialRequest]:
    resolver = Resolver()
    return [resolver.resolve(each) for each in settings]


def lengths(root: Path, *steps: int, **changes: Any) -> list[TrialRequest]:
    """Pivotal trials of one family, with the pivot in the middle of each."""
    chosen: dict[str, Any] = {"evaluate": QUIET} | changes
    return requests_of(*(small(root, train={"max_train_steps": n}, **chosen) for n in steps))


def remember(root: Path, *requests: TrialRequest, before: float = 3.0, after: float = 1.0) -> None:
    """Calibrations: seconds of a step, 300 MiB; five seconds to start, one to export."""
    records = Records(Store(root), HERE)
    for request in requests:
        for trains in phases(request):
            key = step_key(request, trains)
            seconds = before if trains else after
            records.write(StepCost(key, 2.0, seconds, 300 * MIB, "2026-01-31"))
        records.write(replace(finish(start=5.0, export=1.0), key=finish_key(request)))


def printed(root: Path, *requests: TrialRequest, **options: Any) -> list[str]:
    lines: list[str] = []
    chosen: dict[str, Any] = {"calibrate": Calibrate.never} | options
    print_plan(requests, Store(root), out=lambda text: lines.extend(text.split("\n")), **chosen)
    assert all(len(line) <= 80 for line in lines if str(root.parent) not in line)
    return lines


def section(lines: list[str], begins: str) -> list[str]:
    """The lines of one section, without its heading."""
    first = next(i for i, line in enumerate(lines) if line.startswith(begins)) + 1
    return lines[first : next((i for i in range(first, len(lines)) if not lines[i]), len(lines))]


def test_a_plan_by_costs_that_are_known(tmp_path: Path) -> None:
    requests = lengths(tmp_path, 20, 40)
    remember(tmp_path, requests[0])
    lines = printed(tmp_path, *requests)
    # The trunk: 20 steps of 3 s; the branches: 10 and 20 of 1 s; two exports; and the start.
    assert lines[:14] == [
        "trials                        2",
        "duplicates dropped            0",
        "families                      1",
        "steps alone                  60",
        "steps in the tree            50",
        "saving                  16.67 %",
        "",
        "time on a CPU, 2 cores, torch 2.0",
        "  a trial             41s to 1m21s",
        "  all, one by one     2m07s",
        "  all, in the tree    1m37s",
        "                      steps 1m30s, measures, pictures and files 2s, before the",
        "                      first step 5s",
        "  rests on            2 of 2 kinds of steps measured here on 2026-01-31: 2 by",
    ]
    assert section(lines, "memory at the peak") == [
        "  a trial             300 MiB, its process in all",
        "  there is            1.0 GiB available now",
    ]
    short, long = requests
    assert lines[-3:] == [
        "trial         family  steps  alone   memory",
        f"{short.id}  1          20    41s  300 MiB",
        f"{long.id}  1          40  1m21s  300 MiB",
    ]


def test_equal_trials_are_counted_and_planned_once(tmp_path: Path) -> None:
    one, other = lengths(tmp_path, 20, 40)
    lines = printed(tmp_path, one, other, one, one)
    assert lines[:4] == [
        "trials                        2",
        "duplicates dropped            2",
        "families                      1",
        "steps alone                  60",
    ]


def test_impossible_trials_that_are_left_out_are_counted(tmp_path: Path) -> None:
    lines = printed(tmp_path, *lengths(tmp_path, 20), left_out=3)
    assert lines[2] == "impossible                    3"


@pytest.mark.usefixtures("one_base")
def test_trials_that_are_done_are_looked_up(root: Path) -> None:
    short, long = lengths(root, 4, 6)
    run_requests([short], Store(root))
    remember(root, long)
    lines = printed(root, short, long)
    assert lines[:9] == [
        "trials                        2",
        "duplicates dropped            0",
        "already done                  1",
        "",
        "                            all   left to do",
        "trials                        2            1",
        "families                      1            1",
        "steps alone                  10            6",
        "steps in the tree             8            6",
    ]
    times = section(lines, "time on")
    assert times[:4] == [
        "  a trial             13s",
        "  all, in the tree    21s",
        "  left, in the tree   18s",
        "                      steps 12s, measures, pictures and files 1s, before the",
    ]
    run_requests([long], Store(root))
    lines = printed(root, short, long)
    assert lines[-1] == "all trials are done: nothing is left to train"
    assert not any(line.startswith(("time", "memory", "disk")) for line in lines)


@pytest.mark.usefixtures("one_base")
def test_steps_that_checkpoints_hold_are_not_planned_again(root: Path) -> None:
    train = {"max_train_steps": 6, "checkpoint_every": 2}
    (request,) = requests_of(small(root, "frozen", train=train, evaluate=QUIET))
    run_requests([request], Store(root))
    record = Store(root).trial(request.id).read_record()
    assert record is not None
    Store(root).trial(request.id).write_record(record.with_(state=TrialState.running))
    remember(root, request)
    lines = printed(root, request)
    assert "  spared              6 steps that checkpoints hold" in lines
    assert "  all, in the tree    6s" in lines


def test_without_measurements_a_plan_says_so_and_computes_the_rest(tmp_path: Path) -> None:
    lines = printed(tmp_path, *lengths(tmp_path, 20))
    times, memory = section(lines, "time on"), section(lines, "memory at the peak")
    assert times[0] == "  a trial             unknown: not measured here yet;"
    assert "calibrate=always" in "".join(times)
    assert memory[0].endswith(" MiB, its process in all")
    told = " ".join(line.strip() for line in memory)
    assert "computed, most while " in told and "process 490 MiB, UNet " in told
    assert section(lines, "disk")[0].startswith("  needed ")


def test_families_of_which_nothing_is_known_are_not_counted_in_silence(tmp_path: Path) -> None:
    here, there = lengths(tmp_path, 20, 40)
    remember(tmp_path, here)
    there = replace(there, id="f" * 12, base_hash="elsewhere")
    times = section(printed(tmp_path, here, there), "time on")
    assert "  all, in the tree    46s" in times
    assert any(line.startswith("  not counted         1 families: unknown") for line in times)


@pytest.mark.parametrize(
    ("workers", "shown"),
    [
        (1, []),
        (2, ["  by 2 workers        1m27s"]),  # 40 steps by one, twice 20 by the other
        (9, ["  by 3 workers        2m06s"]),  # one for each family; on two cores, slower by half
    ],
)
def test_workers_take_the_longest_family_first(
    tmp_path: Path, workers: int, shown: list[str]
) -> None:
    requests = [lengths(tmp_path, n, seed=seed)[0] for seed, n in enumerate((20, 40, 20))]
    remember(tmp_path, requests[0])
    lines = printed(tmp_path, *requests, workers=workers)
    assert [line for line in lines if line.startswith("  by ")] == shown
    together = [line.split()[-2:] for line in lines if "workers at once" in line]
    assert together == ([[f"{300 * min(workers, 3)}", "MiB"]] if workers > 1 else [])


def test_too_little_memory_and_disk_are_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = lengths(tmp_path, 20, 40)
    remember(tmp_path, *requests)
    monkeypatch.setattr(plan_text, "available_memory", lambda: 100 * MIB)
    monkeypatch.setattr(plan_text, "free_disk", lambda folder: 1024)
    lines = printed(tmp_path, *requests)
    assert "WARNING: that is too little" in " ".join(section(lines, "memory"))
    assert "MiB too little: free some space" in " ".join(section(lines, "disk"))


def test_where_nothing_can_be_written_it_is_said_and_measured_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    root, calibrator = tmp_path / "file" / "results", Told()
    lines = printed(root, *lengths(root, 20), calibrate=Calibrate.auto, calibrator=calibrator)
    assert "WARNING: cannot write to" in " ".join(section(lines, "disk"))
    assert calibrator.asked and calibrator.folder.is_dir()
    assert "unknown" not in " ".join(lines)


def test_rows_are_in_the_order_asked_for_with_what_varies_in_the_words_of_the_user(
    tmp_path: Path,
) -> None:
    axes = [(rank, steps) for steps in (40, 20) for rank in (4, 2)]
    requests = [lengths(tmp_path, steps, lora=Lora(rank=rank))[0] for rank, steps in axes]
    asked = {
        request.id: [f"rank={rank}", f"train.max_train_steps={steps}"]
        for request, (rank, steps) in zip(requests, axes, strict=True)
    }
    lines = printed(tmp_path, *requests, asked=asked)
    rows = [line.split()[:4] for line in lines[-5:]]
    assert rows[0] == ["trial", "family", "rank", "steps"]
    ids = [request.id for request in requests]
    assert rows[1:] == [
        [ids[0], "1", "4", "40"], [ids[2], "1", "4", "20"],
        [ids[1], "2", "2", "40"], [ids[3], "2", "2", "20"],
    ]  # fmt: skip


def test_many_trials_are_summed_up_by_what_they_cost(tmp_path: Path) -> None:
    data = Dataset(name="face", set="varied", class_noun="woman")
    requests = requests_of(
        *(
            small(tmp_path, te_mode, seed=seed, lora=Lora(rank=rank), dataset=data, evaluate=QUIET)
            for te_mode in ("frozen", "pivotal") for rank in (2, 4) for seed in range(7)
        )
    )  # fmt: skip
    remember(tmp_path, requests[0], requests[-1])
    lines = printed(tmp_path, *requests)
    table = [line.split() for line in lines[-5:]]
    assert table[0][:3] == ["te_mode", "rank", "trials"]
    assert {tuple(row[:5]) for row in table[1:]} == {
        (te_mode, rank, "7", "42", "42") for te_mode in ("frozen", "pivotal") for rank in "24"
    }
    # Six steps of one second, or three of three and three of one; and an export; of each trial.
    assert {(row[0], row[5]) for row in table[1:]} == {("frozen", "49s"), ("pivotal", "1m31s")}


def test_one_trial_has_no_table_and_is_not_compared_with_itself(tmp_path: Path) -> None:
    (request,) = lengths(tmp_path, 20)
    remember(tmp_path, request)
    lines = printed(tmp_path, request)
    assert "one by one" not in " ".join(lines)
    assert request.id not in " ".join(lines)


def test_a_base_on_the_hub_is_planned_without_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Model(name="sdxl", path="stabilityai/stable-diffusion-xl-base-1.0", resolution=1024)
    trials = [small(tmp_path, model=model, lora=Lora(rank=rank)) for rank in (16, 32)]
    plan_sweep(Asked(trials, [["rank=16"], ["rank=32"]], tmp_path))
    told = capsys.readouterr()
    text = " ".join(told.out.split())
    assert "is not on this machine, and a plan downloads nothing" in text
    assert "computed, most while training: process 490 MiB, UNet 9.6 GiB" in text
    assert "the hub cannot be reached" in told.err


def test_a_sweep_with_impossible_trials_is_refused_or_goes_on_without_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trials = [small(tmp_path, lora=Lora(rank=rank), evaluate=QUIET) for rank in (2, 0)]
    asked = Asked(trials, [["rank=2"], ["rank=0"]], tmp_path)
    with pytest.raises(SettingsError, match=r"trial 1 \(rank=0\): lora\.rank=0: must be at least"):
        plan_sweep(asked, Calibrate.never)
    assert capsys.readouterr().out == ""
    plan_sweep(replace(asked, options=SweepOptions(skip_invalid=True)), Calibrate.never)
    told = capsys.readouterr()
    assert "impossible                    1\n" in told.out
    assert "left out: trial 1 (rank=0)" in told.err


def test_a_record_of_a_newer_version_refuses_the_plan_as_it_would_the_sweep(
    tmp_path: Path,
) -> None:
    (request,) = lengths(tmp_path, 20)
    folder = Store(tmp_path).trial(request.id).create()
    folder.record.write_text(json.dumps({"format": FORMAT + 1}))
    with pytest.raises(StoreError, match=request.id):
        printed(tmp_path, request)
    folder.record.write_text("{")  # half-written: the sweep trains it again
    assert printed(tmp_path, request)[0] == "trials                        1"


def test_a_plan_is_printed_before_anything_is_measured(tmp_path: Path) -> None:
    said: list[str] = []

    class Late(Told):
        def measure(self, *args: Any, **options: Any) -> Any:
            assert said[:1] == ["trials                        1"]
            return super().measure(*args, **options)

    out: Callable[[str], None] = said.append
    print_plan(lengths(tmp_path, 20), Store(tmp_path), calibrator=Late(), out=out)
    assert any("2 by" in line for line in said)


def test_a_plan_that_measures_nothing_writes_nothing(tmp_path: Path) -> None:
    printed(tmp_path, *lengths(tmp_path, 20))
    assert list(tmp_path.iterdir()) == []
