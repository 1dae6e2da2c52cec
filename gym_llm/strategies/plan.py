"""`plan`: a plan that is made, kept in view and revised."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from gym_llm.decision import read_text, storable
from gym_llm.errors import InvalidReplyError
from gym_llm.prompt import REFLECT, REFLECTION, ReplyField, Words
from gym_llm.strategies.base import Strategy

MAX_PLAN = 600
"""Characters."""

PLAN = ReplyField(
    "plan",
    {
        "type": ["string", "null"],
        "maxLength": MAX_PLAN,
        "description": "The plan from now on; null keeps the one you have.",
    },
    "your plan from now on, a string of two to five short numbered steps, where you make or change it; null where you "
    "keep the one that you have.",
    '<"1. <first step> 2. <next step>" or null>',
)


class Plan(Strategy):
    """The plan in force is seen in the answer that made it, and once that is cut off, above the oldest turn."""

    words: ClassVar[Words] = replace(
        REFLECT,
        intro="You are an agent that acts in an environment, one action at a time. Each turn you are shown the newest "
        "observation; you reflect on it and on the turns before it, make a plan or revise the one that you have where "
        "it no longer fits, and then choose exactly one action.",
        fields=(REFLECTION, PLAN),
        how_to_reflect=f"""\
{REFLECT.how_to_reflect}
- Make a plan on the first turn: the steps that lead from here to the goal, each with the sign that it is done.
- Follow your plan; revise it when its next step is done or an observation contradicts it, and keep it otherwise.""",
        keys='- "plan": your plan from before the oldest turn that you still see; only in that turn, if you had one.',
    )

    def begin(self, lessons: Sequence[str]) -> None:
        self.in_view = {}
        self._plans: list[str | None] = []
        """In force after each turn of the window."""
        self._before: str | None = None

    def read(self, values: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
        reflection = read_text(values, "reflection")
        if values["plan"] is None:
            return reflection, {}
        if not isinstance(values["plan"], str):
            raise InvalidReplyError('"plan" must be a string or null')
        plan = storable(values["plan"]).strip()[:MAX_PLAN]
        return reflection, {"plan": plan} if plan else {}

    def decided(self, notes: Mapping[str, str]) -> None:
        before = self._plans[-1] if self._plans else self._before
        self._plans.append(notes.get("plan", before))

    def cut(self, turns: int, notes: Mapping[str, str]) -> None:
        self._before = self._plans[turns - 1]
        del self._plans[:turns]
        self.in_view = {"plan": self._before} if self._before is not None else {}
