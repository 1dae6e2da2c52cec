"""A live run's side of the step log: numbers the steps of all its episodes and hands them to the writer."""

from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

from app.db import now
from app.runs.models import Run
from app.runs.models import Step as StepRow
from app.runs.schemas import Failure
from app.runs.writer import StepWrite
from gym_llm.backends.base import Usage
from gym_llm.decision import Decision
from gym_llm.episode import PastStep, Step

MAX_UNSTORED = 64
"""Steps of a run that may be on their way to the database: storing never slows a fast agent, nor falls far behind."""


class Sink(Protocol):
    """Takes writes and stores them, in their order."""

    def submit(self, write: StepWrite) -> None:
        """Hand over a write."""
        ...


class StepLog:
    """Appends steps to the log of one claimed run, in one order for all its episodes."""

    def __init__(self, writer: Sink, run: Run, token: UUID) -> None:
        self._writer = writer
        self._run_id = run.id
        self._token = token
        self._steps = run.steps
        self._episodes_done = run.episodes_done
        self._cost_usd = run.cost_usd
        self._unstored: deque[StepWrite] = deque()
        self._asked: dict[int, StepWrite] = {}
        """By episode, the newest step that a model was asked for."""

    def begin(self, episode: int, seed: int, lessons: Sequence[str] = ()) -> None:
        """Hand over an episode that begins, with what it is told of earlier ones."""
        row = {"run_id": self._run_id, "episode": episode, "seed": seed, "status": "running"}
        row["lessons_before"] = list(lessons) or None
        self._submit(episode, None, {}, new_episode=row)

    async def append(self, step: Step, **columns: Any) -> None:
        """Number a step and hand it over; waits only where too many are not stored yet.

        Of the steps of an episode that a model was asked for, that is the one before: if this worker is lost, no more
        than the call under way and the one whose step is being stored are made again.

        Args:
            step: to append.
            columns: that differ from what the step says.

        Raises:
            ClaimLostError: another worker holds the run.
        """
        self._steps += 1
        self._cost_usd += step.decision.cost_usd or 0.0
        ended: dict[str, Any] = {}
        if step.last:
            ended = self._end("succeeded", success=step.success, final_observation=step.next_observation)
            ended["lessons"] = step.lessons and step.lessons.as_json()
            self._cost_usd += (step.lessons and step.lessons.cost_usd) or 0.0
        values = {
            "num_steps": step.step,
            "total_reward": step.total_reward,
            "terminated": step.terminated,
            "truncated": step.truncated,
        }
        write = self._submit(step.episode, _row(self._run_id, self._steps, step) | columns, values | ended)
        if step.decision.attempts:
            before, self._asked[step.episode] = self._asked.get(step.episode), write
            if before is not None:
                await before.stored
        if step.last:
            self._asked.pop(step.episode, None)
        while len(self._unstored) > MAX_UNSTORED or (self._unstored and self._unstored[0].stored.done()):
            await self._unstored.popleft().stored

    async def fail(self, episode: int, failure: Failure) -> None:
        """End an episode that failed; returns when that is stored.

        Raises:
            ClaimLostError: another worker holds the run.
        """
        self.end(episode, "failed", error=failure.model_dump())
        await self.flush()

    def end(self, episode: int, status: str, **columns: Any) -> None:
        """Hand over the end of an episode that ends without a further step; `columns` are those of the episode."""
        self._submit(episode, None, self._end(status, **columns))

    async def flush(self) -> None:
        """Return when every step is stored.

        Raises:
            ClaimLostError: another worker holds the run.
        """
        while self._unstored:
            await self._unstored.popleft().stored

    def _end(self, status: str, **values: Any) -> dict[str, Any]:
        self._episodes_done += 1
        return {"status": status, "done_order": self._episodes_done, "done_at_step": self._steps, **values}

    def _submit(
        self,
        episode: int,
        row: dict[str, Any] | None,
        episode_values: dict[str, Any],
        new_episode: dict[str, Any] | None = None,
    ) -> StepWrite:
        write = StepWrite(
            run_id=self._run_id,
            token=self._token,
            episode=episode,
            row=row,
            episode_values=episode_values,
            run_values={"steps": self._steps, "episodes_done": self._episodes_done, "cost_usd": self._cost_usd},
            new_episode=new_episode,
        )
        self._writer.submit(write)
        self._unstored.append(write)
        return write


def _row(run_id: UUID, step_id: int, step: Step) -> dict[str, Any]:
    decision = step.decision
    return {
        "run_id": run_id,
        "id": step_id,
        "episode": step.episode,
        "step": step.step,
        "observation": step.observation,
        "digest": step.digest,
        "reflection": decision.reflection,
        "action": decision.action,
        "reward": step.reward,
        "terminated": step.terminated,
        "truncated": step.truncated,
        "decided": decision.decided,
        "outcome": decision.outcome,
        "attempts": decision.attempts,
        "latency_ms": decision.latency_ms,
        "prompt_tokens": decision.usage.prompt,
        "cached_tokens": decision.usage.cached,
        "completion_tokens": decision.usage.completion,
        "cost_usd": decision.cost_usd,
        "problem": decision.problem,
        "reply": decision.reply,
        "notes": dict(decision.notes) or None,
        "created_at": now(),
    }


def past_step(row: StepRow | Any) -> PastStep:
    """A stored step, or a record of one, as what is needed to take it again."""
    decision = Decision(
        reflection=row.reflection,
        action=row.action,
        outcome=row.outcome,  # type: ignore[arg-type] # stored from an Outcome
        decided=row.decided,
        attempts=row.attempts,
        usage=Usage(row.prompt_tokens, row.cached_tokens, row.completion_tokens),
        cost_usd=row.cost_usd,
        latency_ms=row.latency_ms,
        reply=row.reply,
        problem=row.problem,
        notes=row.notes or {},
    )
    return PastStep(digest=row.digest, decision=decision, reward=row.reward or 0.0)
