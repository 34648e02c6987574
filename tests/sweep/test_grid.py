"""The grid of a sweep: which trials the section `sweep` and the command line give together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from lora_sweep.config.sweep import Axis, sweep_from_plain
from lora_sweep.errors import SettingsError
from lora_sweep.sweep.grid import Grid, build_grid, expand

TIED: list[Any] = [{"a": ["1", "2", "2"], "b": "x,y,z"}]


def parse(lines: Sequence[str]) -> list[Axis]:
    """Comma lists alone: the grammar of the command line is Hydra's, and tested with it."""
    pairs = (line.partition("=") for line in lines)
    return [
        Axis((key,), tuple((v,) for v in values.split(",") if values)) for key, _, values in pairs
    ]


def grid_of(*asked: str, hydras: dict[str, str] | None = None, **section: Any) -> Grid:
    return build_grid(sweep_from_plain(section), asked, hydras or {}, parse)


def trials(*asked: str, **section: Any) -> list[str]:
    return [" ".join(overrides) for overrides in expand(grid_of(*asked, **section))[1]]


def refused(*asked: str, **section: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        trials(*asked, **section)
    return str(caught.value)


def test_the_last_axis_varies_fastest_and_those_of_the_section_come_first() -> None:
    expected = [f"a={a} b={b} c={c}" for a in (1, 2) for b in (3, 4) for c in (5, 6)]
    assert trials("c=5,6", params={"a": "1,2"}, hydras={"b": "3,4"}) == expected


def test_without_any_list_there_is_one_trial() -> None:
    assert trials() == [""]
    assert trials("a=1") == ["a=1"]


def test_a_key_of_the_command_line_takes_the_place_of_the_same_key_in_the_sweep() -> None:
    section: dict[str, Any] = {"params": {"a": "1,2", "b": "3,4"}}
    assert trials("a=9", **section) == ["a=9 b=3", "a=9 b=4"]
    assert trials("b=8,9", **section)[:2] == ["a=1 b=8", "a=1 b=9"]
    assert trials("b=7", params={"a": "1,2"}, hydras={"b": "3,4"}) == ["a=1 b=7", "a=2 b=7"]


def test_two_names_of_one_setting_are_one_key() -> None:
    assert trials("lora.rank=8", params={"rank": "4,16"}) == ["lora.rank=8"]
    assert "given twice" in refused("lora.rank=8", "rank=4,16")
    assert "given twice" in refused(params={"lora.rank": "8", "rank": "4"})


def test_of_a_single_value_given_twice_on_the_command_line_the_last_holds_as_in_hydra() -> None:
    assert trials("a=1", "b=2", "a=3") == ["a=3 b=2"]


def test_the_lines_about_the_sweep_itself_are_no_settings_of_a_trial() -> None:
    assert trials("sweep=x", "sweep.skip_invalid=true", "+sweep.params.b=2", "a=1") == ["a=1"]
    assert "one set of trials at a time" in refused("sweep=x,y")
    assert "must be one value" in refused("sweep.max_failures=1,2")


def test_tied_keys_vary_together() -> None:
    assert trials(tied=TIED, params={"c": "5,6"})[::2] == ["c=5 a=1 b=x", "c=5 a=2 b=z",
                                                          "c=6 a=2 b=y"]  # fmt: skip
    assert trials(tied=TIED) == ["a=1 b=x", "a=2 b=y", "a=2 b=z"]


def test_a_tied_key_on_the_command_line_keeps_the_rows_with_its_values() -> None:
    assert trials("a=2", tied=TIED) == ["a=2 b=y", "a=2 b=z"]
    assert trials("b=z,x", tied=TIED) == ["a=1 b=x", "a=2 b=z"]
    assert trials("a=2.0", tied=TIED) == ["a=2 b=y", "a=2 b=z"]


def test_all_tied_keys_on_the_command_line_are_tied_no_more() -> None:
    assert trials("a=7,8", "b=9", tied=TIED) == ["a=7 b=9", "a=8 b=9"]


def test_a_value_that_a_tied_key_has_in_no_row_is_refused_with_what_to_do() -> None:
    said = refused("a=5", tied=TIED)
    assert "a=5: a is tied to b" in said and "values 1, 2;" in said and "give b as well" in said


def test_tied_lists_of_different_lengths_are_refused_with_their_lengths() -> None:
    assert "sweep.tied[0]: a has 2, b has 3; tied keys" in refused(
        tied=[{"a": "1,2", "b": "1,2,3"}]
    )


@pytest.mark.parametrize(
    "section",
    [
        {"params": {"a": "1"}, "tied": [{"a": "1,2", "b": "1,2"}]},
        {"tied": [{"a": "1,2", "b": "1,2"}, {"b": "1", "c": "2"}]},
        {"params": {"a": "1"}, "hydras": {"a": "2"}},
    ],
)
def test_a_key_that_is_written_twice_is_refused(section: dict[str, Any]) -> None:
    assert "is given twice" in refused(**section)


@pytest.mark.parametrize("section", [{"params": {"a": ""}}, {"tied": [{"a": []}]}])
def test_an_axis_without_values_is_refused(section: dict[str, Any]) -> None:
    assert "must have at least one" in refused(**section)
    assert "a: names no values" in refused("a=")


def test_a_trial_with_all_pairs_of_an_exclusion_is_left_out_and_counted() -> None:
    section: dict[str, Any] = {"params": {"a": "1,2", "b": "3,4"}}
    grid, left = expand(grid_of(**section, exclude=[{"a": 1.0, "b": 4}]))
    assert [" ".join(each) for each in left] == ["a=1 b=3", "a=2 b=3", "a=2 b=4"]
    assert grid.excluded == 1
    assert trials(**section, exclude=[{"a": "1,2", "b": "4"}]) == ["a=1 b=3", "a=2 b=3"]
    assert trials(**section, exclude=[{"a": 1, "b": 3}, {"b": 4}]) == ["a=2 b=3"]


def test_an_exclusion_that_matches_nothing_is_refused() -> None:
    section: dict[str, Any] = {"params": {"a": "1,2", "b": "3,4"}}
    assert "no trial of the sweep has these" in refused(**section, exclude=[{"a": 1, "b": 5}])
    assert "c is not set in this sweep" in refused(**section, exclude=[{"a": 1, "c": 5}])
    assert "leaves none of the 4 trials" in refused(**section, exclude=[{"a": "1,2"}])


def test_an_exclusion_may_match_nothing_once_the_command_line_narrows_its_keys() -> None:
    section: dict[str, Any] = {"params": {"a": "1,2", "b": "3,4"}, "exclude": [{"a": 1, "b": 4}]}
    assert trials("a=2", **section) == ["a=2 b=3", "a=2 b=4"]


def test_an_exclusion_on_the_command_line_is_meant_for_the_keys_beside_it() -> None:
    section: dict[str, Any] = {"params": {"a": "1,2"}, "exclude": [{"b": 9}]}
    assert "no trial of the sweep has" in refused("b=3,4", "sweep.exclude=[{b:9}]", **section)


def test_a_sweep_of_more_than_a_million_trials_is_refused_before_it_is_written_out() -> None:
    many = ",".join(map(str, range(101)))
    assert "101 x 101 x 101 trials" in refused(f"a={many}", f"b={many}", f"c={many}", "d=1")


@pytest.mark.parametrize(
    "key", ["sweep", "sweep.name", "hydra.job.name", "hydra/launcher", "~a", "a=b"]
)
def test_only_settings_of_a_trial_can_be_swept(key: str) -> None:
    assert "must name a setting or a group" in refused(params={key: "1"})


def test_a_value_of_a_tied_list_is_one_value() -> None:
    assert "is one of several values" in refused(tied=[{"a": ["1,2", "3"], "b": ["1", "2"]}])


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"params": [1]}, "sweep.params=[1]: must be a mapping"),
        ({"params": {"a": {"b": 1}}}, "sweep.params.a: must be values"),
        ({"tied": "a"}, "sweep.tied=a: must be a list of mappings"),
        ({"tied": ["a"]}, "sweep.tied[0]=a: must be a mapping"),
        ({"exclude": [{}]}, "sweep.exclude[0] is empty"),
        ({"max_failures": 0}, "sweep.max_failures=0: must be at least 1"),
    ],
)
def test_a_section_of_another_shape_is_refused(section: dict[str, Any], said: str) -> None:
    assert said in refused(**section)


def test_values_of_yaml_are_written_as_on_a_command_line() -> None:
    tied: list[Any] = [{"a": [None, True, 1e-4, [1, "x"], "text"]}]
    assert sweep_from_plain({"tied": tied}).tied[0]["a"] == (
        "null",
        "true",
        "0.0001",
        "[1,x]",
        "text",
    )


def test_what_a_sweep_was_asked_for_is_told_by_axis() -> None:
    grid = grid_of("c=1", name="n", params={"d": "5,6"}, tied=TIED)
    assert grid.about() == {
        "name": "n",
        "fixed": ["c=1"],
        "axes": {"d": ["5", "6"], "a": ["1", "2"], "b": ["x", "y", "z"]},
        "tied": [["a", "b"]],
        "excluded": 0,
    }
