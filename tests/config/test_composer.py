"""The settings of many trials are those that Hydra itself composes for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import hydra
import pytest
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig

from lora_sweep.config.compose import CONFIG_NAME, conf_dir, explain, settings_from, sweep_of
from lora_sweep.config.composer import COMPOSITION_ERRORS, compose_trials
from lora_sweep.config.override import parse_axes
from lora_sweep.config.schema import register
from lora_sweep.config.settings import Settings
from lora_sweep.errors import SettingsError
from lora_sweep.sweep.grid import build_grid, expand

GRIDS = {"huggy": 288, "y2k": 1296, "face": 768}


@contextmanager
def multirun(*arguments: str) -> Iterator[tuple[ConfigLoader, DictConfig]]:
    """Hydra's loader and the config of a sweep that was started with these arguments."""
    register()
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        running = GlobalHydra.instance().hydra
        assert running is not None
        master = running.compose_config(
            CONFIG_NAME, list(arguments), run_mode=RunMode.MULTIRUN, from_shell=False
        )
        yield running.config_loader, master


def by_hydra(loader: ConfigLoader, master: DictConfig, job: Sequence[str]) -> Settings | list[str]:
    """What Hydra's own launchers give a job, or what is said of it."""
    try:
        return settings_from(loader.load_sweep_config(master, list(job)))
    except SettingsError as error:
        return list(error.problems)
    except COMPOSITION_ERRORS as error:
        return explain(error)


def ours(
    loader: ConfigLoader, master: DictConfig, jobs: Sequence[Sequence[str]]
) -> list[Settings | list[str]]:
    composed = compose_trials(loader, master, jobs)
    return [list(each.problems) if isinstance(each, SettingsError) else each for each in composed]


def jobs_of(loader: ConfigLoader, master: DictConfig) -> list[list[str]]:
    arguments = list(master.hydra.overrides.task)
    grid = build_grid(sweep_of(master), arguments, {}, partial(parse_axes, loader))
    return expand(grid)[1]


def groups_of(job: Sequence[str]) -> tuple[str, ...]:
    names = ("dataset", "optimizer", "te_mode", "snr", "prior")
    return tuple(line for line in job if line.partition("=")[0] in names)


@pytest.mark.parametrize("name", GRIDS)
def test_every_29th_trial_of_the_posts_grids_is_as_hydra_composes_it(name: str) -> None:
    with multirun(f"sweep={name}", "results.name=grid") as (loader, master):
        jobs = jobs_of(loader, master)
        assert len(jobs) == GRIDS[name]
        firsts = {groups_of(job): number for number, job in reversed(list(enumerate(jobs)))}
        composed = ours(loader, master, jobs)
        for number in sorted({*range(0, len(jobs), 29), *firsts.values()}):
            assert composed[number] == by_hydra(loader, master, jobs[number])
        assert len(set(map(repr, composed))) == len(jobs)


@pytest.mark.slow
@pytest.mark.parametrize("name", GRIDS)
def test_every_trial_of_the_posts_grids_is_as_hydra_composes_it(name: str) -> None:
    with multirun(f"sweep={name}") as (loader, master):
        jobs = jobs_of(loader, master)
        assert ours(loader, master, jobs) == [by_hydra(loader, master, job) for job in jobs]


VALUES: dict[str, list[str]] = {  # what may be set, right and wrong
    "rank": ["4", "16", "four"],
    "lora.rank": ["8", "${rank}"],
    "lora.alpha": ["null", "2", "0.5"],
    "lora.blocks": ["null", "[a]", "[a,b.0]", "3"],
    "seed": ["0", "1", "-1", "1.5"],
    "optimizer": ["prodigy", "adamw", "adamw8bit", "nosuch"],
    "optimizer.lr": ["1e-4", "1", "null"],
    "optimizer.d_coef": ["0.8", "1"],
    "optimizer.name": ["prodigy", "adamw"],
    "te_mode": ["pivotal", "lora", "frozen"],
    "te_mode.frac": ["0.25", "1"],
    "te_mode.pivot_rounding": ["exact", "epoch", "never"],
    "snr": ["none", "gamma5"],
    "snr.gamma": ["null", "3"],
    "experiment": ["huggy_adamw", "y2k_v2", "face_75", "null"],
    "dataset": ["huggy", "face"],
    "dataset.abstractions": ["[TOK]", "[TOK,BAG]", "[]"],
    "dataset.holdout": ["3", "auto"],
    "evaluate": ["default", "often"],
    "evaluate.prompts": ["[a TOK]", "['a, TOK',b]", "[]"],
    "results.name": ["lora", "'${seed}'", "x${rank}", "trial${hydra.job.num}"],
    "train.max_train_steps": ["null", "10", "20"],
    "train.steps_per_image": ["null", "2"],
    "+lora.extra": ["1"],
    "++seed": ["3"],
    "model": ["nano", "sdxl"],
    "train": ["{batch_size:3}", "null"],
    "train.batch_size": ["1", "2"],
}

KEY_SETS = st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=5, unique=True)


@st.composite
def sweeps(draw: Any) -> list[list[str]]:
    """Jobs of one or two sweeps, each with its keys."""
    jobs: list[list[str]] = []
    for _ in range(draw(st.integers(1, 2))):
        keys = draw(KEY_SETS)
        for _ in range(draw(st.integers(1, 4))):
            jobs.append([f"{key}={draw(st.sampled_from(VALUES[key]))}" for key in keys])
    return jobs


def test_any_overrides_give_what_hydra_gives_errors_included() -> None:
    with multirun() as (loader, master):

        @given(sweeps())
        @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        def holds(jobs: list[list[str]]) -> None:
            for job, found in zip(jobs, ours(loader, master, jobs), strict=True):
                # Hydra's launchers put the number of the job in, its loader does not.
                if "${hydra.job.num}" not in str(job):
                    assert found == by_hydra(loader, master, job), job

        holds()


@pytest.mark.parametrize(
    "job",
    [
        ["rank=four"],
        ["optimizer=adamw", "optimizer.d_coef=2"],
        ["lora.rnak=4"],
        ["optimizer=prodgy", "rank=4"],
        ["optimizer=null"],
        ["results.dir=${nowhere}"],
        ["evaluate.prompts=3", "rank=8"],
        ["optimizer.name=adamw"],
        ["+x=1", "rank=3"],
        ["te_mode.pivot_rounding=never"],
        ["rank=4", "lora=null"],
    ],
    ids=" ".join,
)
def test_a_mistake_is_told_in_the_words_of_a_single_trial(job: list[str]) -> None:
    with multirun() as (loader, master):
        expected = by_hydra(loader, master, job)
        assert isinstance(expected, list)
        assert ours(loader, master, [job, job]) == [expected, expected]


def test_a_trial_after_a_mistake_has_none_of_it() -> None:
    jobs = [["rank=8", "seed=1"], ["rank=four", "seed=2"], ["rank=9", "seed=3"]]
    with multirun() as (loader, master):
        first, wrong, last = ours(loader, master, jobs)
        assert (
            isinstance(first, Settings) and isinstance(wrong, list) and isinstance(last, Settings)
        )
        assert (first.lora.rank, first.seed, last.lora.rank, last.seed) == (8, 1, 9, 3)


def test_hydra_composes_once_for_each_combination_of_group_choices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with multirun("sweep=y2k") as (loader, master):
        real, calls = loader.load_sweep_config, list[list[str]]()

        def counted(config: DictConfig, overrides: list[str]) -> DictConfig:
            calls.append(overrides)
            return real(config, overrides)

        monkeypatch.setattr(loader, "load_sweep_config", counted)
        compose_trials(loader, master, jobs_of(loader, master))
        assert len(calls) == 3 * 2 * 2  # optimizers, te_modes, snr


def test_equal_sections_of_thousands_of_trials_are_one_object() -> None:
    with multirun() as (loader, master):
        jobs = [[f"seed={seed}"] for seed in range(50)]
        found = compose_trials(loader, master, jobs)
        assert len({id(each.dataset) for each in found if isinstance(each, Settings)}) == 1


def test_a_users_own_groups_and_values_that_refer_to_hydra_work(tmp_path: Path) -> None:
    (tmp_path / "evaluate").mkdir()
    (tmp_path / "evaluate" / "mine.yaml").write_text(
        "# @package _global_\nresults:\n  name: trial${hydra.job.num}\ntrain:\n  batch_size: 9\n"
    )
    with multirun(f"hydra.searchpath=[file://{tmp_path}]") as (loader, master):
        jobs = [["evaluate=mine", f"seed={seed}"] for seed in (0, 1)]
        found = compose_trials(loader, master, jobs, first=5)
        assert [each.results.name for each in found if isinstance(each, Settings)] == [
            "trial5",
            "trial6",
        ]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("rank=4,16", ["4", "16"]),
        ("rank=range(4,13,4)", ["4", "8", "12"]),
        ("rank=choice(1,2)", ["1", "2"]),
        ("snr=glob(gamma*)", ["gamma1", "gamma5"]),
        ("optimizer.lr=1e-4", ["0.0001"]),
        ("evaluate.prompts=[a,b],[c]", ["[a,b]", "[c]"]),
        ("dataset.instance_prompt='a, b'", ["'a, b'"]),
        ("lora.alpha=null,2", ["null", "2"]),
        ("rank=range(0)", []),
        ("snr=glob(nosuch*)", []),
    ],
)
def test_values_are_listed_as_hydras_basic_sweeper_does(line: str, values: list[str]) -> None:
    with multirun() as (loader, _):
        (axis,) = parse_axes(loader, [line])
        assert [value for (value,) in axis.points] == values


def test_what_cannot_be_counted_is_refused() -> None:
    with multirun() as (loader, _):
        for line, said in (
            ("seed=interval(0,1)", "interval"),
            ("seed=range(9999999)", "1,000,000"),
        ):
            with pytest.raises(SettingsError, match=said):
                parse_axes(loader, [line])
