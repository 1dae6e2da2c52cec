"""OpenAI, and every server that speaks its chat-completions protocol."""

import os
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import httpx2
import openai
import orjson

from gym_llm.backends.base import Message, Question, Reply, Usage, cut_by
from gym_llm.backends.failures import RequestError, http_failure, lost_connection
from gym_llm.backends.llm import LLMBackend, Offers, Parameters
from gym_llm.pricing import cost_usd

NO_KEY = "no-key-needed"
"""Sent to a compatible server that was configured without a key."""

OPENAI_HOST = "api.openai.com"
"""Anywhere else, a model's name says nothing about its price."""

# These never take a temperature, whatever the effort. Later ones do without effort; what they refuse, they tell.
_ALWAYS_REASON = re.compile(r"o\d|gpt-5(?!\.|-chat)")

# The part of JSON Schema that OpenAI's strict mode is documented to take.
_STRICT_KEYWORDS = frozenset(
    {"type", "title", "description", "enum", "const", "anyOf", "properties", "required", "additionalProperties"}
    | {"items", "minItems", "maxItems", "pattern", "format"}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
)


class OpenAIBackend(LLMBackend[openai.AsyncOpenAI]):
    """Chat completions with structured output.

    Args:
        api_key: None = `OPENAI_API_KEY`. None needed where the address of a compatible server is given.
        base_url: None = `OPENAI_BASE_URL`, else OpenAI itself.
        limits: `concurrency`, `timeout`, `attempts`, `backoff`, `max_backoff`; see `LLMBackend`.
    """

    name = "openai"

    def __init__(self, *, api_key: str | None = None, base_url: str | None = None, **limits: Any) -> None:
        super().__init__(**limits)
        self._given_key = api_key
        self._given_url = base_url

    def _base_url(self) -> str | None:
        return self._given_url or os.environ.get("OPENAI_BASE_URL") or None

    def _key(self) -> str | None:
        return self._given_key or os.environ.get("OPENAI_API_KEY") or (NO_KEY if self._base_url() else None)

    def _missing(self) -> str | None:
        return None if self._key() else "no API key: set OPENAI_API_KEY, or OPENAI_BASE_URL for a compatible server"

    def _connect(self) -> openai.AsyncOpenAI:
        # One connection more than questions, for `status()` under full load.
        limits = httpx2.Limits(max_connections=self.concurrency + 1, keepalive_expiry=15.0)
        return openai.AsyncOpenAI(
            api_key=self._key(),
            base_url=self._base_url(),
            max_retries=0,  # ours are counted and told
            timeout=httpx2.Timeout(self.timeout, connect=min(10.0, self.timeout)),
            http_client=openai.DefaultAioHttpClient(limits=limits),
        )

    def _offers(self, client: openai.AsyncOpenAI, question: Question) -> Offers:
        schema = {"name": "reply", "schema": question.reply_schema}
        formats: list[dict[str, Any]] = [
            {"type": "json_schema", "json_schema": {**schema, "strict": True}},
            {"type": "json_schema", "json_schema": {**schema, "strict": False}},
            {"type": "json_object"},
        ]
        if not takes_strict(question.reply_schema):
            del formats[0]
        agent = question.agent
        limits = ["max_completion_tokens", "max_tokens"]
        temperature = agent.temperature
        if client.base_url.host != OPENAI_HOST:
            # Many a compatible server passes over the name that it does not know, and with it the limit.
            limits.reverse()
        elif agent.reasoning_effort not in (None, "none") or _ALWAYS_REASON.match(agent.model):
            temperature = None
        return {
            "temperature": [] if temperature is None else [{"temperature": temperature}],
            "effort": [] if agent.reasoning_effort is None else [{"reasoning_effort": agent.reasoning_effort}],
            "seed": [{"seed": question.seed}],
            "limit": [] if agent.max_tokens is None else [{name: agent.max_tokens} for name in limits],
            "format": [{"response_format": kind} for kind in formats],
        }

    async def _send(self, client: openai.AsyncOpenAI, question: Question, parameters: Parameters) -> Reply:
        # `create` would transform every message, and the answer: most of the CPU that a request takes.
        messages: Sequence[Any] = question.messages
        if any(message.get("images") for message in question.messages):
            messages = [_in_parts(message) if message.get("images") else message for message in question.messages]
        body = {"model": question.agent.model, "messages": messages, **parameters}
        answer = await client.post("/chat/completions", content=orjson.dumps(body), cast_to=httpx2.Response)
        reply = _read(orjson.loads(answer.content))
        if client.base_url.host == OPENAI_HOST:
            used = reply.usage
            cost = cost_usd(
                self.name, question.agent.model, prompt=used.prompt, cached=used.cached, completion=used.completion
            )
            return replace(reply, cost_usd=cost)
        return reply

    async def _models(self, client: openai.AsyncOpenAI) -> Sequence[str]:
        answer = await client.models.with_raw_response.list()
        match orjson.loads(answer.http_response.content):
            case {"data": [*models]}:
                return [str(model["id"]) for model in models if isinstance(model, dict) and "id" in model]
        raise RequestError("HTTP 200, but the answer is not a list of models")

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except openai.APIStatusError as error:
            final = error.code == "insufficient_quota"
            raise http_failure(
                error.status_code,
                error.body,
                error.response.headers,
                secret=self._key(),
                parameter=error.param,
                final=final,
            ) from None
        except (openai.APIConnectionError, aiohttp.ClientError) as error:
            raise lost_connection(error) from None
        except (openai.APIError, ValueError) as error:
            raise RequestError(f"HTTP 200, but the answer cannot be read ({type(error).__name__})") from None


def _in_parts(message: Message) -> dict[str, Any]:
    urls = (f"data:image/png;base64,{b64encode(image).decode()}" for image in message["images"])
    pictures = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return {"role": message["role"], "content": [{"type": "text", "text": message["content"]}, *pictures]}


def _read(completion: Any) -> Reply:
    match completion:
        case {"choices": [{"message": {**message}, **choice}, *_], **rest}:
            text = message.get("content") or message.get("refusal") or ""
            return Reply(str(text), cut=cut_by(choice.get("finish_reason")), usage=_usage(rest.get("usage")))
    raise RequestError("HTTP 200, but the answer is not a chat completion")


def _usage(usage: Any) -> Usage:
    if not isinstance(usage, dict):
        return Usage()
    details = usage.get("prompt_tokens_details") or {}
    return Usage(
        usage.get("prompt_tokens") or 0, details.get("cached_tokens") or 0, usage.get("completion_tokens") or 0
    )


def takes_strict(schema: Any) -> bool:
    """Whether OpenAI's strict mode takes this JSON Schema."""
    if not isinstance(schema, Mapping) or not set(schema) <= _STRICT_KEYWORDS:
        return False
    properties = schema.get("properties", {})
    if schema.get("type") == "object" and not (
        schema.get("additionalProperties") is False and set(schema.get("required", ())) == set(properties)
    ):
        return False
    parts = [*properties.values(), *schema.get("anyOf", ())]
    if "items" in schema:
        parts.append(schema["items"])
    return all(map(takes_strict, parts))
