"""The agent: what to ask, what the answer means, and what to do when it means nothing."""

import time
from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any

import gymnasium as gym

from gym_llm import blocking
from gym_llm.backends import Backend, create_backend
from gym_llm.backends.base import Message, Question, Reply, Usage
from gym_llm.config import AgentConfig, validate
from gym_llm.decision import Decision, Outcome, read_reply, storable
from gym_llm.errors import ConfigError, InvalidReplyError, LLMError
from gym_llm.history import History
from gym_llm.llm_env import ActionSchema, EnvDefinition, LLMEnv, ObservationSchema
from gym_llm.prompt import observation_message, repair_message, reply_schema, reply_text, system_prompt
from gym_llm.spaces import draw, from_json, json_schema, to_json


class Agent:
    """Decides on actions from observations. One agent plays one episode at a time; call `reset` before each.

    The core, `decide`, does no input or output: it yields questions and is sent replies. `act` drives it with `await`,
    `get_action` from synchronous code.

    Args:
        config: the `agent` section of a configuration, as a mapping or an `AgentConfig`.
        observation_schema: field name -> description.
        action_schema: action -> what it does.
        goal_description: the goal in words.
        action_space: what actions are checked against; without it, the keys of `action_schema` must be integers.
        observation_space: not used by the agent; accepted so that `get_env_definition` can be passed whole.
        env: brings the heuristic policy and the safe action, where there are any.
        backend: what answers; by default the one that `config` names, with its default settings.

    Raises:
        ConfigError: a field of `config` is wrong, `action_rate` > `history` included (a `ValueError`).
    """

    def __init__(
        self,
        config: Mapping[str, Any] | AgentConfig,
        observation_schema: ObservationSchema,
        action_schema: ActionSchema,
        goal_description: str,
        *,
        action_space: gym.Space[Any] | None = None,
        observation_space: gym.Space[Any] | None = None,
        env: LLMEnv | None = None,
        backend: Backend | None = None,
    ) -> None:
        self.config = validate(AgentConfig, config, "agent")
        self.action_schema = action_schema
        self.action_space = action_space if action_space is not None else _space_of(action_schema)
        self.backend = backend if backend is not None else create_backend(self.config.backend)
        self._definition = EnvDefinition(
            observation_schema=observation_schema,
            action_schema=action_schema,
            goal_description=goal_description,
            action_space=self.action_space,
            observation_space=observation_space,
            env=env,
        )
        self._reply_schema = reply_schema(json_schema(self.action_space))
        self.system_prompt = system_prompt(self._definition, self._reply_schema, self.config.action_rate)
        self._history = History(max(1, self.config.history // self.config.action_rate))
        self.reset()

    def reset(self, seed: int | None = None) -> None:
        """Forget the episode before; `seed` is that of the coming one."""
        self._seed = seed or 0
        self._step = 0
        self._last_action: Any = None
        self._reward: float | None = None
        self._history.clear()

    def get_action(self, observation: Any, reward: float | None = None) -> tuple[dict[str, Any], Any]:
        """Decide, from synchronous code.

        Args:
            observation: as the environment gave it.
            reward: that the last step earned, where the caller wants the model to know.

        Returns:
            `{"reflection": str, "action": ...}` in plain JSON, and the action as an element of the action space.

        Raises:
            LLMError: the backend gave no answer, or no valid one under `on_invalid: fail`.
        """
        decision = blocking.run(self.act(observation, reward))
        return decision.raw_output(), self.element(decision)

    async def act(self, observation: Any, reward: float | None = None) -> Decision:
        """Decide; `get_action` tells the arguments and what is raised."""
        started = time.perf_counter()
        thought = self.decide(observation, reward)
        try:
            question = next(thought)
            while True:
                question = thought.send(await self.backend.ask(question))
        except StopIteration as end:
            decision: Decision = end.value
        if not decision.decided:
            return decision
        return replace(decision, latency_ms=(time.perf_counter() - started) * 1000)

    def element(self, decision: Decision) -> Any:
        """The action of `decision` as an element of the action space."""
        return from_json(self.action_space, decision.action)

    def recall(self, observation: Any, reward: float | None, decision: Decision) -> None:
        """Take in a decision made earlier, as if it had just been made: how an interrupted
        episode is taken up again."""
        if self._see(reward):
            self._remember(self._told(observation), decision)

    def decide(self, observation: Any, reward: float | None = None) -> Generator[Question, Reply, Decision]:
        """The core: yields the questions to ask, is sent each reply, returns the decision.

        Raises:
            LLMError: still no valid reply, under `on_invalid: fail`.
        """
        if not self._see(reward):
            return Decision("", self._last_action, outcome=None, decided=False, attempts=0)
        told = self._told(observation)
        decision = yield from self._deliberate(observation, told)
        self._remember(told, decision)
        return decision

    def _see(self, reward: float | None) -> bool:
        # Whether the observation that has just come in is one to decide on.
        self._step += 1
        if reward is not None:
            self._reward = (self._reward or 0.0) + float(reward)
        return (self._step - 1) % self.config.action_rate == 0

    def _deliberate(self, observation: Any, told: str) -> Generator[Question, Reply, Decision]:
        messages: list[Message] = [
            {"role": "system", "content": self.system_prompt},
            *self._history.messages(),
            {"role": "user", "content": told},
        ]
        replies: list[Reply] = []
        problem: str | None = None
        outcomes: tuple[Outcome, Outcome] = ("valid", "repaired")
        for outcome in outcomes:
            reply = yield self._question(messages, observation)
            replies.append(reply)
            problem = reply.problem or problem
            try:
                reflection, action = read_reply(reply, self.action_space)
            except InvalidReplyError as invalid:
                problem = str(invalid)
                messages = [
                    *messages,
                    {"role": "assistant", "content": reply.text or "(nothing)"},
                    {"role": "user", "content": repair_message(problem, self._reply_schema)},
                ]
                continue
            return _spent(Decision(reflection, action, outcome, reply=storable(reply.text), problem=problem), replies)
        if self.config.on_invalid == "fail":
            raise LLMError(f"no valid reply after one repair turn: {problem}")
        action = self._fallback()
        return _spent(Decision("", action, "fallback", problem=problem), replies)

    def _question(self, messages: list[Message], observation: Any) -> Question:
        return Question(
            messages=messages,
            reply_schema=self._reply_schema,
            model=self.config.model,
            temperature=self.config.temperature,
            max_tokens=self.config.max_tokens,
            seed=self._seed,
            step=self._step,
            observation=observation,
            definition=self._definition,
        )

    def _told(self, observation: Any) -> str:
        return observation_message(self._step, to_json(observation), self._reward)

    def _remember(self, told: str, decision: Decision) -> None:
        self._history.append(told, decision.reply or reply_text(decision.reflection, decision.action))
        self._last_action = decision.action
        self._reward = None

    def _fallback(self) -> Any:
        if self.config.on_invalid == "repeat":
            if self._last_action is not None:
                return self._last_action
            env = self._definition.get("env")
            safe = env.safe_action() if env is not None else None
            if safe is not None:
                return to_json(safe)
        return to_json(draw(self.action_space, self._seed, self._step))


def _spent(decision: Decision, replies: list[Reply]) -> Decision:
    costs = [reply.cost_usd for reply in replies if reply.cost_usd is not None]
    return replace(
        decision,
        usage=sum((reply.usage for reply in replies), Usage()),
        cost_usd=sum(costs) if len(costs) == len(replies) else None,
        attempts=sum(reply.requests for reply in replies),
    )


def _space_of(action_schema: Any) -> gym.Space[Any]:
    keys = list(action_schema) if isinstance(action_schema, Mapping) else []
    if (
        not keys
        or any(not isinstance(key, int) for key in keys)
        or sorted(keys) != list(range(min(keys), max(keys) + 1))
    ):
        raise ConfigError("action_space: needed, as the keys of the action schema are not consecutive integers")
    return gym.spaces.Discrete(len(keys), start=min(keys))
