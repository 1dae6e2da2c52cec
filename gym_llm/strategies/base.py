"""What every strategy is made of, and the default one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from gym_llm.decision import Decision, read_text
from gym_llm.prompt import REFLECT, Words, compact
from gym_llm.spaces import JsonSchema

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Aside(Generic[T]):
    """A question beside those for actions. Its answer is one JSON object with one key, `field`."""

    request: str
    field: str
    schema: JsonSchema
    """Of the field."""
    read: Callable[[Any], T]
    """The field's value made sense of; raises `InvalidReplyError`."""

    @property
    def reply_schema(self) -> JsonSchema:
        """The JSON Schema of the answer."""
        return {
            "type": "object",
            "properties": {self.field: self.schema},
            "required": [self.field],
            "additionalProperties": False,
        }

    @property
    def message(self) -> str:
        """The request with the form of its answer."""
        return (
            f"{self.request} This time choose no action: answer with one JSON object that is valid against this "
            f"JSON Schema and nothing else: {compact(self.reply_schema)}"
        )


@dataclass(frozen=True, slots=True)
class Ending:
    """How an episode ended."""

    steps: int
    total_reward: float
    truncated: bool
    success: bool | None


class Strategy:
    """`reflect`: one reflection before each action, and nothing kept beyond the window.

    The others change the words, and hook into an episode's course. All that a strategy keeps is a function of the
    lessons that the episode began with and of the notes of its decisions, in their order, so that an interrupted
    episode can be taken up again from its record.
    """

    words: ClassVar[Words] = REFLECT

    def __init__(self) -> None:
        self.in_view: dict[str, Any] = {}
        """Said at the top of the oldest turn that is shown. It changes only where the window is cut, so that prompt
        caches keep their prefix in between."""

    def begin(self, lessons: Sequence[str]) -> None:
        """An episode begins; `lessons` are those of earlier ones."""
        self.in_view = {}

    def read(self, values: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
        """The reflection and the notes of a reply that has all of its keys.

        Raises:
            InvalidReplyError: a value is wrong.
        """
        return read_text(values, "reflection"), {}

    def reply_text(self, decision: Decision) -> str:
        """A decision as the text of a reply."""
        values = {"reflection": decision.reflection, **decision.notes}
        return compact(
            {field.name: values.get(field.name) for field in self.words.fields} | {"action": decision.action}
        )

    def before_cut(self) -> Aside[str] | None:
        """The question to ask before the oldest turns fall out of the window; its answer becomes a note."""
        return None

    def cut(self, turns: int, notes: Mapping[str, str]) -> None:
        """The oldest `turns` fall out of the window; `notes` are those of the decision that is being made."""

    def decided(self, notes: Mapping[str, str]) -> None:
        """A decision was made."""

    def after_episode(self, ending: Ending) -> Aside[list[str]] | None:
        """The question about what to do differently in later episodes."""
        return None
