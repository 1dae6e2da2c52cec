"""How long a worker holds its runs, and that it ends itself when it slept past that."""

import asyncio
from collections.abc import Sequence

import pytest

from app.engine.lease import SLEPT, Lease, Watchdog


class EndedError(Exception):
    """In place of the end of the process."""


def leave(code: int) -> None:
    raise EndedError(code)


async def watch(readings: Sequence[float]) -> None:
    """A watchdog that reads these times from its clock, one each time it looks."""
    times = iter(readings)
    watchdog = Watchdog(Lease(heartbeat_s=0.002, lost_after_s=20), exit=leave, clock=lambda: next(times))
    await watchdog.watch()


@pytest.mark.parametrize(("heartbeat_s", "lost_after_s"), [(5, 9.9), (1, 1), (20, 5)])
def test_a_lease_leaves_time_for_two_signs_of_life(heartbeat_s: float, lost_after_s: float):
    with pytest.raises(ValueError, match="two signs of life"):
        Lease(heartbeat_s, lost_after_s)


def test_lost_workers_are_looked_for_more_often_than_they_are_lost():
    lease = Lease(heartbeat_s=5, lost_after_s=10)
    assert 0 < lease.sweep_s < lease.lost_after_s


async def test_a_process_that_slept_past_its_lease_ends():
    with pytest.raises(EndedError) as ended:
        await watch([0, 10, 20, 40.1])
    assert ended.value.args == (SLEPT,) == (70,)


async def test_a_process_that_slept_less_goes_on():
    # Each time within the lease, all together far beyond it; the clock then has nothing more to say.
    with pytest.raises(RuntimeError, match="StopIteration"):
        await watch([0, 20, 40, 60, 80])


async def test_a_watchdog_can_be_called_off():
    watching = asyncio.create_task(Watchdog(Lease(1, 2), exit=leave).watch())
    await asyncio.sleep(0)
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching
