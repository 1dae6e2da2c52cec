"""An environment that is in a process of its own, and looks as if it were here."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import gymnasium as gym

from gym_llm import limits
from gym_llm.errors import EnvError
from gym_llm.isolation import rebuild
from gym_llm.isolation.process import ChildProcess, Program
from gym_llm.isolation.wire import WireError
from gym_llm.llm_env import ActionSchema, Advice, LLMEnv, ObservationSchema


class IsolatedEnv(gym.Env[Any, Any], limits.SelfLimiting):
    """Passes every call on to its process. What goes wrong there is an `EnvError` here; a hang ends the process."""

    def __init__(
        self, child: ChildProcess, told: Mapping[str, Any], timeout_s: float, metadata: dict[str, Any]
    ) -> None:
        self.child = child
        self.metadata = metadata
        self.render_mode = told["render_mode"]
        self.observation_space = rebuild.space(told["observation_space"])
        self.action_space = rebuild.space(told["action_space"])
        self._timeout_s = timeout_s

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return cast(tuple[Any, dict[str, Any]], self._ask("reset", seed, options))

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return cast(tuple[Any, float, bool, bool, dict[str, Any]], self._ask("step", action))

    def render(self) -> Any:
        return self._ask("render")

    def close(self) -> None:
        self.child.close()

    def give_up(self) -> None:
        self.child.kill()

    def _ask(self, call: str, *arguments: Any) -> Any:
        return self.child.ask(call, *arguments, timeout_s=self._timeout_s)


class IsolatedLLMEnv(IsolatedEnv, LLMEnv):
    """One that describes itself in words."""

    def __init__(
        self, child: ChildProcess, told: Mapping[str, Any], timeout_s: float, metadata: dict[str, Any]
    ) -> None:
        super().__init__(child, told, timeout_s, metadata)
        self._definition = told["definition"]

    @property
    def has_heuristic(self) -> bool:
        """Whether it brings a policy."""
        return bool(self._definition["heuristic"])

    def get_observation_schema(self) -> ObservationSchema:
        return cast(ObservationSchema, self._definition["observation_schema"])

    def get_action_schema(self) -> ActionSchema:
        return cast(ActionSchema, self._definition["action_schema"])

    def get_goal_description(self) -> str:
        return str(self._definition["goal_description"])

    def heuristic(self, observation: Any) -> Advice | None:
        advice = self._ask("heuristic", observation)
        return None if advice is None else Advice(*advice)

    def safe_action(self) -> Any | None:
        return self._definition["safe_action"]


class Maker:
    """The entry point of an isolated environment: makes it in a new process."""

    def __init__(self, program: Program, told: Mapping[str, Any]) -> None:
        self._program = program
        self._id: str = told["id"]
        self.metadata = {"render_modes": told["render_modes"], "render_fps": told["render_fps"]}
        self.__signature__ = rebuild.signature(told["parameters"])

    def __call__(self, **kwargs: Any) -> IsolatedEnv:
        """
        Raises:
            EnvError: the process can't be started, or the environment can't be made in it.
        """
        timeout_s = limits.make_s(self._id)
        child = ChildProcess(self._program)
        try:
            load(child, self._program, timeout_s)
            told = child.ask("make", self._id, kwargs, timeout_s=timeout_s)
            kind = IsolatedEnv if told["definition"] is None else IsolatedLLMEnv
            return kind(child, told, limits.timeout_s(self._id), self.metadata)
        except WireError as error:
            child.kill()
            raise EnvError(str(error)) from error
        except BaseException:
            child.kill()
            raise

    def __deepcopy__(self, memo: object) -> "Maker":
        # Gymnasium copies the specification of an environment with everything in it.
        return self


def load(child: ChildProcess, program: Program, timeout_s: float) -> Mapping[str, Any]:
    """Import the plugin in its process: which environments it registered, and the versions it runs with.

    Raises:
        EnvError: it can't be imported.
    """
    told = child.ask("load", program.module, program.call, list(program.folders), timeout_s=timeout_s)
    return cast(Mapping[str, Any], told)


def register(program: Program, environments: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Register what a plugin registered in its process, to be made there.

    Raises:
        EnvError: an id is taken already; then none is registered.
    """
    ids = tuple(str(told["id"]) for told in environments)
    if taken := [id for id in ids if id in gym.registry]:
        raise EnvError(f"{taken[0]} is registered already")
    for told in environments:
        gym.register(
            told["id"],
            Maker(program, told),
            max_episode_steps=told["max_episode_steps"],
            reward_threshold=told["reward_threshold"],
            nondeterministic=told["nondeterministic"],
            # Its own process sees to both.
            order_enforce=False,
            disable_env_checker=True,
        )
        # A plugin may have said that its versions are no versions of each other.
        gym.registry[told["id"]].name = told["name"]
    return ids
