"""When a worker takes up which run, so that losing the worker says as much as it can about the runs that it had."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

MAX_LOSSES = 3
"""Workers lost at the same step before a run is given up: it probably takes them down itself. One that another loss
would end is a suspect until it has taken a step."""
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
    async def turn(self, losses: int) -> AsyncIterator[Turn]:
        """Wait for the turn of a run that so many workers were lost with at the step where it is."""
        async with AsyncExitStack() as held:
            turn = Turn(held)
            if losses == MAX_LOSSES - 1:
                await held.enter_async_context(self._one_suspect)
            if losses:
                turn.waited_for = True
                try:
                    async with asyncio.timeout(TAKE_UP_S):
                        await self._places.acquire()
                    held.callback(self._places.release)
                except TimeoutError:
                    pass
            yield turn
