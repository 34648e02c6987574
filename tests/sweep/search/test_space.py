"""Search spaces: from YAML and the command line to the trials that they can suggest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from lora_sweep.config.compose import compose, conf_dir
from lora_sweep.config.dimension import parse_dimensions, parse_line
from lora_sweep.config.schema import register
from lora_sweep.config.study import Choice, Number, Study, study_from_plain
from lora_sweep.errors import SettingsError
from lora_sweep.sweep.search.build_space import build_space, enqueued
from lora_sweep.sweep.search.space import Space

DEFAULTS = {"te_mode": "pivotal", "optimizer": "prodigy", "seed": "0"}


def space_of(
    space: Mapping[str, Any],
    when: Mapping[str, Any] | None = None,
    asked: Sequence[str] = (),
    **more: Any,
) -> tuple[Study, Space]:
    study = study_from_plain({"name": "a", **more, "space": space, "when": when or {}})
    register()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        problems: list[str] = []
        lines = [parse_line(loader, line, problems) for line in asked]
        assert problems == []
        built = build_space(study, lines, partial(parse_dimensions, loader), DEFAULTS.get)
    return study, built


def refused(*args: Any, **more: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        study, space = space_of(*args, **more)
        enqueued(study, space)
    return str(caught.value)


def test_hydras_words_become_choices_and_numbers() -> None:
    _, space = space_of(
        {
            "rank": "4,8",
            "snr": "choice(none,gamma5)",
            "optimizer.lr": "tag(log, interval(1e-5, 1e-3))",
            "lora.alpha": "interval(1, 64)",
            "seed": "range(0, 10, 3)",
            "te_mode.frac": "range(0.2, 0.75, 0.1)",
            "te_mode.num_new_tokens": "int(interval(1, 4))",
            "train.batch_size": "tag(int, log, interval(1, 8))",
            "train.max_train_steps": ["100", "200"],
        }
    )
    assert space.dimensions == {
        "rank": Choice((4, 8), ("4", "8")),
        "snr": Choice(("none", "gamma5"), ("none", "gamma5")),
        "optimizer.lr": Number(1e-5, 1e-3, log=True),
        "lora.alpha": Number(1.0, 64.0),
        "seed": Number(0, 9, 3, whole=True),
        "te_mode.frac": Number(0.2, pytest.approx(0.7), 0.1),  # type: ignore[arg-type]
        "te_mode.num_new_tokens": Number(1, 4, 1, whole=True),
        "train.batch_size": Number(1, 8, 1, log=True, whole=True),
        "train.max_train_steps": Choice((100, 200), ("100", "200")),
    }


def test_one_value_is_fixed_and_no_dimension_of_the_search() -> None:
    _, space = space_of({"rank": "4,8", "train.batch_size": "2"})
    assert list(space.varied) == ["rank"]
    assert space.overrides({"rank": 8}) == ["rank=8", "train.batch_size=2"]


WHEN = {
    "optimizer=adamw": {"optimizer.lr": "tag(log, interval(1e-5, 1e-3))"},
    "te_mode=pivotal": {"te_mode.frac": "0.3,0.5"},
}


def test_a_trial_has_the_dimensions_whose_conditions_hold() -> None:
    _, space = space_of({"optimizer": "adamw,prodigy", "te_mode": "lora,pivotal"}, WHEN)
    assert space.has_conditions
    point = {"optimizer": "adamw", "te_mode": "lora", "optimizer.lr": 2e-4}
    assert space.overrides(point) == ["optimizer=adamw", "te_mode=lora", "optimizer.lr=0.0002"]
    point = {"optimizer": "prodigy", "te_mode": "pivotal", "te_mode.frac": 0.5}
    assert space.overrides(point) == ["optimizer=prodigy", "te_mode=pivotal", "te_mode.frac=0.5"]


def test_a_condition_on_what_is_not_varied_looks_at_the_command_line_and_the_defaults() -> None:
    _, space = space_of({"rank": "4,8"}, WHEN)
    assert space.overrides({"rank": 4, "te_mode.frac": 0.3}) == ["rank=4", "te_mode.frac=0.3"]
    _, space = space_of({"rank": "4,8"}, WHEN, ["te_mode=lora", "optimizer=adamw"])
    assert space.overrides({"rank": 4, "optimizer.lr": 1e-4}) == [
        "te_mode=lora", "optimizer=adamw", "rank=4", "optimizer.lr=0.0001",
    ]  # fmt: skip


def test_the_command_line_takes_the_place_of_a_key_in_its_condition() -> None:
    asked = ["optimizer.lr=1e-4,2e-4", "lora.rank=16", "te_mode.frac=0.5", "seed=0,1", "snr=gamma5"]
    _, space = space_of({"optimizer": "adamw,prodigy", "rank": "4,8"}, WHEN, asked)
    assert space.parts[1].dimensions["optimizer.lr"] == Choice((1e-4, 2e-4), ("0.0001", "0.0002"))
    assert space.fixed == ("snr=gamma5",)
    assert list(space.varied) == ["optimizer", "seed", "optimizer.lr"]
    point = {"optimizer": "prodigy", "seed": 1}
    assert space.overrides(point) == [
        "snr=gamma5", "optimizer=prodigy", "rank=16", "seed=1", "te_mode.frac=0.5",
    ]  # fmt: skip


def test_every_point_of_a_finite_space_is_counted_once() -> None:
    when = {"optimizer=adamw": {"optimizer.lr": "1e-4,2e-4"}}
    _, space = space_of({"optimizer": "adamw,prodigy", "seed": "range(0,3)"}, when)
    points = list(space.points())
    assert space.is_finite and len(points) == 3 * 2 + 3
    assert len({tuple(space.overrides(point)) for point in points}) == 9


def test_points_to_begin_with_are_taken_as_the_space_writes_them() -> None:
    point = {"lora.rank": "8", "optimizer": "adamw", "optimizer.lr": "1e-4"}
    study, space = space_of({"optimizer": "adamw,prodigy", "rank": "4,8"}, WHEN, enqueue=[point])
    assert enqueued(study, space) == [{"rank": 8, "optimizer": "adamw", "optimizer.lr": 1e-4}]


def test_a_narrower_space_leaves_out_points_and_conditions_that_it_rules_out() -> None:
    points = [{"rank": 8, "optimizer": "adamw"}, {"rank": 4, "optimizer": "prodigy"}]
    written = {"optimizer": "adamw,prodigy", "rank": "4,8"}
    study, space = space_of(written, WHEN, ["optimizer=prodigy"], enqueue=points)
    assert enqueued(study, space) == [{"rank": 4, "optimizer": "prodigy"}]
    assert list(space.varied) == ["rank", "optimizer.lr", "te_mode.frac"]
    assert space.overrides({"rank": 4, "te_mode.frac": 0.5})[:2] == ["optimizer=prodigy", "rank=4"]


def test_an_empty_space_is_refused() -> None:
    assert "study.space is empty" in refused({})
    assert "study.space is empty" in refused({"rank": "4"})
    assert "study.space is empty" in refused({"rank": "4,8"}, asked=["rank=4"])


def test_one_name_on_two_scales_is_refused() -> None:
    when = {
        "optimizer=adamw": {"optimizer.lr": "tag(log, interval(1e-5, 1e-3))"},
        "optimizer=prodigy": {"optimizer.lr": "interval(0.5, 2)"},
    }
    message = refused({"optimizer": "adamw,prodigy"}, when)
    assert "optimizer.lr is on two scales" in message
    assert "[optimizer=adamw]" in message and "[optimizer=prodigy]" in message
    when["optimizer=prodigy"] = {"optimizer.lr": "tag(log, interval(0.5, 2))"}
    space_of({"optimizer": "adamw,prodigy"}, when)


@pytest.mark.parametrize(
    ("space", "when", "told"),
    [
        ({"rank": "4,8", "lora.rank": "interval(1,4)"}, {}, "rank and lora.rank are one setting"),
        ({"optimizer": "adamw,prodigy", "optimizer.lr": "1,2"}, WHEN, "lr is given twice"),
        ({"rank": "interval(8, 4)"}, {}, "low end below its high end"),
        ({"optimizer.lr": "tag(log, interval(0, 1))"}, {}, "must be above 0"),
        ({"rank": "tag(log, range(4, 33, 4))"}, {}, "steps and the tag log"),
        ({"rank": "tag(lin, interval(4, 33))"}, {}, "there is no tag lin"),
        ({"rank": "range(4, 4)"}, {}, "has no values"),
        ({"rank": "choice("}, {}, "study.space.rank"),
        ({"rank": "4,8", "hydra.verbose": "true,false"}, {}, "must name a setting"),
        ({"optimizer": "adamw,prodigy"}, {"optimizer=adam": {"seed": "0,1"}}, "never holds"),
        ({"rank": "4,8"}, {"optimiser=adamw": {"seed": "0,1"}}, "neither in the space nor"),
        ({"rank": "4,8"}, {"optimizer": {"seed": "0,1"}}, "must be conditions such as"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_refused(space: Any, when: Any, told: str) -> None:
    assert told in refused(space, when)


@pytest.mark.parametrize(
    ("point", "told"),
    [
        ({"rank": 5}, "must be in the space: 4,8"),
        ({"snr": "none"}, "is no key of the space; its keys are rank, optimizer.lr"),
        ({"optimizer.lr": 1.0}, "must be in the space: tag(log,interval(1e-05,0.001))"),
        ({"optimizer.lr": "fast"}, "must be in the space"),
    ],
)  # fmt: skip
def test_points_outside_the_space_are_refused(point: Any, told: str) -> None:
    space = {"rank": "4,8", "optimizer.lr": "tag(log, interval(1e-5, 1e-3))"}
    assert told in refused(space, enqueue=[point])


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({"trials": 0}, "study.trials=0: must be at least 1"),
        ({"name": "a/b"}, "study.name=a/b"),
        ({"sampler": [1]}, "study.sampler=[1]: must be a name"),
        ({"rungs": [0, 5]}, "study.rungs=[0,5]: must be steps of at least 1"),
        ({"heartbeat": 0}, "study.heartbeat=0"),
        ({"enqueue": [{}]}, "study.enqueue=[{}]: must be a list of points"),
        ({"space": ["rank"]}, "study.space=[rank]: must be a mapping"),
        ({"when": ["rank"]}, "study.when=[rank]: must be a mapping"),
        ({"seed": -1}, "study.seed=-1"),
    ],
)  # fmt: skip
def test_a_section_that_cannot_be_read_is_refused(section: Any, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        study_from_plain({"name": "a", **section})
    assert told in str(caught.value)


@pytest.mark.parametrize("name", ["fast", "subject_fidelity", "fidelity_and_prompt"])
def test_the_studies_of_conf_have_spaces_whose_trials_are_possible(name: str) -> None:
    import yaml

    from lora_sweep.config import problems
    from lora_sweep.sweep.search.plan import probes

    section = yaml.safe_load((conf_dir() / "study" / f"{name}.yaml").read_text(encoding="utf-8"))
    study, space = space_of(section.pop("space"), section.pop("when"), **section)
    points = enqueued(study, space)
    assert points
    for point in probes(space, points)[::3]:
        assert problems(compose(space.overrides(point))) == []
