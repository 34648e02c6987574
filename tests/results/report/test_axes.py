from __future__ import annotations

import pytest

from lora_sweep.results.report.axes import (
    axes_of,
    group_trials,
    is_told,
    parse_override,
    values_by_override,
    values_by_setting,
)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("rank=4", ("rank", 4)),
        ("optimizer.lr=1e-4", ("optimizer.lr", 1e-4)),
        ("+extra=null", ("extra", None)),
        ("lora.use_dora=true", ("lora.use_dora", True)),
        ("dataset.instance_prompt='a=b'", ("dataset.instance_prompt", "'a=b'")),
        ("seed=", ("seed", "")),
    ],
)
def test_overrides_are_read_as_hydra_reads_them(
    override: str, expected: tuple[str, object]
) -> None:
    assert parse_override(override) == expected


def test_what_says_only_where_or_how_trials_run_makes_no_trial_another() -> None:
    silent = [
        "results.dir=x",
        "results.name=y",
        "sweep=z",
        "hydra.launcher.workers=2",
        "tracker=none",
    ]
    assert not any(map(is_told, silent))
    assert is_told("rank=4")


def test_the_overrides_that_differ_are_the_values_where_they_tell_trials_apart() -> None:
    asked = [["rank=4", "seed=0", "results.dir=a"], ["rank=8", "seed=0", "results.dir=b"]]
    assert values_by_override(asked) == [{"rank": 4}, {"rank": 8}]
    assert values_by_override([["seed=0"], ["seed=0"]]) is None
    assert values_by_override([["rank=4"], []]) == [{"rank": 4}, {}]


def test_settings_are_the_values_where_overrides_are_not_known() -> None:
    assert values_by_setting(
        [{"lora.rank": 4, "blocks": ["a"]}, {"lora.rank": 4, "blocks": None}]
    ) == [
        {"blocks": "[a]"},
        {"blocks": None},
    ]


def test_axes_have_numbers_by_size_words_as_asked_and_seeds_last() -> None:
    values = [
        {"seed": 1, "rank": 16, "optimizer": "prodigy"},
        {"seed": 0, "rank": 4, "optimizer": "adamw"},
        {"seed": 0, "rank": 4},
    ]
    axes = axes_of(values, {"optimizer": ["adamw", "prodigy"]})
    assert [(axis.name, axis.values) for axis in axes] == [
        ("optimizer", ("adamw", "prodigy", None)),
        ("rank", (4, 16)),
        ("seed", (0, 1)),
    ]
    assert [axis.is_seed for axis in axes] == [False, False, True]


def test_true_is_another_value_than_one() -> None:
    axes = axes_of([{"a": True}, {"a": 1}])
    assert len(group_trials([{"a": True}, {"a": 1}], axes)) == 2


def test_trials_that_differ_in_seeds_alone_are_one_group() -> None:
    values = [
        {"rank": rank, "seed": seed, "dataset.subset_seed": seed}
        for rank in (4, 8)
        for seed in (0, 1)
    ]
    assert group_trials(values, axes_of(values)) == [(0, 1), (2, 3)]
    assert group_trials([{}], []) == [(0,)]
