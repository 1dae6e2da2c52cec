"""When a worker takes up which run, so that losing the worker says as much as it can about the runs that it had."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

TAKEN_UP_AT_ONCE = 2
"""Runs that are claimed and set up at the same time: the others are still nobody's if the worker is lost meanwhile."""
TAKE_UP_S = 5.0
"""Longest wait for others to be set up: an environment that hangs holds up nobody for longer."""


class Turn:
    """Of one run: it is taken up, then set up, and where it is a suspect, on trial until it has taken a step."""

    def __init__(self, place: AsyncExitStack, trial: AsyncExitStack) -> None:
        self._place = place
        self._trial = trial
        self.on_trial = False

    async def set_up(self) -> None:
        """It plays: let the next run be taken up."""
        await self._place.aclose()

    async def acquit(self) -> None:
        """It has taken a step, and the worker is still there: let the next suspect be tried."""
        self.on_trial = False
        await self._trial.aclose()


class Turns:
    """Of all runs of a worker. A worker plays many runs, and takes the innocent ones down with it: so they are taken up
    a few at a time, and suspects are tried one at a time, the others waiting unclaimed."""

    def __init__(self) -> None:
        self._one_suspect = asyncio.Lock()
        self._places = asyncio.Semaphore(TAKEN_UP_AT_ONCE)

    @asynccontextmanager
    async def turn(self, *, suspect: bool) -> AsyncIterator[Turn]:
        """Wait for the turn of a run."""
        async with AsyncExitStack() as trial, AsyncExitStack() as place:
            turn = Turn(place, trial)
            if suspect:
                await trial.enter_async_context(self._one_suspect)
                turn.on_trial = True
            try:
                async with asyncio.timeout(TAKE_UP_S):
                    await self._places.acquire()
                place.callback(self._places.release)
            except TimeoutError:
                pass
            yield turn
