"""What only OpenAI's protocol has."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from gym_llm.backends.base import Message
from gym_llm.backends.openai import OpenAIBackend, takes_strict
from gym_llm.errors import LLMError
from tests.gym_llm.backends.conftest import Ask
from tests.scripted_llm.fixtures import Serving


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


@pytest.fixture
async def backend(scripted_llm: Serving) -> AsyncIterator[OpenAIBackend]:
    backend = OpenAIBackend(base_url=scripted_llm.openai_url, api_key="key", backoff=0.0)
    yield backend
    await backend.aclose()


async def test_without_a_key_it_says_so(question: Ask) -> None:
    backend = OpenAIBackend()
    status = await backend.status()
    assert (status.configured, status.reachable) == (False, False)
    assert status.detail is not None
    assert "OPENAI_API_KEY" in status.detail
    with pytest.raises(LLMError, match="openai: no API key: set OPENAI_API_KEY"):
        await backend.ask(question())
    await backend.aclose()


async def test_a_compatible_server_needs_no_key(
    scripted_llm: Serving, question: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = OpenAIBackend()
    monkeypatch.setenv("OPENAI_BASE_URL", scripted_llm.openai_url)
    assert (await backend.ask(question())).requests == 1
    await backend.aclose()


async def test_an_address_that_is_none_is_told(question: Ask) -> None:
    backend = OpenAIBackend(base_url="http://localhost:port", api_key="key")
    with pytest.raises(LLMError, match="address is not valid"):
        await backend.ask(question())
    assert not (await backend.status()).reachable


async def test_a_reply_is_asked_for_by_its_schema(scripted_llm: Serving, backend: OpenAIBackend, question: Ask) -> None:
    asked = question(max_tokens=100)
    await backend.ask(asked)
    (sent,) = scripted_llm.llm.parameters
    schema = {"name": "reply", "schema": asked.reply_schema, "strict": True}
    assert sent == {
        "model": "scripted",
        "temperature": 0.5,
        "seed": 7,
        "max_tokens": 100,
        "response_format": {"type": "json_schema", "json_schema": schema},
    }


async def test_a_server_may_know_only_the_new_name_of_the_limit(
    scripted_llm: Serving, backend: OpenAIBackend, question: Ask
) -> None:
    scripted_llm.disturb("*=refuse-max_tokens")
    await backend.ask(question(1, max_tokens=100))
    assert (await backend.ask(question(2, max_tokens=50))).requests == 1
    assert scripted_llm.llm.parameters[-1]["max_completion_tokens"] == 50


async def test_openai_itself_is_sent_the_new_name_first(question: Ask) -> None:
    backend = OpenAIBackend(api_key="key")
    client = backend._connect()
    assert backend._offers(client, question(max_tokens=9))["limit"] == [{"max_completion_tokens": 9}, {"max_tokens": 9}]
    await client.close()


@pytest.mark.parametrize(
    ("model", "effort", "temperature"),
    [
        ("gpt-4o", None, True),
        ("gpt-5-chat-latest", None, True),
        ("gpt-5.1", None, True),
        ("gpt-5.1", "none", True),
        ("gpt-5.1", "high", False),
        ("o4-mini", None, False),
        ("gpt-5-mini", None, False),
        ("omni", None, True),
    ],
)
async def test_openai_itself_is_sent_no_temperature_where_the_model_reasons(
    question: Ask, model: str, effort: str | None, temperature: bool
) -> None:
    backend = OpenAIBackend(api_key="key")
    client = backend._connect()
    offers = backend._offers(client, question(backend="openai", model=model, reasoning_effort=effort))
    assert bool(offers["temperature"]) is temperature
    assert offers["effort"] == ([{"reasoning_effort": effort}] if effort else [])
    await client.close()


async def test_effort_is_sent_and_thoughts_are_counted(
    scripted_llm: Serving, backend: OpenAIBackend, question: Ask
) -> None:
    scripted_llm.disturb("1=thought-cut")
    reply = await backend.ask(question(backend="openai", reasoning_effort="high", max_tokens=50))
    assert scripted_llm.llm.parameters[-1]["reasoning_effort"] == "high"
    assert (reply.text, reply.cut) == ("", "limit")
    assert reply.usage.completion > 50  # Thoughts are billed like words.


async def test_a_model_without_reasoning_answers_all_the_same(
    scripted_llm: Serving, backend: OpenAIBackend, question: Ask
) -> None:
    scripted_llm.disturb("*=refuse-reasoning_effort")
    reply = await backend.ask(question(backend="openai", reasoning_effort="low"))
    assert (reply.requests, bool(reply.text)) == (2, True)
    assert "asked again without this reasoning_effort" in (reply.problem or "")


async def test_a_server_may_know_no_schemas(scripted_llm: Serving, backend: OpenAIBackend, question: Ask) -> None:
    scripted_llm.disturb("*=refuse-json_schema")
    assert (await backend.ask(question(1))).requests == 3
    assert scripted_llm.llm.parameters[-1]["response_format"] == {"type": "json_object"}
    scripted_llm.disturb("*=refuse-response_format")
    assert (await backend.ask(question(2))).requests == 2
    assert "response_format" not in scripted_llm.llm.parameters[-1]


async def test_a_refusal_is_the_text(scripted_llm: Serving, backend: OpenAIBackend, question: Ask) -> None:
    scripted_llm.disturb("1=declined")
    assert (await backend.ask(question())).text == "I'm sorry, I cannot help with that."


async def test_a_quota_that_is_used_up_is_not_retried(
    scripted_llm: Serving, backend: OpenAIBackend, question: Ask
) -> None:
    scripted_llm.disturb("1=quota:always")
    with pytest.raises(LLMError, match="HTTP 429: you exceeded your current quota"):
        await backend.ask(question())
    assert scripted_llm.llm.asked.total() == 1


async def test_cached_tokens_are_counted(backend: OpenAIBackend, question: Ask) -> None:
    history: list[Message] = [
        {"role": "system", "content": "rules " * 1000},
        {"role": "user", "content": "{}"},
        {"role": "assistant", "content": "{}"},
        *question().messages[1:],
    ]
    reply = await backend.ask(replace(question(), messages=history))
    assert reply.usage.cached == 1408
    assert reply.usage.prompt >= 1500
    assert reply.cost_usd is None


@pytest.mark.parametrize(
    ("action", "strict"),
    [
        ({"type": "integer", "enum": [0, 1]}, True),
        ({"type": "array", "items": {"type": "number", "minimum": -1.0, "maximum": 1.0}, "minItems": 2}, True),
        ({"type": "array", "prefixItems": [{"type": "integer"}], "items": False}, False),
        ({"type": "string", "minLength": 1, "maxLength": 5}, False),
        ({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}, False),
        ({"type": "object", "properties": {}, "required": [], "additionalProperties": False}, True),
    ],
)
def test_strict_mode_only_where_the_schema_allows_it(action: dict[str, Any], strict: bool) -> None:
    schema = {"type": "object", "properties": {"a": action}, "required": ["a"], "additionalProperties": False}
    assert takes_strict(schema) is strict
