"""Calls of a session whose agent lives here, and the environment elsewhere."""

from collections.abc import Mapping
from typing import Any

from app.errors import ConflictError, InvalidRequestError, LLMFailedError
from app.runs.models import Episode
from app.runs.step_log import past_step
from app.sessions.calls import Claim
from app.sessions.definition import in_order, make_agent, plain_json
from app.sessions.live import Live, Place
from app.sessions.schemas import ActRequest, ActView, ResetRequest, ResetView, SessionDefinition
from gym_llm.agent import Agent
from gym_llm.backends import Backend
from gym_llm.config import AgentConfig
from gym_llm.episode import Step
from gym_llm.errors import LLMError, SpaceError
from gym_llm.spaces import digest

KEPT_AGENTS = 1_000


class AgentPlay:
    """Decides. The agent with its window is kept in this process, or made again from the stored steps.

    The step of a decision is stored at once; its reward and its end come with the next call.
    """

    def __init__(self, backends: Mapping[str, Backend], max_steps: int) -> None:
        self._backends = backends
        self._max_steps = max_steps
        self.live: Live[Agent] = Live(KEPT_AGENTS, _nothing_to_close)

    def check(self, config: AgentConfig, definition: SessionDefinition) -> None:
        """Check that an agent can be made.

        Raises:
            InvalidRequestError: the definition or the agent can't be used; the message names the field.
        """
        make_agent(config, definition, self._backends[config.backend])

    async def act(self, claim: Claim, request: ActRequest) -> ActView:
        """Decide on an observation, or take in how the episode has ended.

        Raises:
            InvalidRequestError: a field does not fit in here.
            ConflictError: the episode is as long as one may be.
            LLMFailedError: the agent got no answer; the same call can be made again.
        """
        definition = SessionDefinition.model_validate(claim.session.definition)
        plain = in_order(plain_json(request.observation, "observation"), definition)
        last = await claim.last_episode()
        current = last if last is not None and last.status == "running" else None
        steps = current.num_steps if current is not None else 0
        if current is not None and steps > 0:
            if request.over or request.reward is not None:
                outcome = {"reward": request.reward, "terminated": request.terminated, "truncated": request.truncated}
                claim.outcome = (current.episode, steps, outcome)
            if request.over:
                return await self._end(claim, current, request, plain)
        elif request.over or request.reward is not None:
            field = "reward" if request.reward is not None else "terminated" if request.terminated else "truncated"
            raise InvalidRequestError(f"{field}: the episode has no step yet that this could be of.")
        if steps >= self._max_steps:
            raise ConflictError(f"An episode has at most {self._max_steps} steps here; begin another with /reset.")
        if current is not None:
            episode, seed, total = current.episode, current.seed, current.total_reward + (request.reward or 0.0)
        else:
            (episode, seed), total = claim.begin(last), 0.0
        place = Place(episode, steps)
        async with self.live.use(claim.run.id, place, lambda: self._recalled(claim, definition, place, seed)) as used:
            try:
                decision = await used.thing.act(plain, request.reward)
            except (
                LLMError,
                SpaceError,
            ) as error:  # SpaceError: no other action could be drawn in place of an invalid one
                raise LLMFailedError(f"{error!s:.2000}", code=LLMError.code) from error
            step = Step(
                episode=episode,
                step=steps + 1,
                observation=plain,
                digest=digest(plain),
                decision=decision,
                reward=0.0,
                terminated=False,
                truncated=False,
                total_reward=total,
                success=None,
                next_observation=None,
            )
            await claim.log.append(step, reward=None)
            answer = _act_view(step)
            await claim.store(answer)
            used.keep_at = Place(episode, steps + 1)
        return answer

    async def reset(self, claim: Claim, request: ResetRequest) -> ResetView:
        """Begin an episode; one that is not over is given up."""
        index, seed = claim.begin(await claim.last_episode(), request.seed)
        answer = ResetView(episode=index, seed=seed, observation=None)
        await claim.store(answer)
        return answer

    async def _end(self, claim: Claim, episode: Episode, request: ActRequest, plain: Any) -> ActView:
        claim.log.end(
            episode.episode,
            "succeeded",
            total_reward=episode.total_reward + (request.reward or 0.0),
            terminated=request.terminated,
            truncated=request.truncated,
            success=request.success,
            final_observation=plain,
        )
        answer = ActView(episode=episode.episode, step=episode.num_steps)
        await claim.store(answer)
        await self.live.drop(claim.run.id)
        return answer

    async def _recalled(self, claim: Claim, definition: SessionDefinition, place: Place, seed: int) -> Agent:
        config = AgentConfig.model_validate(claim.run.agent)
        agent = make_agent(config, definition, self._backends[config.backend])
        agent.reset(seed=seed)
        reward: float | None = None
        for row in await claim.past(place.episode) if place.steps else ():
            agent.recall(in_order(row.observation, definition), reward, past_step(row).decision)
            reward = row.reward
        return agent


def _act_view(step: Step) -> ActView:
    decision = step.decision
    return ActView(
        episode=step.episode,
        step=step.step,
        reflection=decision.reflection,
        action=decision.action,
        decided=decision.decided,
        outcome=decision.outcome,
        attempts=decision.attempts,
        problem=decision.problem,
        latency_ms=decision.latency_ms,
        prompt_tokens=decision.usage.prompt,
        cached_tokens=decision.usage.cached,
        completion_tokens=decision.usage.completion,
        cost_usd=decision.cost_usd,
    )


async def _nothing_to_close(_: Agent) -> None: ...
