"""The port to whatever carries out runs."""

from collections.abc import Awaitable, Callable
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

QUEUE = "runs"
"""The queue of runs that name no other."""
Execute = Callable[[UUID], Awaitable[None]]


class Engine(Protocol):
    """Carries out submitted runs by calling `execute(run_id)`, at least once each until it returns."""

    async def submit(self, session: AsyncSession, run_id: UUID, *, queue: str = QUEUE, priority: int = 0) -> None:
        """Take on a run. It starts only after the transaction of `session` is committed, and never if it is not.

        Args:
            session: of the caller's transaction.
            run_id: of the run.
            queue: which workers may carry it out, where there are workers.
            priority: a waiting run with a higher one goes first.
        """
        ...

    async def cancel(self, run_id: UUID) -> None:
        """Interrupt a run, wherever it is carried out. Unknown or finished runs are left alone."""
        ...

    async def start(self) -> None:
        """Begin to carry out runs, those left over from before included."""
        ...

    async def drain(self) -> None:
        """Interrupt all runs so that they can be taken up again, and return when they have let go."""
        ...
