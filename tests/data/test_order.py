"""Batches: every item once an epoch, in an order that follows from seed and epoch."""

from __future__ import annotations

from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from lora_sweep.data.order import (
    Epoch,
    ItemPair,
    batches_per_epoch,
    micro_steps_of,
    num_items,
    pair,
    picture_of,
    steps_per_epoch,
)

items = st.integers(1, 60)
sizes = st.integers(1, 9)


def batch_items(seed: int, count: int, size: int, micro_step: int) -> tuple[int, ...]:
    """Without buckets."""
    return Epoch((0,) * count, size, 1).batch(seed, micro_step)


@given(items, sizes, st.integers(0, 5), st.integers(0, 3))
def test_an_epoch_holds_every_item_once(count: int, size: int, seed: int, epoch: int) -> None:
    batches = batches_per_epoch((count,), size)
    first = epoch * batches
    epoch_batches = [batch_items(seed, count, size, first + i) for i in range(batches)]
    assert sorted(item for batch in epoch_batches for item in batch) == list(range(count))
    assert all(len(batch) == size for batch in epoch_batches[:-1]), "only the last may be short"


def test_each_epoch_and_each_seed_has_an_order_of_its_own() -> None:
    orders = {batch_items(seed, 20, 20, epoch) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9


def test_the_order_does_not_depend_on_the_batch_size() -> None:
    together = batch_items(0, 12, 12, 2)
    pieces = [batch_items(0, 12, 4, 2 * 3 + i) for i in range(3)]
    assert together == pieces[0] + pieces[1] + pieces[2]


@given(items, sizes, sizes)
def test_steps_per_epoch_are_those_of_the_script(count: int, size: int, accumulation: int) -> None:
    # ceil(len(train_dataloader) / gradient_accumulation_steps), drop_last=False
    expected = ceil(ceil(count / size) / accumulation)
    assert steps_per_epoch((count,), size, accumulation) == expected


@given(items, sizes, sizes, st.integers(1, 40))
def test_steps_take_all_micro_steps_in_order_and_none_spans_two_epochs(
    count: int, size: int, accumulation: int, steps: int
) -> None:
    batches = batches_per_epoch((count,), size)
    ranges = [micro_steps_of(step, (count,), size, accumulation) for step in range(steps)]
    flat = [micro_step for each in ranges for micro_step in each]
    assert flat == list(range(len(flat)))
    for each in ranges:
        assert 1 <= len(each) <= accumulation
        assert each[0] // batches == each[-1] // batches


def test_repeats_of_a_picture_are_consecutive_items() -> None:
    assert [picture_of(item, 3) for item in range(6)] == [0, 0, 0, 1, 1, 1]


@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 200))
def test_with_class_pictures_an_epoch_shows_all_of_both(
    pictures: int, repeats: int, class_pictures: int
) -> None:
    length = num_items(pictures, repeats, class_pictures)
    pairs = [pair(index, pictures * repeats, class_pictures) for index in range(length)]
    assert {each.instance_item for each in pairs} == set(range(pictures * repeats))
    assert {each.class_picture for each in pairs} == set(range(class_pictures))


def test_the_shorter_list_starts_again() -> None:
    assert num_items(2, 1, 5) == 5
    assert pair(4, 2, 5) == ItemPair(instance_item=0, class_picture=4)
    assert num_items(4, 2, 5) == 8
    assert pair(7, 8, 5) == ItemPair(instance_item=7, class_picture=2)


buckets = st.lists(st.integers(0, 3), min_size=1, max_size=40).map(tuple)


@given(buckets, sizes, sizes, st.integers(0, 3), st.integers(0, 2))
def test_with_buckets_a_batch_holds_one_and_an_epoch_every_row_once(
    kinds: tuple[int, ...], size: int, accumulation: int, seed: int, number: int
) -> None:
    epoch = Epoch(kinds, size, accumulation)
    count = batches_per_epoch(epoch.lengths, size)
    assert count == sum(-(-kinds.count(kind) // size) for kind in set(kinds))
    batches = [epoch.batch(seed, number * count + i) for i in range(count)]
    assert sorted(row for batch in batches for row in batch) == list(range(len(kinds)))
    for kind in set(kinds):
        own = [batch for batch in batches if kinds[batch[0]] == kind]
        assert {kinds[row] for batch in own for row in batch} == {kind}
        assert all(len(batch) == size for batch in own[:-1]), "only its last may be short"
    assert epoch.steps == steps_per_epoch(epoch.lengths, size, accumulation)


def test_batches_of_the_buckets_come_mixed() -> None:
    epoch = Epoch((0,) * 20 + (1,) * 20, 2, 1)
    first = [epoch.batch(0, i)[0] // 20 for i in range(20)]
    assert 0 < sum(first[:10]) < 10
