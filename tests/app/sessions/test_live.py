"""What a process keeps between calls."""

from uuid import UUID, uuid4

import pytest

from app.errors import TooManyEnvironmentsError
from app.sessions.live import Live, Place


class Shelf:
    """Makes numbered things, and knows which were closed."""

    def __init__(self, room: int, lasting: tuple[int, ...] = ()) -> None:
        self.made = 0
        self.closed: list[int] = []
        self.live: Live[int] = Live(room, self._close, lambda thing: thing in lasting)

    async def make(self) -> int:
        self.made += 1
        return self.made

    async def _close(self, thing: int) -> None:
        self.closed.append(thing)

    async def used(self, session_id: UUID, place: Place, then: Place | None) -> int:
        async with self.live.use(session_id, place, self.make) as used:
            used.keep_at = then
            return used.thing


async def test_a_thing_is_kept_where_it_is_left():
    shelf, session = Shelf(2), uuid4()
    assert await shelf.used(session, Place(0, 0), Place(0, 1)) == 1
    assert await shelf.used(session, Place(0, 1), Place(0, 2)) == 1
    assert await shelf.used(session, Place(0, 9), Place(0, 10)) == 2
    assert shelf.closed == [1]
    assert await shelf.used(session, Place(0, 10), None) == 2
    assert (shelf.closed, shelf.live.sessions()) == ([1, 2], [])


async def test_what_fails_is_let_go_of():
    shelf, session = Shelf(1), uuid4()

    async def fail() -> None:
        async with shelf.live.use(session, Place(0, 0), shelf.make):
            raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            await fail()
    assert shelf.closed == [1, 2]
    assert await shelf.used(session, Place(0, 0), None) == 3


async def test_the_longest_unused_makes_room():
    shelf, sessions = Shelf(2, lasting=(2,)), [uuid4() for _ in range(4)]
    for session in sessions[:3]:
        await shelf.used(session, Place(0, 0), Place(0, 0))
    assert shelf.closed == [1]
    await shelf.used(sessions[3], Place(0, 0), Place(0, 0))
    assert shelf.closed == [1, 3]
    async with shelf.live.use(sessions[3], Place(0, 0), shelf.make):
        with pytest.raises(TooManyEnvironmentsError):
            await shelf.used(sessions[0], Place(0, 0), None)
    await shelf.live.close()
    assert sorted(shelf.closed) == [1, 2, 3, 4]
