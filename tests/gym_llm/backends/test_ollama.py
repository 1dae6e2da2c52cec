"""What only Ollama's protocol has."""

import asyncio
from dataclasses import replace

import pytest

from gym_llm.backends.ollama import OllamaBackend
from gym_llm.errors import LLMError
from tests.gym_llm.backends.conftest import Ask
from tests.scripted_llm.fixtures import Serving, serving


async def test_a_reply_is_asked_for_by_its_schema(
    scripted_llm: Serving, question: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", scripted_llm.url)
    backend = OllamaBackend()
    asked = question(max_tokens=100, num_ctx=8192)
    await backend.ask(asked)
    await backend.aclose()
    (sent,) = scripted_llm.llm.parameters
    options = {"temperature": 0.5, "seed": 7, "num_predict": 100, "num_ctx": 8192}
    assert sent["options"] == options
    reflection = sent["format"]["properties"]["reflection"]
    assert reflection.pop("maxLength") > 0  # or a model that repeats itself would never end
    assert sent["format"] == asked.reply_schema
    assert list(sent["format"]["properties"]) == ["reflection", "action"]
    assert sent["stream"] is False


async def test_a_model_that_is_not_there_can_be_pulled(scripted_llm: Serving, question: Ask) -> None:
    backend = OllamaBackend(host=scripted_llm.url)
    with pytest.raises(LLMError, match="run `ollama pull llama9`"):
        await backend.ask(question(model="llama9"))
    await backend.aclose()


async def test_a_server_may_know_no_schemas(scripted_llm: Serving, question: Ask) -> None:
    scripted_llm.disturb("*=refuse-format")
    backend = OllamaBackend(host=scripted_llm.url, attempts=1)
    assert (await backend.ask(question())).requests == 3
    assert "format" not in scripted_llm.llm.parameters[-1]
    await backend.aclose()


async def test_an_address_that_is_none_is_told(question: Ask) -> None:
    backend = OllamaBackend(host="http://localhost:port")
    with pytest.raises(LLMError, match="address is not valid"):
        await backend.ask(question())
    assert not (await backend.status()).reachable


async def test_thoughts_are_asked_for_and_are_no_reflection(scripted_llm: Serving, question: Ask) -> None:
    backend = OllamaBackend(host=scripted_llm.url)
    reply = await backend.ask(question(think="low", keep_alive="10m"))
    (sent,) = scripted_llm.llm.parameters
    assert (sent["think"], sent["keep_alive"]) == ("low", "10m")
    assert "Let me think" not in reply.text
    await backend.ask(question(2, think=False, keep_alive=-1))
    assert (scripted_llm.llm.parameters[-1]["think"], scripted_llm.llm.parameters[-1]["keep_alive"]) == (False, -1)
    await backend.ask(question(3))
    assert scripted_llm.llm.parameters[-1].keys().isdisjoint({"think", "keep_alive"})
    await backend.aclose()


async def test_a_model_that_cannot_think_answers_all_the_same(question: Ask) -> None:
    with serving(capabilities=("completion",)) as server:
        backend = OllamaBackend(host=server.url, attempts=1)
        reply = await backend.ask(question(think=True))
        assert (reply.requests, bool(reply.text)) == (2, True)
        assert "does not support thinking, asked again without this think" in (reply.problem or "")
        assert (await backend.ask(question(2, think=True))).requests == 1
        assert "think" not in server.llm.parameters[-1]
        await backend.aclose()


async def test_a_server_may_know_no_levels_of_thought(scripted_llm: Serving, question: Ask) -> None:
    scripted_llm.disturb("1=refuse-think")
    backend = OllamaBackend(host=scripted_llm.url, attempts=1)
    assert (await backend.ask(question(1, think="high"))).requests == 3
    assert [sent.get("think") for sent in scripted_llm.llm.parameters] == ["high", True, None]
    await backend.aclose()


async def test_the_context_is_sized_once_for_the_longest_prompt_to_come(question: Ask) -> None:
    with serving() as server:
        backend = OllamaBackend(host=server.url)
        for step in range(1, 4):
            await backend.ask(question(step, history=50))
        assert {sent["num_ctx"] for sent in server.llm.parameters} == {32768}
        await backend.ask(question(4, history=1))  # The same model: not loaded anew for a shorter window.
        assert server.llm.parameters[-1]["num_ctx"] == 32768
        await backend.aclose()


async def test_but_not_beyond_what_the_model_was_made_for(question: Ask) -> None:
    with serving(context_length=10_000) as server:
        backend = OllamaBackend(host=server.url)
        await asyncio.gather(*(backend.ask(question(step, history=500)) for step in range(1, 9)))
        assert {sent["num_ctx"] for sent in server.llm.parameters} == {10_000}
        assert server.llm.described == 1
        await backend.aclose()


async def test_a_prompt_that_does_not_fit_is_told_and_logged_once(
    question: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    with serving() as server:
        backend = OllamaBackend(host=server.url)
        asked = question(num_ctx=1024)
        turns = [
            message
            for number in range(30)
            for message in (
                {"role": "user", "content": f"observation {number} " * 10},
                {"role": "assistant", "content": "an answer " * 10},
            )
        ]
        problems = []
        for count in range(0, 61, 2):
            messages = [asked.messages[0], *turns[:count], asked.messages[-1]]
            reply = await backend.ask(replace(asked, messages=messages))
            fits = sum(len(message["content"]) for message in messages) // 4 <= 1024
            assert (reply.problem is None) == fits, count
            problems.append(reply.problem)
        assert None in problems
        assert "the prompt does not fit into num_ctx 1024: Ollama has left out its oldest part" in (problems[-1] or "")
        assert caplog.text.count("does not fit into num_ctx") == 1
        await backend.aclose()


async def test_what_did_not_fit_makes_the_context_grow(question: Ask) -> None:
    with serving() as server:
        backend = OllamaBackend(host=server.url)
        asked = question(history=1)
        long = [asked.messages[0], {"role": "user", "content": "word " * 20_000}, asked.messages[-1]]
        await backend.ask(asked)
        assert server.llm.parameters[-1]["num_ctx"] == 4096
        reply = await backend.ask(replace(asked, messages=long))
        assert reply.problem is None
        assert server.llm.parameters[-1]["num_ctx"] == 32768
        await backend.aclose()


async def test_a_model_that_cannot_see_is_not_shown_pictures(question: Ask) -> None:
    with serving(capabilities=("completion",)) as server:
        backend = OllamaBackend(host=server.url)
        asked = question()
        messages = [asked.messages[0], {**asked.messages[1], "images": [b"a picture"]}]
        with pytest.raises(LLMError, match="'scripted' does not take pictures: it can do completion only"):
            await backend.ask(replace(asked, messages=messages))
        assert server.llm.asked.total() == 0
        await backend.aclose()
