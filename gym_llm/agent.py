"""The agent: what to ask, what the answer means, and what to do when it means nothing."""

import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import gymnasium as gym

from gym_llm import blocking
from gym_llm.backends import Backend, create_backend
from gym_llm.backends.base import Message, Question, Reply
from gym_llm.config import AgentConfig, validate
from gym_llm.decision import Decision, Outcome, read_action, read_object, spent, storable
from gym_llm.errors import InvalidReplyError, LLMError
from gym_llm.history import History
from gym_llm.lessons import Lessons
from gym_llm.llm_env import ActionSchema, EnvDefinition, LLMEnv, ObservationSchema
from gym_llm.prompt import repair_message, reply_schema, system_prompt
from gym_llm.recording import Frame
from gym_llm.spaces import JsonSchema, check_action_space, draw, from_json, json_schema, listed_space, to_json
from gym_llm.strategies import create_strategy
from gym_llm.strategies.base import Aside, Ending
from gym_llm.thought import answered
from gym_llm.turn import Turn

T = TypeVar("T")


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
        ConfigError: a field of `config` is wrong, `action_rate` > `history` included (a `ValueError`), or the action
            space is one that no model can answer in.
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
        self.action_space = action_space if action_space is not None else listed_space(action_schema)
        self.backend = backend if backend is not None else create_backend(self.config.backend)
        self._definition = EnvDefinition(
            observation_schema=observation_schema,
            action_schema=action_schema,
            goal_description=goal_description,
            action_space=self.action_space,
            observation_space=observation_space,
            env=env,
        )
        check_action_space(self.action_space)
        self._strategy = create_strategy(self.config)
        words = self._strategy.words
        self._reply_schema = reply_schema(json_schema(self.action_space), words.fields)
        self.system_prompt = system_prompt(
            self._definition,
            self._reply_schema,
            self.config.action_rate,
            words,
            template=self.config.system_prompt,
            vision=self.config.vision,
            frames=self.config.frames,
        )
        self._history = History(max(1, self.config.history // self.config.action_rate), self.config.image_history)
        self.reset()

    def reset(self, seed: int | None = None, lessons: Sequence[str] = ()) -> None:
        """Forget the episode before; `seed` is that of the coming one, `lessons` what it begins with (`memory`)."""
        self._seed = seed or 0
        self._step = 0
        self._last_action: Any = None
        self._reward: float | None = None
        self._history.clear()
        self._strategy.begin(lessons)

    def get_action(
        self, observation: Any, reward: float | None = None, frame: Frame | None = None
    ) -> tuple[dict[str, Any], Any]:
        """Decide, from synchronous code.

        Args:
            observation: as the environment gave it.
            reward: that the last step earned, where the caller wants the model to know.
            frame: what the environment rendered, for an agent with `frames`.

        Returns:
            `{"reflection": str, "action": ...}` in plain JSON, and the action as an element of the action space.

        Raises:
            LLMError: the backend gave no answer, or no valid one under `on_invalid: fail`.
        """
        decision = blocking.run(self.act(observation, reward, frame))
        return decision.raw_output(), self.element(decision)

    async def act(self, observation: Any, reward: float | None = None, frame: Frame | None = None) -> Decision:
        """Decide; `get_action` tells the arguments and what is raised."""
        started = time.perf_counter()
        decision = await answered(self.decide(observation, reward, frame), self.backend)
        return replace(decision, latency_ms=(time.perf_counter() - started) * 1000) if decision.decided else decision

    async def conclude(
        self, observation: Any, reward: float | None, ending: Ending, frame: Frame | None = None
    ) -> Lessons | None:
        """Ask what later episodes should know, at the end of one; None where the strategy does not.

        Args:
            observation: the last one, on which there is nothing to decide any more.
            reward: that the last step earned.
            ending: how the episode ended.
            frame: the last one.
        """
        started = time.perf_counter()
        lessons = await answered(self.learn(observation, reward, ending, frame), self.backend)
        return lessons and replace(lessons, latency_ms=(time.perf_counter() - started) * 1000)

    def element(self, decision: Decision) -> Any:
        """The action of `decision` as an element of the action space."""
        return from_json(self.action_space, decision.action)

    def reply_text(self, decision: Decision) -> str:
        """What stands for `decision` in the history: the model's own text, to the letter, where there is one."""
        return decision.reply or self._strategy.reply_text(decision)

    def recall(
        self, observation: Any, reward: float | None, decision: Decision, frame: Frame | None = None
    ) -> Sequence[Message] | None:
        """Take in an earlier decision as if it had just been made: how an interrupted episode is taken up again.

        It may have been another agent's, with another `action_rate`.

        Returns:
            The messages that this agent's model would have been asked with, None where an action was only repeated.
        """
        self._see(reward)
        if not decision.decided:
            self._last_action = decision.action
            return None
        if self._history.full:
            self._strategy.cut(self._history.cut(), decision.notes)
        turn = self._turn(observation, frame)
        messages = self._messages(turn)
        self._remember(turn, decision)
        return messages

    def decide(
        self, observation: Any, reward: float | None = None, frame: Frame | None = None
    ) -> Generator[Question, Reply, Decision]:
        """The core: yields the questions to ask, is sent each reply (or is thrown the `LLMError` that came instead of
        one), returns the decision.

        Raises:
            LLMError: no reply, or still no valid one under `on_invalid: fail`.
        """
        if not self._see(reward):
            return Decision("", self._last_action, outcome=None, decided=False, attempts=0)
        replies: list[Reply] = []
        notes, problem = yield from self._make_room(observation, replies)
        turn = self._turn(observation, frame)
        decision = yield from self._deliberate(observation, turn, replies)
        notes |= decision.notes
        decision = replace(decision, **spent(replies), problem=decision.problem or problem, notes=notes)
        self._remember(turn, decision)
        return decision

    def learn(
        self, observation: Any, reward: float | None, ending: Ending, frame: Frame | None = None
    ) -> Generator[Question, Reply, Lessons | None]:
        """The core of `conclude`. What goes wrong here is told in the result and never raised."""
        aside = self._strategy.after_episode(ending)
        if aside is None:
            return None
        self._see(reward)
        turn = self._turn(observation, frame)
        turn.told = f"{turn.told}\n{aside.message}"
        replies: list[Reply] = []
        learned, problem = yield from self._ask_aside(aside, self._messages(turn), observation, replies)
        return Lessons(learned or (), problem, **spent(replies))

    def _see(self, reward: float | None) -> bool:
        # Whether the observation that has just come in is one to decide on.
        self._step += 1
        if reward is not None:
            self._reward = (self._reward or 0.0) + float(reward)
        return (self._step - 1) % self.config.action_rate == 0

    def _make_room(
        self, observation: Any, replies: list[Reply]
    ) -> Generator[Question, Reply, tuple[dict[str, str], str | None]]:
        # Cuts the window where that is due; returns what is kept of the turns that fall out, and what went wrong.
        notes: dict[str, str] = {}
        problem: str | None = None
        if self._history.full:
            aside = self._strategy.before_cut()
            if aside is not None:
                messages = [*self._messages(), Message(role="user", content=aside.message)]
                answer, problem = yield from self._ask_aside(aside, messages, observation, replies)
                if answer is not None:
                    notes[aside.field] = answer
            self._strategy.cut(self._history.cut(), notes)
        return notes, problem

    def _ask_aside(
        self, aside: Aside[T], messages: list[Message], observation: Any, replies: list[Reply]
    ) -> Generator[Question, Reply, tuple[T | None, str | None]]:
        try:
            reply = yield self._question(messages, observation, aside.reply_schema)
            replies.append(reply)
            return aside.read(read_object(reply, (aside.field,))[aside.field]), reply.problem
        except (LLMError, InvalidReplyError) as error:
            return None, f"no {aside.field}: {error}"

    def _deliberate(self, observation: Any, turn: Turn, replies: list[Reply]) -> Generator[Question, Reply, Decision]:
        messages = self._messages(turn)
        fields = (*(field.name for field in self._strategy.words.fields), "action")
        problem: str | None = None
        outcomes: tuple[Outcome, Outcome] = ("valid", "repaired")
        for outcome in outcomes:
            reply = yield self._question(messages, observation, self._reply_schema)
            replies.append(reply)
            problem = reply.problem or problem
            try:
                values = read_object(reply, fields)
                reflection, notes = self._strategy.read(values)
                action = read_action(values, self.action_space)
            except InvalidReplyError as invalid:
                problem = str(invalid)
                messages = [
                    *messages,
                    {"role": "assistant", "content": reply.text or "(nothing)"},
                    {"role": "user", "content": repair_message(problem, self._reply_schema)},
                ]
                continue
            decision = Decision(reflection, action, outcome, problem=problem, notes=notes)
            text = storable(reply.text)
            # Of an object the text is always kept: databases need not keep the order of its keys.
            known = not isinstance(action, dict | list) and text == self._strategy.reply_text(decision)
            return decision if known else replace(decision, reply=text)
        if self.config.on_invalid == "fail":
            raise LLMError(f"no valid reply after one repair turn: {problem}")
        return Decision("", self._fallback(), "fallback", problem=problem)

    def _messages(self, present: Turn | None = None) -> list[Message]:
        system: Message = {"role": "system", "content": self.system_prompt}
        return [system, *self._history.messages(present, self._strategy.in_view)]

    def _question(self, messages: list[Message], observation: Any, schema: JsonSchema) -> Question:
        return Question(
            messages=messages,
            reply_schema=schema,
            agent=self.config,
            seed=self._seed + self.config.sampling_seed,
            step=self._step,
            observation=observation,
            definition=self._definition,
        )

    def _turn(self, observation: Any, frame: Frame | None) -> Turn:
        shown = frame if self.config.frames else None
        return Turn.of(self._step, observation, self._reward, vision=self.config.vision, frame=shown)

    def _remember(self, turn: Turn, decision: Decision) -> None:
        self._history.append(turn, self.reply_text(decision))
        self._strategy.decided(decision.notes)
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
