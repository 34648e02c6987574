"""The steps that are measured tell enough of all others, and are few."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from keyed import cost, key

from lora_sweep.sweep.cost.choose import Candidate, telling
from lora_sweep.sweep.cost.infer import StepCosts
from lora_sweep.sweep.cost.keys import StepKey


def candidate(*keys: StepKey, steps: int = 100) -> Candidate:
    request: Any = None  # is only handed on
    return Candidate(request, keys, steps)


def grid(**axes: list[Any]) -> list[Candidate]:
    rows = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    return [candidate(key(**row)) for row in rows]


def additive(asked: StepKey) -> float:
    """Seconds by the rule: a part for each row, each rank, each setting."""
    settings = {"adamw": 0.0, "prodigy": 0.3, "adafactor": 0.7}[asked.optimizer]
    return 0.5 + asked.rows_per_step + asked.rank / 8 + settings + 2 * asked.checkpointing


axes = st.fixed_dictionaries(
    {
        "rows": st.lists(st.integers(1, 16), min_size=1, max_size=4, unique=True),
        "rank": st.lists(st.integers(1, 64), min_size=1, max_size=4, unique=True),
        "optimizer": st.lists(
            st.sampled_from(["adamw", "prodigy", "adafactor"]), min_size=1, unique=True
        ),
        "checkpointing": st.lists(st.booleans(), min_size=1, unique=True),
    }
)


@given(axes)
def test_what_is_chosen_tells_every_step_of_a_grid(axes: dict[str, list[Any]]) -> None:
    candidates = grid(**axes)
    chosen = telling(candidates, known=())
    keys = [each.keys[0] for each in chosen]
    costs = StepCosts(replace(cost(additive(k)), key=k, rows=float(k.rows_per_step)) for k in keys)
    for each in candidates:
        (asked,) = each.keys
        found = costs.expect(asked, asked.rows_per_step)
        assert found is not None and abs(found.seconds - additive(asked)) < 1e-9


@given(axes)
def test_few_are_chosen_and_none_twice(axes: dict[str, list[Any]]) -> None:
    chosen = telling(grid(**axes), known=())
    first = chosen[0].keys[0]
    news = {name: {min(axes[name]), max(axes[name])} for name in ("rows", "rank")}
    news |= {name: set(axes[name]) for name in ("optimizer", "checkpointing")}
    # After the first, one for each other value that something has to be inferred from.
    assert len(chosen) == 1 + sum(
        len(values - {getattr(first, name)}) for name, values in news.items()
    )
    assert len({each.keys for each in chosen}) == len(chosen)


def test_the_one_with_the_most_steps_comes_first() -> None:
    most = candidate(key(rank=32), steps=900)
    assert telling([candidate(key()), most, candidate(key(rank=4))], known=())[0] is most


def test_what_is_known_is_not_measured_again() -> None:
    candidates = grid(optimizer=["adamw", "prodigy"])
    assert telling(candidates, known=[key(), key(optimizer="prodigy")]) == []
    (left,) = telling(candidates, known=[key()])
    assert left.keys == (key(optimizer="prodigy"),)


def test_rows_are_measured_for_each_te_mode() -> None:
    def both(te_mode: str, rows: int) -> Candidate:
        return candidate(key(te_mode=te_mode, rows=rows, texts=rows), key(rows=rows))

    candidates = [both(te_mode, rows) for te_mode in ("lora", "pivotal") for rows in (1, 2, 4)]
    chosen = {(each.keys[0].te_mode, each.keys[0].rows) for each in telling(candidates, known=())}
    assert chosen == {(te_mode, rows) for te_mode in ("lora", "pivotal") for rows in (1, 4)}
