"""A live run's side of the step log: numbers the steps of all its episodes and hands them to the writer."""

from collections import deque
from typing import Any
from uuid import UUID

from app.db import now
from app.runs.models import Step as StepRow
from app.runs.schemas import Failure
from app.runs.writer import StepWrite, StepWriter
from gym_llm.backends.base import Usage
from gym_llm.decision import Decision
from gym_llm.episode import PastStep, Step
from gym_llm.prompt import reply_text

MAX_UNSTORED = 64
"""Steps of a run that may be on their way to the database: storing never slows a fast agent, nor falls far behind."""


class StepLog:
    """Appends steps to the log of one claimed run, in one order for all its episodes."""

    def __init__(self, writer: StepWriter, run_id: UUID, token: UUID, *, steps: int, episodes_done: int) -> None:
        self._writer = writer
        self._run_id = run_id
        self._token = token
        self._steps = steps
        self._episodes_done = episodes_done
        self._unstored: deque[StepWrite] = deque()

    def begin(self, episode: int, seed: int) -> None:
        """Hand over an episode that begins."""
        row = {"run_id": self._run_id, "episode": episode, "seed": seed, "status": "running"}
        self._submit(episode, None, {}, new_episode=row)

    async def append(self, step: Step) -> None:
        """Number a step and hand it over; waits only where too many are not stored yet.

        Raises:
            ClaimLostError: another worker holds the run.
        """
        self._steps += 1
        ended: dict[str, Any] = {}
        if step.last:
            ended = self._end("succeeded", success=step.success, final_observation=step.next_observation)
        values = {
            "num_steps": step.step,
            "total_reward": step.total_reward,
            "terminated": step.terminated,
            "truncated": step.truncated,
        }
        self._submit(step.episode, _row(self._run_id, self._steps, step), values | ended)
        while len(self._unstored) > MAX_UNSTORED or (self._unstored and self._unstored[0].stored.done()):
            await self._unstored.popleft().stored

    async def fail(self, episode: int, failure: Failure) -> None:
        """End an episode that failed; returns when that is stored.

        Raises:
            ClaimLostError: another worker holds the run.
        """
        self._submit(episode, None, self._end("failed", error=failure.model_dump()))
        await self.flush()

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
    ) -> None:
        write = StepWrite(
            run_id=self._run_id,
            token=self._token,
            episode=episode,
            row=row,
            episode_values=episode_values,
            run_values={"steps": self._steps, "episodes_done": self._episodes_done},
            new_episode=new_episode,
        )
        self._writer.submit(write)
        self._unstored.append(write)


def _row(run_id: UUID, step_id: int, step: Step) -> dict[str, Any]:
    decision = step.decision
    plain_reply = reply_text(decision.reflection, decision.action)
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
        "reply": decision.reply if decision.reply != plain_reply else None,
        "created_at": now(),
    }


def past_step(row: StepRow) -> PastStep:
    """A stored step, as what is needed to take it again."""
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
    )
    return PastStep(digest=row.digest, decision=decision, reward=row.reward)
