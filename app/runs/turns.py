"""When a worker takes up which run, so that losing the worker says as much as it can about the runs that it had."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

TAKEN_UP_AT_ONCE = 2
"""Runs that a worker was lost with, and that have not taken a step since they were taken up again."""
TAKE_UP_S = 5.0
"""Longest wait for such a place: slow models hold up nobody for longer."""


class Turn:
    """Of one run, until it has taken a step."""

    def __init__(self, held: AsyncExitStack) -> None:
        self._held = held
        self.waited_for = False
        """Whether others may be waiting for the step."""

    async def over(self) -> None:
        """The step is stored, and the worker is still there: the run has not taken it down."""
        self.waited_for = False
        await self._held.aclose()


class Turns:
    """Of all runs of a worker. A worker plays many runs, and takes the innocent ones down with it: so those that a
    worker was lost with are taken up a few at a time, and suspects one at a time, the others waiting unclaimed."""

    def __init__(self) -> None:
        self._one_suspect = asyncio.Lock()
        self._places = asyncio.Semaphore(TAKEN_UP_AT_ONCE)

    @asynccontextmanager
    async def turn(self, *, lost_with: bool, suspect: bool) -> AsyncIterator[Turn]:
        """Wait for the turn of a run.

        Args:
            lost_with: whether workers were lost with it at the step where it is.
            suspect: whether one more would end it.
        """
        async with AsyncExitStack() as held:
            turn = Turn(held)
            if suspect:
                await held.enter_async_context(self._one_suspect)
            if lost_with:
                turn.waited_for = True
                try:
                    async with asyncio.timeout(TAKE_UP_S):
                        await self._places.acquire()
                    held.callback(self._places.release)
                except TimeoutError:
                    pass
            yield turn
