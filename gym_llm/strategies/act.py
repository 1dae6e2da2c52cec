"""`act`: no reflection. The control group, which shows what reflecting is worth."""

from collections.abc import Mapping
from typing import Any, ClassVar

from gym_llm.prompt import Words
from gym_llm.strategies.base import Strategy


class Act(Strategy):
    """Answers with an action alone."""

    words: ClassVar[Words] = Words(
        intro="You are an agent that acts in an environment, one action at a time. Each turn you are shown the newest "
        "observation, and you choose exactly one action.",
        fields=(),
    )

    def read(self, values: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
        """What a model says in spite of being asked not to is not kept."""
        return "", {}
