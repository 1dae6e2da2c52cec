"""What this process keeps of sessions between their calls, so that it need not be made again for each."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID

from app.errors import TooManyEnvironmentsError

Thing = TypeVar("Thing")


class Place(NamedTuple):
    """Where a session is. What was kept at another place is out of date: another process has gone on from there."""

    episode: int
    steps: int
    """Taken in the episode."""


@dataclass(slots=True)
class InUse(Generic[Thing]):
    """A thing that a call works with."""

    thing: Thing
    keep_at: Place | None = None
    """Set where all went well: the thing is kept for the next call. Otherwise it is let go of."""


class Live(Generic[Thing]):
    """At most `room` things, one a session.

    Args:
        room: how many may be in use and kept together.
        close: lets go of a thing.
        lasting: whether a thing can't be made again, so that it must not be let go of for others.
    """

    def __init__(
        self, room: int, close: Callable[[Thing], Awaitable[None]], lasting: Callable[[Thing], bool] = lambda _: False
    ) -> None:
        self._room = room
        self._close = close
        self._lasting = lasting
        self._kept: dict[UUID, tuple[Place, Thing]] = {}
        self._in_use = 0

    def sessions(self) -> list[UUID]:
        """Of which sessions something is kept."""
        return list(self._kept)

    @asynccontextmanager
    async def use(
        self, session_id: UUID, place: Place, make: Callable[[], Awaitable[Thing]]
    ) -> AsyncIterator[InUse[Thing]]:
        """What is kept of a session at `place`, or else what `make` makes.

        Raises:
            TooManyEnvironmentsError: there is no room to make anything.
        """
        kept_at, kept = self._kept.pop(session_id, (None, None))
        self._in_use += 1
        used: InUse[Thing] | None = InUse(kept) if kept is not None else None
        try:
            if used is None or kept_at != place:
                if used is not None:
                    outdated, used = used, None
                    await self._close(outdated.thing)
                await self._make_room()
                used = InUse(await make())
            yield used
        finally:
            self._in_use -= 1
            if used is not None and used.keep_at is not None:
                self._kept[session_id] = (used.keep_at, used.thing)
            elif used is not None:
                await self._close(used.thing)

    async def drop(self, session_id: UUID) -> None:
        """Let go of what is kept of a session."""
        if session_id in self._kept:
            await self._close(self._kept.pop(session_id)[1])

    async def close(self) -> None:
        """Let go of everything."""
        for session_id in self.sessions():
            await self.drop(session_id)

    async def _make_room(self) -> None:
        # Whatever was not used for the longest time goes first.
        while len(self._kept) + self._in_use > self._room:
            idle = [session_id for session_id, (_, thing) in self._kept.items() if not self._lasting(thing)]
            if not idle:
                raise TooManyEnvironmentsError("This server has no room for another environment now; try again later.")
            await self.drop(idle[0])
