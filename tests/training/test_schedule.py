"""Learning-rate factors against diffusers' schedulers, the pivot against the script's formula."""

from __future__ import annotations

import pytest
import torch
from diffusers.optimization import get_scheduler

from lora_sweep.config.ranges import SCHEDULES
from lora_sweep.config.resolve import pivot_step
from lora_sweep.config.settings import PivotRounding, Schedule
from lora_sweep.training.schedule import lr_factor


@pytest.mark.parametrize("warmup", [0, 5])
@pytest.mark.parametrize("name", SCHEDULES)
def test_the_factor_is_diffusers_schedule_at_every_step(name: str, warmup: int) -> None:
    settings = Schedule(name=name, warmup_steps=warmup, num_cycles=3, power=2.0)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
    scheduler = get_scheduler(
        name,
        optimizer,
        num_warmup_steps=warmup,
        num_training_steps=40,
        num_cycles=3,
        power=2.0,
    )
    factor = lr_factor(settings, 40)
    for step in range(41):
        # abs: diffusers' polynomial ends at a rate of 1e-7, whatever the first rate is
        rate = optimizer.param_groups[0]["lr"]
        assert 0.3 * factor(step) == pytest.approx(rate, rel=1e-6, abs=1e-7)
        optimizer.step()
        scheduler.step()


def test_a_factor_depends_on_the_step_alone() -> None:
    factor = lr_factor(Schedule(name="cosine"), 10)
    assert [factor(k) for k in (7, 2, 7)] == [factor(7), factor(2), factor(7)]


def test_a_constant_rate_does_not_look_at_the_number_of_steps() -> None:
    for name in ("constant", "constant_with_warmup"):
        schedule = Schedule(name=name, warmup_steps=3)
        short, long = lr_factor(schedule, 10), lr_factor(schedule, 1000)
        assert [short(k) for k in range(10)] == [long(k) for k in range(10)]


@pytest.mark.parametrize(
    ("frac", "steps", "expected"),
    [(0.5, 1000, 500), (0.5, 1800, 900), (0.5, 25, 13), (0.3, 10, 3), (1.0, 7, 7), (0.01, 10, 0)],
)
def test_the_exact_pivot_is_the_nearest_step_to_the_share(
    frac: float, steps: int, expected: int
) -> None:
    assert pivot_step(frac, steps, PivotRounding.exact, 8) == expected


@pytest.mark.parametrize(
    ("items", "batch", "steps", "expected"),
    [
        # 31 pictures: batch 1 and 4, 1000, 1500 and 1800 steps
        (31, 1, 1000, 496),
        (31, 1, 1500, 744),
        (31, 1, 1800, 899),
        (31, 4, 1000, 496),
        (31, 4, 1500, 752),
        (31, 4, 1800, 896),
        # 27 pictures
        (27, 1, 500, 243),
        (27, 1, 1000, 513),
        (27, 1, 1500, 756),
        # 100 or 150 class pictures make the epoch
        (100, 1, 450, 200),
        (100, 1, 600, 300),
        (100, 1, 720, 400),
        (150, 1, 450, 150),
        (150, 1, 600, 300),
        (150, 1, 720, 300),
        # one epoch: the text side never trains
        (600, 1, 500, 0),
    ],
)
def test_the_epoch_pivot_is_the_start_of_the_scripts_pivot_epoch(
    items: int, batch: int, steps: int, expected: int
) -> None:
    # Lines 1967 to 2009 and 2086 of the script.
    num_update_steps_per_epoch = -(-items // batch)
    num_train_epochs = -(-steps // num_update_steps_per_epoch)
    by_script = int(0.5 * num_train_epochs) * num_update_steps_per_epoch
    assert by_script == expected
    assert pivot_step(0.5, steps, PivotRounding.epoch, num_update_steps_per_epoch) == expected


def test_a_share_of_one_never_pivots() -> None:
    for rounding in PivotRounding:
        assert pivot_step(1.0, 10, rounding, 4) == 10
