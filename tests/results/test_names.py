from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lora_sweep.config.settings import (
    AdamW,
    Dataset,
    Evaluate,
    Lora,
    Prodigy,
    Results,
    Settings,
    Snr,
    Train,
    Wandb,
)
from lora_sweep.results.names import TrialName, group_name, names_of, shortened

GRID = {
    f"{optimizer.name}{rank}": Settings(
        optimizer=optimizer, lora=Lora(rank=rank), evaluate=Evaluate(every=rank)
    )
    for rank in (4, 16)
    for optimizer in (Prodigy(), AdamW(lr=2e-4))
}


def texts(trials: dict[str, Settings], asked: dict[str, list[str]] | None = None) -> list[str]:
    return [name.name for name in names_of(trials, asked).values()]


def test_a_name_tells_only_what_varies_and_can_change_the_adapter() -> None:
    assert texts(GRID) == [
        "optimizer=prodigy rank=4",
        "optimizer=adamw rank=4",
        "optimizer=prodigy rank=16",
        "optimizer=adamw rank=16",
    ]
    assert names_of(GRID)["adamw16"].tags == ("optimizer=adamw", "rank=16")


def test_settings_are_called_by_their_last_word_unless_two_would_be_the_same() -> None:
    first = Settings(snr=Snr(5.0), train=Train(noise_offset=0.1))
    second = replace(Settings(), seed=1, train=Train(batch_size=2))
    assert texts({"a": first, "b": second})[0] == "snr=5.0"  # the others follow from it
    trials = {
        f"{seed}{subset}": Settings(seed=seed, dataset=Dataset(subset_seed=subset))
        for seed in (0, 1)
        for subset in (0, 1)
    }
    assert texts(trials)[1] == "subset_seed=1 seed=0"


def test_trials_are_named_in_the_words_they_were_asked_for_with() -> None:
    asked = {
        id_: [f"experiment=y2k_v{n}", f"+train.repeats={n}", "hydra.verbose=true", "seed=3"]
        for n, id_ in enumerate(GRID)
    }
    names = names_of(GRID, asked)
    assert names["adamw4"] == TrialName("experiment=y2k_v1", ("experiment=y2k_v1", "repeats=1"))


def test_words_that_do_not_tell_the_trials_apart_are_not_used() -> None:
    asked = {id_: ["rank=4"] if id_.endswith("4") else ["rank=16"] for id_ in GRID}
    assert texts(GRID, asked) == texts(GRID)


def test_trials_that_differ_in_their_pictures_alone_are_told_apart_by_id() -> None:
    trials = {
        id_: Settings(dataset=Dataset(path=f"/{id_}/cats"), results=Results(dir=id_))
        for id_ in ("aa", "bb")
    }
    assert texts(trials) == ["path=cats aa", "path=cats bb"]


def test_a_lone_trial_and_equal_ones_have_no_name_of_their_own() -> None:
    assert names_of({"a": Settings()}) == {"a": TrialName()}
    assert names_of({}) == {}
    assert texts({"a": Settings(), "b": Settings(tracker=Wandb())}) == ["a", "b"]


@pytest.mark.parametrize("text", ["x" * 5000, "🙂" * 300, "a\n\x00b:;,#?/'" * 50, "é", "/" * 90])
def test_whatever_the_values_are_names_are_bounded_distinct_and_on_one_line(text: str) -> None:
    trials = {
        f"id{n}": Settings(
            dataset=Dataset(instance_prompt=f"{text} {n}", class_noun=f"{text}{n % 2}"),
            train=Train(batch_size=1 + n),
        )
        for n in range(4)
    }
    names = list(names_of(trials).values())
    assert len({name.name for name in names}) == 4
    for name in names:
        assert 1 <= len(name.name) <= 120
        assert name.name.isprintable()
        assert all(1 <= len(tag) <= 64 and tag.isprintable() for tag in name.tags)
    assert len({name.tags for name in names}) == 4


def test_long_texts_that_differ_at_the_end_stay_different() -> None:
    first, second = (shortened("x" * 100 + end, 30) for end in "ab")
    assert len(first) == len(second) == 30
    assert first != second


def test_a_name_survives_json() -> None:
    name = TrialName("rank=4", ("rank=4", "é"))
    assert TrialName.from_plain(json.loads(json.dumps(name.to_plain()))) == name


def test_a_sweep_is_called_as_asked_or_as_its_folder() -> None:
    names = names_of(GRID)
    assert group_name("huggy", Path("multirun/2026-01-01/12-30-11"), names) == "huggy"
    assert group_name(None, Path("multirun/ranks"), names) == "ranks"
    assert len(group_name("x" * 300, Path(), names)) == 128


def test_a_sweep_without_a_name_keeps_its_group_when_it_is_started_again() -> None:
    names = names_of(GRID)
    first = group_name(None, Path("multirun/2026-01-01/12-30-11"), names)
    again = dict(reversed(names.items()))
    assert first.startswith("optimizer-rank-")
    assert group_name(None, Path("multirun/2026-01-02/09-00-00"), again) == first
    fewer = {id_: names[id_] for id_ in list(names)[:3]}
    assert group_name(None, Path("multirun/2026-01-01/12-30-11"), fewer) != first
