"""The port to whatever carries out runs."""

from collections.abc import Awaitable, Callable
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

Execute = Callable[[UUID], Awaitable[None]]


class Engine(Protocol):
    """Carries out submitted runs by calling `execute(run_id)`, at least once each until it returns."""

    async def submit(self, session: AsyncSession, run_id: UUID) -> None:
        """Take on a run. It starts only after the transaction of `session` is committed, and never if it is not."""
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
