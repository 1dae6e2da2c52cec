"""The port between an agent and whatever produces its decisions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NotRequired, Protocol, TypedDict

from gym_llm.config import AgentConfig
from gym_llm.llm_env import EnvDefinition


class Message(TypedDict):
    """One chat message. Each backend writes it as its own protocol spells it."""

    role: str
    content: str
    images: NotRequired[Sequence[bytes]]
    """PNG files, shown to models that can see."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens billed: `cached` is the part of `prompt` that the provider had cached."""

    prompt: int = 0
    cached: int = 0
    completion: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.prompt + other.prompt, self.cached + other.cached, self.completion + other.completion)


@dataclass(frozen=True, slots=True)
class Question:
    """Everything a backend may need for one decision.

    A language model answers `messages`; a baseline answers `observation` and ignores them.
    """

    messages: Sequence[Message]
    reply_schema: dict[str, Any]
    agent: AgentConfig
    """Which model, and how it is asked."""
    seed: int
    """Of the episode."""
    step: int
    """The step that the action is for, from 1."""
    observation: Any
    definition: EnvDefinition


Cut = Literal["limit", "server"]
"""What ended a text too early: its token limit, or its server, as Ollama where a model repeats itself on and on."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: the text, what cut it short if anything did, and what it took to get it."""

    text: str
    cut: Cut | None = None
    usage: Usage = field(default_factory=Usage)
    cost_usd: float | None = None
    """At list prices; None where the price is not known."""
    requests: int = 1
    """Requests sent for it, the ones that failed and were retried included."""
    problem: str | None = None
    """The last failure that a retry mended, in words."""


def cut_by(reason: object) -> Cut | None:
    """What ended a text too early, by the reason that its server gives for the end; none = it broke the text off."""
    if reason is None:
        return "server"
    return "limit" if reason == "length" else None


@dataclass(frozen=True, slots=True)
class BackendStatus:
    """What `GET /backends` tells of a backend; never a key, never an address with credentials."""

    name: str
    configured: bool
    reachable: bool
    models: tuple[str, ...] = ()
    detail: str | None = None
    concurrency: int | None = None
    """Requests that this process lets be in flight right now; None = as many as there are."""
    max_concurrency: int | None = None
    """What it is while the server does not ask for less."""


class Backend(Protocol):
    """Produces replies. One instance serves many agents at once, from one event loop."""

    name: str

    async def ask(self, question: Question) -> Reply:
        """Answer one question.

        Raises:
            LLMError: no answer could be had, after every retry that made sense.
        """
        ...

    async def status(self) -> BackendStatus:
        """Whether it can be used right now; never raises."""
        ...

    async def aclose(self) -> None:
        """Give back connections."""
        ...
