"""One turn's observation as what a model is told and shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gym_llm.images import Picture, name, take_out
from gym_llm.prompt import observation_message
from gym_llm.recording import Frame
from gym_llm.spaces import to_json


@dataclass(slots=True)
class Turn:
    """The text, one JSON object, and the pictures that it names."""

    told: str
    pictures: Sequence[Picture] = ()

    @classmethod
    def of(cls, step: int, observation: Any, reward: float | None, *, vision: bool, frame: Frame | None) -> "Turn":
        """The turn of step `step`.

        Args:
            step: from 1.
            observation: as the environment gave it.
            reward: since the last turn.
            vision: whether images of the observation become pictures.
            frame: shown besides; None = there is none.
        """
        pictures: list[Picture] = []
        if vision:
            observation = take_out(observation, pictures)
        framed = None
        if frame is not None:
            pictures.append(Picture(frame))
            framed = name(len(pictures))
        return cls(observation_message(step, to_json(observation), reward, framed), pictures)
