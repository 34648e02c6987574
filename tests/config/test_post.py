"""conf/experiment and conf/sweep: the post's trials, with its values and nothing else varied."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Any

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from lora_sweep.config import problems, to_plain
from lora_sweep.config.compose import CONFIG_NAME, compose, conf_dir, sweep_of
from lora_sweep.config.composer import compose_trials
from lora_sweep.config.override import parse_axes
from lora_sweep.config.schema import register
from lora_sweep.config.settings import Precision, Settings
from lora_sweep.sweep.grid import build_grid, expand

EXPERIMENTS = sorted(file.stem for file in (conf_dir() / "experiment").glob("*.yaml"))
SWEEPS = sorted(file.stem for file in (conf_dir() / "sweep").glob("*.yaml"))
SEEDS = (0, 1, 2)


@cache
def trials_of(sweep: str, *more: str, all_of_them: bool = True) -> tuple[Settings, ...]:
    """The settings of a sweep's trials, or of its first and last."""
    register()
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        running = GlobalHydra.instance().hydra
        assert running is not None
        arguments = [f"sweep={sweep}", *more]
        master = running.compose_config(
            CONFIG_NAME, arguments, run_mode=RunMode.MULTIRUN, from_shell=False
        )
        loader = running.config_loader
        jobs = expand(build_grid(sweep_of(master), arguments, {}, partial(parse_axes, loader)))[1]
        composed = compose_trials(loader, master, jobs if all_of_them else [jobs[0], jobs[-1]])
    return tuple(each for each in composed if isinstance(each, Settings))


def flat(settings: Settings) -> dict[str, Any]:
    rows: dict[str, Any] = {}

    def walk(values: Mapping[str, Any], path: str) -> None:
        for key, value in values.items():
            if isinstance(value, dict):
                walk(value, f"{path}{key}.")  # pyright: ignore[reportUnknownArgumentType]
            else:
                rows[path + key] = value

    walk(to_plain(settings), "")
    return rows


def varied(trials: tuple[Settings, ...]) -> set[str]:
    """The settings that are not the same in all trials."""
    rows = [flat(each) for each in trials]
    names = {name for row in rows for name in row}
    return {name for name in names if len({repr(row.get(name, ...)) for row in rows}) > 1}


def as_sdxl(settings: Settings) -> Settings:
    """What model=sdxl makes of an experiment: another base, and its memory saved."""
    return replace(
        settings,
        model=compose(["model=sdxl"]).model,
        train=replace(settings.train, gradient_checkpointing=True),
    )


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_is_the_posts_on_sdxl_and_the_same_on_nano(name: str) -> None:
    nano, sdxl = compose([f"experiment={name}"]), compose([f"experiment={name}", "model=sdxl"])
    assert (nano.model.path, nano.model.resolution) == ("nano", 64)
    assert sdxl.model.path == "stabilityai/stable-diffusion-xl-base-1.0"
    assert sdxl.model.vae == "madebyollin/sdxl-vae-fp16-fix"
    assert (sdxl.model.resolution, sdxl.model.precision) == (1024, Precision.bf16)
    assert sdxl == as_sdxl(nano)
    assert problems(nano) == problems(sdxl) == []


@pytest.mark.parametrize("name", SWEEPS)
def test_every_sweep_runs_on_sdxl_by_one_override(name: str) -> None:
    nano, sdxl = (trials_of(name, *base, all_of_them=False) for base in ((), ("model=sdxl",)))
    assert len(nano) == len(sdxl) == 2
    assert all(one == as_sdxl(other) for one, other in zip(sdxl, nano, strict=True))


@pytest.mark.parametrize(
    ("name", "settings", "differences"),
    [
        ("snr_gamma", 3, {"snr.gamma"}),
        ("face_rank", 4, {"lora.rank"}),
        ("face_steps", 3, {"train.steps_per_image"}),
        ("y2k_versions", 8, {
            "train.max_train_steps", "dataset.repeats", "train.batch_size", "dataset.subset",
            "snr.gamma",
        }),
    ],
)  # fmt: skip
def test_a_small_comparison_varies_its_question_and_the_seed_alone(
    name: str, settings: int, differences: set[str]
) -> None:
    trials = trials_of(name)
    assert len(trials) == settings * len(SEEDS) == len(set(map(repr, trials)))
    assert varied(trials) == {*differences, "seed"}
    assert {each.seed for each in trials} == set(SEEDS)


@pytest.mark.parametrize(
    ("name", "group", "choices"),
    [
        ("adamw_vs_prodigy", "optimizer", {"adamw", "prodigy"}),
        ("te_vs_pivotal", "te_mode", {"pivotal", "lora", "full"}),
        ("face_prior", "prior", {"none", "generated", "real"}),
    ],
)
def test_a_comparison_of_choices_varies_that_group_and_the_seed_alone(
    name: str, group: str, choices: set[str]
) -> None:
    trials = trials_of(name)
    assert len(trials) == len(choices) * len(SEEDS)
    assert {getattr(each, group).name for each in trials} == choices
    assert {key.partition(".")[0] for key in varied(trials)} == {group, "seed"}


def test_the_rates_of_the_comparison_of_optimizers_are_the_posts() -> None:
    rates = {
        (t.optimizer.name, t.optimizer.lr, t.optimizer.te_lr) for t in trials_of("adamw_rates")
    }
    of_the_post = {
        (t.optimizer.name, t.optimizer.lr, t.optimizer.te_lr) for t in trials_of("adamw_vs_prodigy")
    }
    assert of_the_post == {("adamw", 1e-4, 3e-4), ("prodigy", 1.0, None)} < rates
    assert set(trials_of("adamw_vs_prodigy")) < set(trials_of("adamw_rates"))


def test_the_face_is_trained_at_rank_32_for_120_steps_per_picture_unless_a_file_says_else() -> None:
    expected = {
        "face": (32, 120, "none"),
        "face_75": (32, 75, "none"),
        "face_100": (32, 100, "none"),
        "face_rank4": (4, 120, "none"),
        "face_rank16": (16, 120, "none"),
        "face_rank64": (64, 120, "none"),
        "face_prior_generated": (32, 120, "generated"),
        "face_prior_real": (32, 120, "real"),
    }
    assert set(expected) == {name for name in EXPERIMENTS if name.startswith("face")}
    for name, values in expected.items():
        s = compose([f"experiment={name}"])
        assert (s.lora.rank, s.train.steps_per_image, s.prior.name) == values
        assert (s.dataset.set, s.train.max_train_steps, s.seed) == ("varied", None, 0)
        assert (s.optimizer.name, s.te_mode.name, s.schedule.name) == (
            "prodigy",
            "pivotal",
            "constant",
        )


@pytest.mark.parametrize("path", [f"experiment/{n}" for n in EXPERIMENTS] + [f"sweep/{n}" for n in SWEEPS])  # fmt: skip  # noqa: E501
def test_every_file_opens_with_the_words_of_the_post(path: str) -> None:
    text = (conf_dir() / f"{path}.yaml").read_text().removeprefix("# @package _global_\n")
    opening = " ".join(re.match(r"(# .*\n)+", text)[0].replace("# ", "").split())  # type: ignore[index]
    assert re.search(r'"[^"]{20,}"', opening.partition("python -m")[0])
