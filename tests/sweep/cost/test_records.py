"""Measurements survive on disk, and nothing else is taken for one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from keyed import HERE, cost, finish, key

from lora_sweep.results.store import Store
from lora_sweep.sweep.cost.records import Cost, Records

COSTS: list[Cost] = [cost(0.5, 2**30), cost(0.25, rows=1), finish(export=0.1, memory=1)]


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(Store(tmp_path), HERE)


def read(records: Records) -> tuple[list[Cost], list[str]]:
    said: list[str] = []
    return records.read(said.append), said


def test_what_is_written_is_read(records: Records) -> None:
    for each in COSTS:
        records.write(each)
    found, said = read(records)
    assert sorted(found, key=repr) == sorted(COSTS, key=repr)
    assert said == []


def test_a_new_measurement_takes_the_place_of_the_old(records: Records) -> None:
    records.write(cost(0.5))
    records.write(cost(0.7))
    assert read(records)[0] == [cost(0.7)]


def test_a_folder_without_any_is_no_fault(records: Records) -> None:
    assert read(records) == ([], [])


@pytest.mark.parametrize("at", range(0, 1000, 37))
def test_a_file_cut_short_or_changed_anywhere_is_ignored_and_named(
    records: Records, at: int
) -> None:
    kept, path = records.write(COSTS[1]), records.write(COSTS[0])
    whole = path.read_bytes()
    at %= len(whole) - 2  # the last bytes are the closing brace and white space
    for damaged in (whole[:at], whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]):
        path.write_bytes(damaged)
        found, said = read(records)
        assert found == [COSTS[1]] or json.loads(damaged) == json.loads(whole)
        assert found != [COSTS[1]] or (len(said) == 1 and str(path) in said[0])
    assert kept != path


def test_files_of_a_newer_version_are_ignored(records: Records) -> None:
    path = records.write(COSTS[0])
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    assert read(records) == ([], [f"{path} is ignored: it has format 2, this lora_sweep reads 1"])


def test_a_file_under_another_name_is_ignored(records: Records) -> None:
    path = records.write(cost(0.5))
    path.rename(path.with_name(f"{key(rank=4).digest}.json"))
    (found, (said,)) = read(records)
    assert found == [] and "another key" in said


@pytest.mark.parametrize(
    "other",
    [replace(HERE, cpu="another"), replace(HERE, cores=4), replace(HERE, gpus=("a GPU",)),
     replace(HERE, torch="2.1")],
    ids=str,
)  # fmt: skip
def test_another_machine_or_torch_has_measurements_of_its_own(
    records: Records, other: object
) -> None:
    records.write(COSTS[0])
    elsewhere = Records(Store(records.folder.parent.parent), other)  # type: ignore[arg-type]
    assert read(elsewhere) == ([], [])


def test_a_file_copied_from_another_machine_is_ignored(records: Records) -> None:
    elsewhere = Records(Store(records.folder.parent.parent), replace(HERE, cpu="slower"))
    path = elsewhere.write(COSTS[0])
    records.own.mkdir(parents=True)
    path.rename(records.own / path.name)
    (found, (said,)) = read(records)
    assert found == [] and "of another machine (slower)" in said


@pytest.mark.parametrize("value", [-1.0, "0.5", None])
def test_a_time_that_is_none_is_ignored(records: Records, value: object) -> None:
    records.write(replace(cost(0.5), seconds=value))  # type: ignore[arg-type]
    (found, (said,)) = read(records)
    assert found == [] and "damaged" in said
