"""Calls of a session whose environment lives here, and its player elsewhere."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import gymnasium as gym

from app.errors import ConflictError, EnvFailedError, InvalidRequestError
from app.runs.models import Episode
from app.runs.schemas import Failure
from app.runs.step_log import past_step
from app.sessions.calls import Claim
from app.sessions.definition import plain_json
from app.sessions.hosted import HostedEpisode
from app.sessions.live import InUse, Live, Place
from app.sessions.schemas import ResetRequest, ResetView, StepRequest, TransitionView
from gym_llm.config import EnvironmentConfig
from gym_llm.env_runner import EnvRunner
from gym_llm.episode import PastStep, Step
from gym_llm.errors import EnvError, SpaceError
from gym_llm.spaces import digest

MakeEnv = Callable[[EnvironmentConfig, str | None], gym.Env[object, object]]
RESET = "POST /sessions/{session_id}/reset begins the next episode"


class EnvPlay:
    """Steps. The environment is kept in this process, or made again, and the stored actions are taken again."""

    def __init__(self, make_env: MakeEnv, *, room: int, max_steps: int) -> None:
        self._make_env = make_env
        self._max_steps = max_steps
        self.live: Live[HostedEpisode] = Live(
            room, lambda hosted: hosted.close(), lambda hosted: hosted.nondeterministic
        )

    async def step(self, claim: Claim, request: StepRequest) -> TransitionView:
        """Take a step.

        Raises:
            InvalidRequestError: `action` is none of the environment; nothing has changed.
            ConflictError: the episode is over, or the environment can't be brought to where it was.
            EnvFailedError: the environment failed, and so has the episode.
        """
        current = await claim.last_episode()
        if current is None or current.status != "running":
            raise ConflictError(f"The episode is over; {RESET}.")
        action = plain_json(request.action, "action")
        place = Place(current.episode, current.num_steps)
        async with self.live.use(claim.run.id, place, lambda: self._again(claim, current)) as used:
            try:
                used.thing.check(action)
            except SpaceError as error:
                used.keep_at = place
                raise InvalidRequestError(f"{error}") from None
            try:
                step = await used.thing.step(action, request.reflection)
            except EnvError as error:
                await self._fail(claim, current, error)
                raise EnvFailedError(f"{error!s:.2000}; {RESET}.", code=EnvError.code) from error
            await claim.log.append(step)
            answer = _transition_view(step)
            await claim.store(answer, observation=step.next_observation)
            if not step.last:
                used.keep_at = Place(current.episode, step.step)
        return answer

    async def reset(self, claim: Claim, request: ResetRequest) -> ResetView:
        """Begin an episode; one that is not over is given up.

        Raises:
            EnvFailedError: the environment could not be made or reset; nothing is stored.
        """
        index, seed = claim.begin(await claim.last_episode(), request.seed)
        config = EnvironmentConfig.model_validate(claim.run.environment)
        async with self.begin(claim.run.id, config, index, seed) as used:
            answer = ResetView(episode=index, seed=seed, observation=used.thing.observation)
            await claim.store(answer, observation=used.thing.observation)
        return answer

    @asynccontextmanager
    async def begin(
        self, session_id: UUID, config: EnvironmentConfig, episode: int, seed: int
    ) -> AsyncIterator[InUse[HostedEpisode]]:
        """An episode that has just begun.

        Raises:
            EnvFailedError: the environment could not be made or reset.
            TooManyEnvironmentsError: there is no room for it.
        """
        place = Place(episode, 0)
        async with self.live.use(session_id, place, lambda: self._begun(config, episode, seed)) as used:
            yield used
            used.keep_at = place

    async def _begun(self, config: EnvironmentConfig, episode: int, seed: int) -> HostedEpisode:
        try:
            return await self._begin(config, episode, seed)
        except EnvError as error:
            raise EnvFailedError(f"{error!s:.2000}", code=EnvError.code) from error

    async def _again(self, claim: Claim, current: Episode) -> HostedEpisode:
        config = EnvironmentConfig.model_validate(claim.run.environment)
        past = [past_step(row) for row in await claim.past(current.episode)]
        try:
            hosted = await self._begin(config, current.episode, current.seed, past)
        except EnvError as error:
            raise _lost(str(error)) from error
        if digest(hosted.observation) != digest(claim.session.observation):
            await hosted.close()
            raise _lost("not deterministic: its first observation is another")
        return hosted

    async def _begin(
        self, config: EnvironmentConfig, episode: int, seed: int, past: list[PastStep] | None = None
    ) -> HostedEpisode:
        env = await EnvRunner.make(lambda: self._make_env(config, None))
        return await HostedEpisode.begin(env, seed=seed, episode=episode, max_steps=self._max_steps, past=past or [])

    async def _fail(self, claim: Claim, episode: Episode, error: EnvError) -> None:
        failure = Failure(code="env_error", message=f"{error!s:.2000}", episode=episode.episode)
        claim.log.end(episode.episode, "failed", error=failure.model_dump())
        await claim.store(None)


def _lost(reason: str) -> ConflictError:
    return ConflictError(
        f"The environment had to be made again, and can't be brought to where it was: {reason:.1000}. {RESET}."
    )


def _transition_view(step: Step) -> TransitionView:
    return TransitionView(
        episode=step.episode,
        step=step.step,
        observation=step.next_observation,
        reward=step.reward,
        total_reward=step.total_reward,
        terminated=step.terminated,
        truncated=step.truncated,
        success=step.success,
    )
