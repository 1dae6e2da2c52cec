"""Taxi for language models, around Gymnasium's own environment: as one number (v3) and in words (v4)."""

from functools import cached_property
from typing import Annotated, Any, ClassVar, SupportsFloat

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.envs.toy_text.taxi import TaxiEnv
from pydantic import Field

from env_plugins.toy_text import taxi_words as words
from env_plugins.toy_text.table import Plan, plan
from env_plugins.toy_text.text import one_of
from gym_llm.llm_env import ActionSchema, Advice, LLMEnv, ObservationSchema

Ride = dict[str, Any]
Probability = Annotated[float, Field(ge=0, le=1)]


class DescribedTaxi(gym.ObservationWrapper[Ride, Any, Any], LLMEnv):
    """Taxi-v4 with `is_success` when the passenger is delivered; the subclasses give the observation its shape."""

    max_steps: ClassVar[int]
    taxi: TaxiEnv

    def __init__(self, taxi: TaxiEnv) -> None:
        super().__init__(taxi)
        self.taxi = taxi

    def step(self, action: int) -> tuple[Ride, SupportsFloat, bool, bool, dict[str, Any]]:
        """As Gymnasium's, with `is_success`: the delivery is the only thing that terminates an episode."""
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, reward, terminated, truncated, {**info, "is_success": terminated}

    @cached_property
    def plan(self) -> Plan:
        """The best policy; no passenger is expected to change their mind."""
        return plan(self.taxi.P)

    def advise(self, state: int) -> Advice:
        """The best action in a state, by its number, and why."""
        row, column, passenger, destination = self.taxi.decode(state)
        action = self.plan.best(state)
        place = f"row {row}, column {column}"
        if passenger == words.IN_TAXI:
            aim = f"the passenger wants to go to {words.stop(destination)}"
        else:
            aim = f"the passenger waits at {words.stop(passenger)}"
        if action == words.PICK_UP:
            return Advice(action, f"The taxi is at {place} and {aim}, right here: picking up.")
        if action == words.DROP_OFF:
            return Advice(action, f"The taxi is at {place} and {aim}, right here: dropping off.")
        return Advice(action, f"The taxi is at {place} and {aim}: going {words.WAYS[action]}, on the shortest way.")

    def safe_action(self) -> int:
        return words.SOUTH


class TaxiStateLLM(DescribedTaxi):
    """`TaxiLLM-v3`: one number for everything, and 50 steps."""

    max_steps = 50

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(TaxiEnv(render_mode=render_mode))
        self.observation_space = spaces.Dict({"state": self.taxi.observation_space})

    def observation(self, observation: int) -> Ride:
        return {"state": np.int64(observation)}

    def get_observation_schema(self) -> ObservationSchema:
        return words.STATE

    def get_action_schema(self) -> ActionSchema:
        return words.ACTIONS

    def get_goal_description(self) -> str:
        return words.goal(self.max_steps, words.AS_STATE, "")

    def heuristic(self, observation: Any) -> Advice:
        """The shortest way."""
        return self.advise(int(observation["state"]))


class TaxiLLM(DescribedTaxi):
    """`TaxiLLM-v4`: rows, columns, stops, walls and the actions that do something, each in its own field."""

    max_steps = 200

    def __init__(
        self,
        render_mode: str | None = None,
        is_rainy: bool = False,
        fickle_passenger: bool = False,
        rainy_probability: Probability = 0.8,
        fickle_probability: Probability = 0.3,
    ) -> None:
        """The keywords of Taxi-v4: rain makes the taxi swerve, a fickle passenger may change destination."""
        super().__init__(TaxiEnv(render_mode, is_rainy, fickle_passenger, rainy_probability, fickle_probability))
        stops = [words.stop(index) for index in range(len(words.STOPS))]
        parts = {
            "taxi_row": spaces.Discrete(5),
            "taxi_column": spaces.Discrete(5),
            "passenger": one_of([*map(words.waiting, range(len(stops))), words.RIDING]),
            "destination": one_of(stops),
            "walls": one_of([words.NONE, words.walls(words.BLOCKABLE)]),
            "useful_actions": one_of([words.NONE, words.useful(words.NAMES)]),
        }
        self.observation_space = spaces.Dict(parts, sort_keys=False)
        self.chances = words.chances(
            rainy_probability if is_rainy else None, fickle_probability if fickle_passenger else None
        )

    def observation(self, observation: int) -> Ride:
        row, column, passenger, destination = self.taxi.decode(observation)
        possible = [action for action, flag in enumerate(self.taxi.action_mask(observation)) if flag]
        return {
            "taxi_row": np.int64(row),
            "taxi_column": np.int64(column),
            "passenger": words.RIDING if passenger == words.IN_TAXI else words.waiting(passenger),
            "destination": words.stop(destination),
            "walls": words.walls(action for action in words.BLOCKABLE if action not in possible),
            "useful_actions": words.useful(possible),
        }

    def get_observation_schema(self) -> ObservationSchema:
        return words.FIELDS

    def get_action_schema(self) -> ActionSchema:
        return words.ACTIONS

    def get_goal_description(self) -> str:
        return words.goal(self.max_steps, words.AS_FIELDS, self.chances)

    def heuristic(self, observation: Any) -> Advice:
        """The shortest way; in rain, the one that is shortest on average."""
        row, column = int(observation["taxi_row"]), int(observation["taxi_column"])
        stops = range(len(words.STOPS))
        waits = [index for index in stops if observation["passenger"] == words.waiting(index)]
        destination = next(index for index in stops if observation["destination"] == words.stop(index))
        passenger = waits[0] if waits else words.IN_TAXI
        return self.advise(((row * 5 + column) * 5 + passenger) * 4 + destination)
