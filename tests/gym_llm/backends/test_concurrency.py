"""The limit on requests in flight, apart from any request."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from gym_llm.backends.concurrency import SHRINK, AdaptiveLimit


async def test_a_burst_of_refusals_shrinks_it_once() -> None:
    limit = AdaptiveLimit(10)
    async with AsyncExitStack() as places:
        burst = [await places.enter_async_context(limit.place()) for _ in range(10)]
        assert [limit.shrink(since) for since in burst] == [True] + [False] * 9
        assert limit.size == int(10 * SHRINK)
    async with limit.place() as since:
        assert limit.shrink(since)
    assert limit.size == 1  # It was refused alone.


async def test_it_shrinks_from_what_is_in_flight_and_never_below_one() -> None:
    limit = AdaptiveLimit(1000)
    for _ in range(5):
        async with limit.place() as since:
            limit.shrink(since)
    assert limit.size == 1


async def test_answers_take_it_back_up_to_where_it_was_configured() -> None:
    limit = AdaptiveLimit(5)
    async with AsyncExitStack() as places:
        burst = [await places.enter_async_context(limit.place()) for _ in range(5)]
        limit.shrink(burst[0])
        assert limit.size == 3
        for _ in range(500):
            limit.grow()
    assert limit.size == 5


async def test_answers_at_little_load_prove_nothing() -> None:
    limit = AdaptiveLimit(50)
    async with AsyncExitStack() as places:
        burst = [await places.enter_async_context(limit.place()) for _ in range(20)]
        limit.shrink(burst[0])
    shrunk = limit.size
    async with limit.place():
        for _ in range(500):
            limit.grow()
    assert limit.size == shrunk


async def test_places_are_given_in_turn_and_a_cancelled_wait_takes_none() -> None:
    limit = AdaptiveLimit(1)
    order: list[int] = []

    async def enter(number: int) -> None:
        async with limit.place():
            order.append(number)

    async with limit.place():
        waiting = [asyncio.create_task(enter(number)) for number in range(4)]
        await asyncio.sleep(0)
        waiting[1].cancel()
        await asyncio.sleep(0)
    waiting[0].cancel()  # Its place has just been given to it.
    await asyncio.wait_for(asyncio.gather(waiting[2], waiting[3]), 5)
    assert order == [2, 3]
    for cancelled in waiting[:2]:
        with pytest.raises(asyncio.CancelledError):
            await cancelled
    await asyncio.wait_for(enter(9), 5)


async def test_a_cancelled_wait_does_not_keep_the_next_one_waiting() -> None:
    limit = AdaptiveLimit(1)
    async with limit.place():
        task = asyncio.create_task(limit.place().__aenter__())
        await asyncio.sleep(0)
        task.cancel()
    async with asyncio.timeout(5), limit.place():
        pass
