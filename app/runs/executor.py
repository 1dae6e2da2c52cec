"""Carries out runs: claim one, have it played to its end, or give it back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

import stamina
import structlog
from uuid_utils.compat import uuid7

from app.artifacts.staging import Staging
from app.errors import ClaimLostError
from app.runs import repository
from app.runs.live_run import Equipment, LiveRun
from app.runs.turns import Turn, Turns
from app.runs.writer import PASSING
from app.shielding import to_its_end
from app.versions import versions

log = structlog.get_logger()

RELEASE_S = 20.0
"""How long a run is tried to be given back: without that, its worker counts as lost."""


@dataclass(kw_only=True)
class Executor:
    """Plays claimed runs. Any number of them at the same time, in one event loop."""

    equipment: Equipment
    staging: Staging
    wake: Callable[[UUID], None]
    _turns: Turns = field(default_factory=Turns, init=False)

    async def execute(self, run_id: UUID) -> None:
        """Carry out a run to its end, from where an earlier worker left it.

        Raises:
            CancelledError: interrupted, but not by the user: the run is given back and goes on later.
            ClaimLostError: steps could not be stored, so that later ones have no place in the log; given back likewise.
            DBAPIError: the database is out of reach.
        """
        async with self.equipment.database.reading() as session:
            losses = await repository.coming_losses(session, run_id)
        async with self._turns.turn(losses) as turn:
            await self._carry_out(run_id, turn)

    async def _carry_out(self, run_id: UUID, turn: Turn) -> None:
        token = uuid7()
        stage = self.staging.stage(run_id, token)
        try:
            async with self.equipment.database.writing() as session:
                run = await repository.claim(session, run_id, token)
                if run is None:
                    return
                run.versions = versions(run.environment_id)
            self.wake(run_id)
            await LiveRun(self.equipment, run, token, stage, turn).carry_out()
        except BaseException as error:
            # This worker is not lost, whether it was told to stop or the database was away for too long.
            held = await to_its_end(self._release(run_id, token))
            if held or not isinstance(error, ClaimLostError):
                raise
            log.warning("run taken over by another worker", run=str(run_id))
        finally:
            self.wake(run_id)
            await stage.close()

    async def _release(self, run_id: UUID, token: UUID) -> bool:
        async for attempt in stamina.retry_context(on=PASSING, attempts=None, timeout=RELEASE_S, wait_max=2.0):
            with attempt:
                async with self.equipment.database.writing() as session:
                    return await repository.release(session, run_id, token)
        raise AssertionError("the last attempt raises")
