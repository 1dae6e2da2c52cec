"""How many requests may be in flight: as many as configured, fewer while the server says that it is too many."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

SHRINK = 0.6
"""What a refusal for being too many leaves of the limit."""
CAUTION = 0.1
"""Of the normal growth, from where the server last refused: how far beyond it now takes is asked rarely."""


class AdaptiveLimit:
    """A semaphore whose size follows the server's answers, between 1 and `most`.

    `shrink` takes it down, once for all the requests that were in flight together; each `grow` takes it up, by one for
    as many answers as there are places. Waiting requests get their places in the order in which they came.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._size = self._refused_at = float(most)
        self._in_flight = 0
        self._shrinks = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def size(self) -> int:
        """How many may be in flight right now."""
        return int(self._size)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[int]:
        """A place among the requests in flight. Yields what `shrink` needs to know a burst by."""
        await self._enter()
        try:
            yield self._shrinks
        finally:
            self._in_flight -= 1
            self._admit()

    def shrink(self, since: int) -> bool:
        """The server refused a request as one too many; `since` is what `place` gave it.

        Returns:
            Whether the limit went down: not where it has, since that request was sent.
        """
        if since != self._shrinks:
            return False
        self._shrinks += 1
        self._refused_at = min(self._size, self._in_flight)
        self._size = max(1.0, self._refused_at * SHRINK)
        return True

    def grow(self) -> None:
        """The server has answered a request."""
        # An answer says nothing of a limit that is far from being reached.
        if self._size < self.most and 2 * self._in_flight >= self._size:
            step = 1.0 if self._size < self._refused_at - 1 else CAUTION
            self._size = min(float(self.most), self._size + step / self._size)

    async def _enter(self) -> None:
        if self._in_flight < self.size and not self._waiting:
            self._in_flight += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._admit()  # Those before it may have been cancelled.
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # The place was given just now, and nobody is there to take it.
                self._in_flight -= 1
                self._admit()
            raise

    def _admit(self) -> None:
        while self._waiting and self._in_flight < self.size:
            turn = self._waiting.popleft()
            if not turn.cancelled():
                self._in_flight += 1
                turn.set_result(None)
