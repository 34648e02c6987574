"""Random tensors: functions of (seed, stream, counters), each slot by itself."""

from __future__ import annotations

import torch

from lora_sweep.draws import generator, normal, normal_rows, uniform_int, uniform_int_rows
from lora_sweep.randomness import Stream


def test_the_same_arguments_give_the_same_draw_whatever_was_drawn_before() -> None:
    first = normal((4, 8, 8), 3, Stream.noise, 10)
    torch.manual_seed(0)
    normal((5,), 3, Stream.noise, 11)
    assert torch.equal(normal((4, 8, 8), 3, Stream.noise, 10), first)


def test_the_global_generator_is_neither_read_nor_moved() -> None:
    before = torch.get_rng_state()
    normal_rows(range(2), (4,), 0, Stream.noise, 1)
    uniform_int_rows(range(2), 1000, 0, Stream.timestep, 1)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_slot_draws_the_same_in_any_batch() -> None:
    batch = normal_rows(range(4), (4, 8, 8), 0, Stream.noise, 17)
    assert batch.shape == (4, 4, 8, 8)
    assert torch.equal(normal_rows([2, 3], (4, 8, 8), 0, Stream.noise, 17), batch[2:])
    assert torch.equal(normal((4, 8, 8), 0, Stream.noise, 17, 1), batch[1])
    steps = uniform_int_rows(range(8), 1000, 0, Stream.timestep, 17)
    assert torch.equal(uniform_int_rows([5], 1000, 0, Stream.timestep, 17), steps[5:6])


def test_seed_stream_and_counters_each_change_the_draw() -> None:
    draws = [
        normal((16,), 0, Stream.noise, 1),
        normal((16,), 1, Stream.noise, 1),
        normal((16,), 0, Stream.vae_sample, 1),
        normal((16,), 0, Stream.noise, 2),
        normal((16,), 0, Stream.noise, 1, 0),
    ]
    for i, one in enumerate(draws):
        assert not any(torch.equal(one, other) for other in draws[i + 1 :]), f"draw {i} is repeated"


def test_normal_draws_are_standard_normal_across_steps() -> None:
    # One number per step: what must be independent is the seeding, not torch's generator.
    draws = torch.cat([normal((1,), 0, Stream.noise, step) for step in range(4000)])
    assert abs(draws.mean().item()) < 4 / 4000**0.5, "four standard errors"
    assert abs(draws.var().item() - 1) < 4 * (2 / 4000) ** 0.5, "four standard errors"


def test_integers_are_uniform_and_below_the_bound() -> None:
    draws = uniform_int_rows(range(4000), 1000, 0, Stream.timestep, 0)
    assert draws.dtype == torch.int64
    assert 0 <= draws.min() <= draws.max() < 1000
    tenths = torch.bincount(draws // 100, minlength=10)
    assert ((tenths - 400) ** 2 / 400).sum() < 27.9, "chi-squared, 9 degrees of freedom, p = 0.001"
    assert uniform_int(1000, (2, 3), 0, Stream.timestep).shape == (2, 3)


def test_generators_are_made_on_the_cpu() -> None:
    assert generator(0, Stream.sample).device.type == "cpu"
