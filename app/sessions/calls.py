"""Calls of a session, one at a time: claimed in the database, carried out, stored together with their answer."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import structlog
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.access import Caller
from app.body import fingerprint
from app.db import Database, now
from app.errors import BusyError, ClaimLostError, NotFoundError, RequestIdMismatchError, SessionOverError
from app.runs import repository as runs
from app.runs.models import TERMINAL, Episode, Run, Step
from app.runs.schemas import Failure
from app.runs.step_log import StepLog
from app.runs.writer import StepWrite, store
from app.sessions import repository
from app.sessions.models import Session, SessionCall
from app.sessions.schemas import SEEDS, CallRequest

log = structlog.get_logger()
Answer = TypeVar("Answer", bound=BaseModel)


@dataclass(slots=True)
class Claim:
    """A session while one call holds it, and what the call writes: all of it is stored at once, or nothing."""

    calls: "Calls"
    run: Run
    session: Session
    request: CallRequest
    digest: str
    token: UUID
    log: StepLog = field(init=False)
    writes: list[StepWrite] = field(default_factory=list)
    outcome: tuple[int, int, dict[str, Any]] | None = None
    """Episode, number and columns of an earlier step that the call completes."""
    stored: bool = False

    def __post_init__(self) -> None:
        self.log = StepLog(self, self.run, self.token)

    def submit(self, write: StepWrite) -> None:
        """Take a write of the step log."""
        self.writes.append(write)

    async def last_episode(self) -> Episode | None:
        """The episode that began last."""
        async with self.calls.database.reading() as session:
            return await runs.last_episode(session, self.run.id)

    async def past(self, episode: int) -> Sequence[Step]:
        """The stored steps of an episode."""
        async with self.calls.database.reading() as session:
            return await runs.list_steps(session, self.run.id, limit=None, episode=episode)

    def begin(self, last: Episode | None, seed: int | None = None) -> tuple[int, int]:
        """Begin an episode after `last`, which is given up if it is still open; its index and its seed."""
        if last is not None and last.status == "running":
            self.log.end(last.episode, "cancelled")
        index = last.episode + 1 if last is not None else 0
        if seed is None:
            seed = (self.run.experiment["seed"] + index) % SEEDS
        self.log.begin(index, seed)
        return index, seed

    async def store(self, answer: BaseModel | None, **columns: Any) -> None:
        """Write everything, with the answer that a repetition of the call gets.

        Args:
            answer: of the call; None where it failed.
            columns: of the session that change.

        Raises:
            ClaimLostError: the session is over, or another call holds it.
        """
        at = self.calls.clock()
        columns |= {"expires_at": at + timedelta(seconds=self.session.ttl_s), "claimed_until": None}
        async with self.calls.database.writing() as session:
            if not await store(session, self.writes):
                raise ClaimLostError
            if self.outcome is not None:
                episode, step, values = self.outcome
                await repository.tell_outcome(session, self.run.id, episode, step, **values)
            await repository.set_columns(session, self.run.id, **columns)
            if answer is not None and self.request.request_id is not None:
                await repository.add_call(
                    session,
                    SessionCall(
                        run_id=self.run.id,
                        request_id=self.request.request_id,
                        digest=self.digest,
                        answer=answer.model_dump(mode="json"),
                    ),
                )
        self.stored = True
        self.calls.wake(self.run.id)


class Calls:
    """Lets one call at a time work on a session, whichever process it came to.

    A call goes on when its client is gone: whoever repeats it under the same `request_id` gets the answer.

    Args:
        database: of the sessions.
        wake: tells watchers in this process of news.
        heartbeat_s: between two signs of life of a call.
        lost_after_s: silence after which a call counts as lost, and another may begin.
        clock: what time it is.
    """

    def __init__(
        self,
        database: Database,
        wake: Callable[[UUID], None],
        *,
        heartbeat_s: float,
        lost_after_s: float,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self.database = database
        self.wake = wake
        self.clock = clock
        self._heartbeat_s = heartbeat_s
        self._lost_after = timedelta(seconds=lost_after_s)
        self._tasks: set[asyncio.Task[Any]] = set()

    async def make(
        self,
        caller: Caller,
        session_id: UUID,
        request: CallRequest,
        answer: type[Answer],
        work: Callable[[Claim], Awaitable[Answer]],
    ) -> Answer:
        """The answer of a call: that of `work`, or the stored one where the call was made before.

        Raises:
            NotFoundError: there is no such session.
            BusyError: another call is under way.
            SessionOverError: the session has ended.
            RequestIdMismatchError: the `request_id` was used with another body.
        """
        digest = fingerprint(request, without=("request_id",), answer=answer.__name__)
        claim = await self._claim(caller, session_id, request, digest)
        if isinstance(claim, SessionCall):
            return answer.model_validate(claim.answer)
        task = asyncio.create_task(self._carry_out(claim, work), name=f"call of session {session_id}")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    async def prolong(self, caller: Caller, session_id: UUID) -> None:
        """A sign of life of a session's client; `make` tells what is raised."""
        async with self.database.writing() as session:
            run, row = await self._locked(session, caller, session_id)
            expired = await self._expire(session, run, row)
            if not expired:
                row.expires_at = self.clock() + timedelta(seconds=row.ttl_s)
        if expired:
            raise _over(run)

    async def expire(self, session_id: UUID) -> None:
        """End a session, if its time is over."""
        async with self.database.writing() as session:
            found = await repository.lock(session, session_id, None)
            if found is not None and await self._expire(session, *found):
                log.info("session expired", session=str(session_id))
        self.wake(session_id)

    async def stop(self) -> None:
        """Interrupt the calls that are under way, and return when they have let go."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _claim(self, caller: Caller, session_id: UUID, request: CallRequest, digest: str) -> Claim | SessionCall:
        at, token = self.clock(), uuid7()
        async with self.database.writing() as session:
            run, row = await self._locked(session, caller, session_id)
            if request.request_id is not None:
                call = await repository.get_call(session, session_id, request.request_id)
                if call is not None and call.digest != digest:
                    raise RequestIdMismatchError("This request_id was used for another call of the session.")
                if call is not None:
                    return call
            over = await self._expire(session, run, row)
            if not over and row.claimed_until is not None and row.claimed_until > at:
                raise BusyError("A call of this session is under way; wait for its answer.")
            if not over:
                run.worker_token = token
                row.claimed_until = at + self._lost_after
        if over:
            raise _over(run)
        return Claim(self, run, row, request, digest, token)

    async def _locked(self, session: AsyncSession, caller: Caller, session_id: UUID) -> tuple[Run, Session]:
        found = await repository.lock(session, session_id, caller.sees)
        if found is None:
            raise NotFoundError("There is no such session.")
        return found

    async def _expire(self, session: AsyncSession, run: Run, row: Session) -> bool:
        # Whether the session is over; ends it where that is due.
        at = self.clock()
        if run.status in TERMINAL:
            return True
        if row.expires_at > at or (row.claimed_until is not None and row.claimed_until > at):
            return False
        failure = Failure(code="timeout", message=f"expired: no call for {row.ttl_s:g} s", episode=None)
        await repository.end(session, run, at, "cancelled", failure.model_dump())
        return True

    async def _carry_out(self, claim: Claim, work: Callable[[Claim], Awaitable[Answer]]) -> Answer:
        alive = asyncio.create_task(self._stay_alive(claim))
        try:
            return await work(claim)
        except ClaimLostError:
            async with self.database.reading() as session:
                run = await runs.get_run(session, claim.run.id)
            if run is None or run.status in TERMINAL:
                raise _over(run or claim.run) from None
            raise BusyError("The call took too long to answer, and another one has taken its place.") from None
        finally:
            alive.cancel()
            await asyncio.gather(alive, return_exceptions=True)
            if not claim.stored:
                with suppress(SQLAlchemyError):  # Out of reach: the claim runs out by itself.
                    await self._release(claim)

    async def _stay_alive(self, claim: Claim) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_s)
            try:
                async with self.database.writing() as session:
                    until = self.clock() + self._lost_after
                    await repository.prolong_claim(session, claim.run.id, claim.token, until)
            except SQLAlchemyError as error:
                log.warning("claim of a session not prolonged", error=type(error).__name__)

    async def _release(self, claim: Claim) -> None:
        async with self.database.writing() as session:
            await repository.release(session, claim.run.id, claim.token)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # Seen: its client may be gone.


def _over(run: Run) -> SessionOverError:
    reason = (run.error or {}).get("message", "it was ended")
    return SessionOverError(f"This session is over: {reason}. Its steps can still be read.")
