"""`memory`: a running summary of what fell out of the window, and lessons carried from episode to episode."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from gym_llm.decision import storable
from gym_llm.errors import InvalidReplyError
from gym_llm.lessons import MAX_LEARNED, MAX_LESSON
from gym_llm.prompt import REFLECT, Words, compact
from gym_llm.strategies.base import Aside, Ending, Strategy

MAX_SUMMARY = 1000
"""Characters."""


class Memory(Strategy):
    """Summary and lessons are seen above the oldest turn that is shown."""

    words: ClassVar[Words] = replace(
        REFLECT,
        keys="""\
- "lessons": what earlier episodes of this environment have taught you; only in the oldest turn that you see, if any.
- "summary": what happened in this episode before the oldest turn that you see; only in that turn, if anything did.""",
    )

    def begin(self, lessons: Sequence[str]) -> None:
        self.in_view = {"lessons": list(lessons)} if lessons else {}

    def before_cut(self) -> Aside[str]:
        return Aside(
            "The older half of the turns that you see is about to be forgotten. Write a summary for yourself that "
            "takes its place, and the place of the summary so far, if there is one: what you did, what each action "
            "turned out to do, how the situation developed, what to keep in mind.",
            "summary",
            {"type": "string", "maxLength": MAX_SUMMARY},
            _summary,
        )

    def cut(self, turns: int, notes: Mapping[str, str]) -> None:
        if "summary" in notes:
            self.in_view = {**self.in_view, "summary": notes["summary"]}

    def after_episode(self, ending: Ending) -> Aside[list[str]]:
        end = {
            "steps": ending.steps,
            "total_reward": round(ending.total_reward, 4),
            "ended_by": "step limit" if ending.truncated else "environment",
        }
        if ending.success is not None:
            end["success"] = ending.success
        return Aside(
            f"The episode is over: {compact(end)}. Another one of the same environment may follow, from another start, "
            f"of which you will know nothing but your lessons. Write one to {MAX_LEARNED} lessons, each one short "
            "sentence that says what to do or to avoid, and when. Say nothing that holds for this episode only, and "
            "nothing that you have been told as a lesson before.",
            "lessons",
            {
                "type": "array",
                "items": {"type": "string", "maxLength": MAX_LESSON},
                "minItems": 1,
                "maxItems": MAX_LEARNED,
            },
            _lessons,
        )


def _summary(value: Any) -> str:
    if not isinstance(value, str) or not (summary := storable(value).strip()):
        raise InvalidReplyError('"summary" must be a string that says something')
    return summary[:MAX_SUMMARY]


def _lessons(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(lesson, str) for lesson in value):
        raise InvalidReplyError('"lessons" must be a list of strings')
    said = [lesson for text in value if (lesson := " ".join(storable(text).split()))]
    return [lesson[:MAX_LESSON] for lesson in said[:MAX_LEARNED]]
