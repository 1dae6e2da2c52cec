"""One run while a worker holds it: play its episodes, record every step, finish it once."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import gymnasium as gym
import structlog
from sqlalchemy.exc import DBAPIError

from app.artifacts.camera import Camera, pictures
from app.artifacts.frames import FrameFeed, LiveFrames
from app.artifacts.metrics import metrics
from app.artifacts.staging import Stage
from app.db import Database, now
from app.errors import ClaimLostError, WorkerLostError
from app.runs import repository
from app.runs.models import Run
from app.runs.schemas import Failure
from app.runs.step_log import StepLog, past_step
from app.runs.turns import MAX_LOSSES, Turn
from app.runs.writer import StepWriter
from app.shielding import to_its_end
from gym_llm.agent import Agent
from gym_llm.backends import Backend
from gym_llm.budget import Budget
from gym_llm.config import AgentConfig, EnvironmentConfig, ExperimentConfig
from gym_llm.env_runner import EnvRunner
from gym_llm.episode import PastStep, Step, play
from gym_llm.errors import EnvError, GymLLMError
from gym_llm.footage import wants_frames
from gym_llm.lessons import carried
from gym_llm.schedule import play_all

log = structlog.get_logger()

MakeEnv = Callable[[EnvironmentConfig, str | None], gym.Env[object, object]]
CheckBudget = Callable[[Run, float], Awaitable[None]]
"""Whether the batch of a run that has cost so much may spend more; else `BudgetExceededError`."""


@dataclass(frozen=True, kw_only=True)
class Equipment:
    """What runs are played with, all of them with the same."""

    database: Database
    writer: StepWriter
    frames: LiveFrames
    feed: FrameFeed | None
    backends: Mapping[str, Backend]
    make_env: MakeEnv
    check_batch: CheckBudget
    max_episode_steps: int


class LiveRun:
    """Plays a run that this worker has claimed."""

    def __init__(self, equipment: Equipment, run: Run, token: UUID, stage: Stage, turn: Turn) -> None:
        self._equipment = equipment
        self._run = run
        self._token = token
        self._stage = stage
        self._turn = turn
        self._environment = EnvironmentConfig.model_validate(run.environment)
        self._agent = AgentConfig.model_validate(run.agent)
        self._experiment = ExperimentConfig.model_validate(run.experiment)
        self._log = StepLog(equipment.writer, run, token)
        self._begun: dict[int, list[str]] = {}
        """Episodes that an earlier worker began, and the lessons that each began with."""
        self._learned: list[list[str]] = []
        """Lessons of the episodes that have ended, in the order in which they ended."""
        self._failure: Failure | None = None

    async def carry_out(self) -> None:
        """Play what is left to play, then write the terminal status, once.

        Raises:
            CancelledError: interrupted, but not by the user; all that was played is stored.
            ClaimLostError: another worker holds the run.
            DBAPIError: the database is out of reach.
        """
        cancelled = self._run.status == "cancelling"
        if self._run.losses >= MAX_LOSSES:
            lost = f"{self._run.losses} workers in a row were lost after step {self._run.steps} of the log"
            self._note(WorkerLostError(lost))
        elif not cancelled:
            try:
                await self._play_all()
            except asyncio.CancelledError:
                cancelled = await self._cancel_requested()
                if not cancelled:
                    await to_its_end(self._log.flush())
                    raise
            except (ClaimLostError, DBAPIError):
                raise
            except Exception:
                log.exception("run failed", run=str(self._run.id))
                self._note(GymLLMError("internal error; the server's log has the details"))
        await to_its_end(self._write_end("cancelled" if cancelled else "failed" if self._failure else "succeeded"))

    async def _play_all(self) -> None:
        async with self._equipment.database.reading() as session:
            episodes = await repository.list_episodes(session, self._run.id)
            spent = metrics(episodes, await repository.step_totals(session, self._run.id))
        self._budget = Budget(
            self._experiment, tokens=spent.prompt_tokens + spent.completion_tokens, cost_usd=spent.cost_usd or 0.0
        )
        self._begun = {row.episode: row.lessons_before or [] for row in episodes}
        ended = {row.episode: row for row in episodes if row.done_order is not None}
        in_order = sorted(ended.values(), key=lambda row: row.done_order or 0)
        self._learned = [row.lessons["learned"] for row in in_order if row.lessons]
        if failed := [row for row in episodes if row.error is not None]:
            self._failure = Failure.model_validate(failed[0].error)
        if self._failure and self._failure.code != EnvError.code:
            return  # It had stopped the run, and the worker was lost before that could be written.
        await self._stage.open()
        try:
            await play_all(
                [index for index in range(self._experiment.num_runs) if index not in ended],
                self._play_episode,
                self._episode_failed,
                concurrency=min(self._experiment.concurrency, self._experiment.num_runs),
                seconds=self._seconds_left(),
            )
        except GymLLMError as error:
            self._note(error)

    def _seconds_left(self) -> float | None:
        limit, started = self._experiment.timeout_s, self._run.started_at
        return limit - (now() - started).total_seconds() if limit is not None and started is not None else None

    async def _episode_failed(self, episode: int, error: GymLLMError) -> None:
        self._note(error, episode)
        await self._publish(episode)
        await self._log.fail(episode, self._failure_of(error, episode))

    async def _play_episode(self, episode: int) -> None:
        self._budget.check()
        await self._check_batch()
        seed = self._experiment.seed + episode
        past, lessons = await self._begin(episode, seed)
        render_mode = "rgb_array" if wants_frames(self._experiment, self._agent) else None
        env = await EnvRunner.make(lambda: self._equipment.make_env(self._environment, render_mode))
        try:
            if past and env.nondeterministic:
                await self._forget(episode)
                past = []
            agent = Agent(self._agent, **env.definition, backend=self._equipment.backends[self._agent.backend])
            camera = Camera(
                self._stage,
                self._equipment.frames,
                self._equipment.feed,
                experiment=self._experiment,
                action_schema=agent.action_schema,
                episode=episode,
                seed=seed,
            )
            async with camera:
                most = self._equipment.max_episode_steps
                limit = min(self._experiment.max_steps or most, most)
                steps = play(env, agent, seed=seed, episode=episode, max_steps=limit, past=past, lessons=lessons)
                async with aclosing(steps):
                    async for step in steps:
                        await self._record(step, camera)
        finally:
            await env.close()

    async def _record(self, step: Step, camera: Camera) -> None:
        await camera.film(step)
        if step.last:  # Whoever is told that the episode has ended will find its files.
            await self._publish(step.episode)
        if step.lessons is not None:
            self._learned.append(list(step.lessons.learned))
        if not step.replayed:
            await self._log.append(step)
            await self._end_turn()
        self._budget.count(step)
        if step.decision.decided and not (step.replayed or step.last):
            await self._check_batch()

    async def _check_batch(self) -> None:
        # Every run of a batch with a limit has it as its own, too.
        if self._run.batch_id is not None and self._experiment.max_cost_usd is not None:
            await self._equipment.check_batch(self._run, self._log.cost_usd)

    async def _end_turn(self) -> None:
        if self._turn.waited_for:
            await self._log.flush()
            await self._turn.over()

    async def _publish(self, episode: int) -> None:
        await self._log.flush()  # A worker that lost its claim learns it here: its files must not replace better ones.
        await self._stage.publish(pictures(episode, self._experiment.seed + episode))

    async def _publish_rest(self) -> None:
        if self._stage.finished():
            async with self._equipment.database.writing() as session:
                if not await repository.holds(session, self._run.id, self._token):
                    raise ClaimLostError
            await self._stage.publish_rest()

    async def _begin(self, episode: int, seed: int) -> tuple[list[PastStep], list[str]]:
        if episode not in self._begun:
            lessons = carried(self._learned)
            self._log.begin(episode, seed, lessons)
            return [], lessons
        async with self._equipment.database.reading() as session:
            rows = await repository.list_steps(session, self._run.id, limit=None, episode=episode)
        return [past_step(row) for row in rows], self._begun[episode]

    async def _forget(self, episode: int) -> None:
        async with self._equipment.database.writing() as session:
            if not await repository.holds(session, self._run.id, self._token):
                raise ClaimLostError
            await repository.forget_steps(session, self._run.id, episode)

    def _note(self, error: GymLLMError, episode: int | None = None) -> None:
        # The first failure is the one that the run tells of.
        self._failure = self._failure or self._failure_of(error, episode)

    @staticmethod
    def _failure_of(error: GymLLMError, episode: int | None) -> Failure:
        return Failure.model_validate({"code": error.code, "message": f"{error!s:.2000}", "episode": episode})

    async def _cancel_requested(self) -> bool:
        async with self._equipment.database.reading() as session:
            run = await repository.get_run(session, self._run.id)
        return run is not None and run.status == "cancelling"

    async def _write_end(self, status: str) -> None:
        await self._log.flush()
        await self._publish_rest()
        async with self._equipment.database.writing() as session:
            error = self._failure.model_dump() if self._failure and status == "failed" else None
            ended: dict[str, Any] = {"status": status, "error": error, "finished_at": now()}
            if not await repository.holds(session, self._run.id, self._token, **ended):
                raise ClaimLostError
            await repository.close_episodes(session, self._run.id, "cancelled")
