"""What is in a stage's key, what is not, and where the pivot lies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from specs import spec

from lora_sweep.config.ranges import SCHEDULES
from lora_sweep.config.settings import (
    Adafactor,
    AdamW,
    Dataset,
    Evaluate,
    Lora,
    Pivotal,
    PivotRounding,
    Prior,
    PriorGenerated,
    PriorReal,
    Schedule,
    Settings,
    TeFull,
    TeLora,
    TeMode,
    Train,
)
from lora_sweep.data.examples import Example, Examples
from lora_sweep.sweep import stages as stages_module
from lora_sweep.sweep.request import TrialRequest
from lora_sweep.sweep.stages import SCHEDULE_DETAILS, Stage, pivot_of, spec_of, stages

STEPS = Train(max_train_steps=1000)


def stages_of(te_mode: TeMode | None = None, **sections: Any) -> tuple[Stage, ...]:
    sections = {"train": STEPS, "te_mode": te_mode or Pivotal(), **sections}
    return stages(spec(Settings(**sections)))


def ranges(found: tuple[Stage, ...]) -> list[tuple[int, int, bool]]:
    return [(stage.start, stage.stop, stage.text_trains) for stage in found]


def first_key(**sections: Any) -> str:
    return stages_of(**sections)[0].key


@pytest.mark.parametrize("te_mode", [Pivotal(frac=0.3), TeLora(frac=0.3), TeFull(frac=0.3)])
def test_a_pivot_cuts_a_trial_into_two_stages(te_mode: TeMode) -> None:
    assert ranges(stages_of(te_mode)) == [(0, 300, True), (300, 1000, False)]


@pytest.mark.parametrize("te_mode", [Pivotal(frac=1.0), TeLora(), TeFull()])
def test_a_pivot_at_the_very_end_leaves_one_stage(te_mode: TeMode) -> None:
    assert ranges(stages_of(te_mode)) == [(0, 1000, True)]


@pytest.mark.parametrize("te_mode", [Pivotal(), TeLora(), TeFull()])
def test_a_text_rate_of_0_leaves_no_pivot(te_mode: TeMode) -> None:
    assert ranges(stages_of(te_mode, optimizer=AdamW(te_lr=0.0))) == [(0, 1000, False)]


def test_a_frozen_text_side_has_no_pivot() -> None:
    assert ranges(stages_of(TeMode())) == [(0, 1000, False)]


@pytest.mark.parametrize(
    ("num_class", "size", "accumulation", "pivot"),
    # 450 steps, rounded to epochs of 100, 150, 50, 25 steps; without class pictures, of 12
    [(100, 1, 1, 200), (150, 1, 1, 150), (100, 2, 1, 200), (100, 2, 2, 225), (0, 1, 1, 228)],
)
def test_the_epochs_that_the_pivot_is_rounded_to_are_those_of_the_data(
    num_class: int, size: int, accumulation: int, pivot: int
) -> None:
    mode = Pivotal(pivot_rounding=PivotRounding.epoch)
    train = Train(450, batch_size=size, gradient_accumulation_steps=accumulation)
    trial = spec(Settings(dataset=Dataset(repeats=2), te_mode=mode, train=train), num_pictures=6)
    assert pivot_of(replace(trial, num_class_pictures=num_class)) == pivot


def test_the_number_of_steps_is_not_in_a_key_while_the_rate_is_constant() -> None:
    for name in ("constant", "constant_with_warmup"):
        schedule = Schedule(name, warmup_steps=5)
        keys = {first_key(train=Train(steps), schedule=schedule) for steps in (100, 200, 300)}
        assert len(keys) == 1


@pytest.mark.parametrize("name", sorted({*SCHEDULES} - {"constant", "constant_with_warmup"}))
def test_the_number_of_steps_is_in_the_key_when_the_schedule_looks_at_it(name: str) -> None:
    keys = {first_key(train=Train(steps), schedule=Schedule(name)) for steps in (100, 200, 300)}
    assert len(keys) == 3


def test_steps_per_picture_are_steps() -> None:
    per_picture = stages(spec(Settings(train=Train(steps_per_image=10)), num_pictures=6))
    assert per_picture == stages(spec(Settings(train=Train(60)), num_pictures=6))


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize(
    ("detail", "value"), [("warmup_steps", 7), ("num_cycles", 3), ("power", 2.0)]
)
def test_a_detail_of_the_schedule_is_in_the_key_exactly_if_it_changes_a_rate(
    name: str, detail: str, value: Any
) -> None:
    from lora_sweep.training.schedule import lr_factor

    plain = Schedule(name)
    changed = replace(plain, **{detail: value})
    before, after = lr_factor(plain, 20), lr_factor(changed, 20)
    has_effect = any(before(step) != after(step) for step in range(20))
    assert (first_key(schedule=plain) != first_key(schedule=changed)) is has_effect


def test_every_schedule_is_known() -> None:
    assert set(SCHEDULE_DETAILS) == set(SCHEDULES)


def test_the_stage_after_the_pivot_has_the_pivot_in_its_key() -> None:
    early, late = stages_of(Pivotal(frac=0.2)), stages_of(Pivotal(frac=0.4))
    assert early[0].key == late[0].key and early[1].key != late[1].key


def test_equal_pivots_of_trials_of_other_lengths_give_equal_keys() -> None:
    # 150 class pictures make an epoch of 150 steps: 4 and 5 epochs have their half at step 300.
    mode, prior = Pivotal(pivot_rounding=PivotRounding.epoch), PriorReal(num_class_images=150)
    short, long = (stages_of(mode, prior=prior, train=Train(steps)) for steps in (600, 720))
    assert [stage.key for stage in short] == [stage.key for stage in long]
    assert ranges(long) == [(0, 300, True), (300, 720, False)]


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 1},
        {"lora": Lora(rank=8)},
        {"optimizer": AdamW(te_lr=1e-5)},
        {"optimizer": Adafactor()},
        {"dataset": Dataset(repeats=2)},
        {"train": Train(1000, batch_size=2)},
        {"prior": PriorGenerated()},
        {"te_mode": TeLora()},
        {"te_mode": Pivotal(num_new_tokens=1)},
    ],
    ids=str,
)
def test_what_changes_the_first_step_changes_the_first_key(changed: dict[str, Any]) -> None:
    assert first_key(**changed) != first_key()


@pytest.mark.parametrize(
    "changed",
    [
        {"train": replace(STEPS, checkpoint_every=3)},
        {"evaluate": Evaluate(every=7)},
        {"lora": Lora(alpha=16)},
        {"optimizer": AdamW(te_lr=1e-4)},
    ],
    ids=str,
)
def test_what_changes_no_step_changes_no_key(changed: dict[str, Any]) -> None:
    assert stages_of(**changed) == stages_of()


def test_the_text_sides_rate_does_not_matter_when_nothing_of_it_trains() -> None:
    other = AdamW(te_lr=3e-4, te_weight_decay=0.1)
    assert stages_of(TeMode(), optimizer=other) == stages_of(TeMode())


def test_other_pictures_another_base_or_another_meaning_of_training_change_the_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings(train=STEPS)
    trials = [spec(settings), spec(settings, data="x"), spec(settings, base="x")]
    keys = {stages(trial)[0].key for trial in trials}
    monkeypatch.setattr(stages_module, "TRAINING_VERSION", 0)
    assert len({*keys, stages(trials[0])[0].key}) == 4


def test_a_spec_counts_the_pictures_that_are_trained_on() -> None:
    def examples(count: int, digest: str = "0") -> tuple[Example, ...]:
        return tuple(Example(Path(), str(i), digest, "train", (64, 64)) for i in range(count))

    def request(prior: Prior, *class_pictures: Example) -> TrialRequest:
        pictures = Examples("huggy", examples(6), examples(2))
        settings = Settings(prior=prior, train=STEPS)
        return TrialRequest("id", settings, pictures, class_pictures, "base", 1000)

    real = spec_of(request(PriorReal(num_class_images=100), *examples(40)))
    other = spec_of(request(PriorReal(num_class_images=100), *examples(40, digest="1")))
    drawn = spec_of(request(PriorGenerated(num_class_images=100)))
    assert (real.num_pictures, real.num_class_pictures) == (6, 40)  # no more are there
    assert drawn.num_class_pictures == 100
    assert real.dataset_hash != other.dataset_hash
    assert real.settings.lora.alpha == 16


def test_an_epoch_of_several_buckets_moves_a_pivot_that_goes_by_epochs() -> None:
    settings = Settings(
        te_mode=Pivotal(pivot_rounding=PivotRounding.epoch),
        train=Train(max_train_steps=20, batch_size=4),
    )
    plain = spec(settings, num_pictures=8)
    # Two steps an epoch, ten epochs, half of them: step 10. With 5 + 3 rows: 2 + 1 steps, 7 epochs.
    assert pivot_of(plain) == 10
    assert pivot_of(replace(plain, lengths=(5, 3))) == 9
