"""Both protocols against a real Ollama server, the one that `OLLAMA_HOST` names."""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from gym_llm.backends.base import Message
from gym_llm.backends.ollama import OllamaBackend
from gym_llm.errors import LLMError
from tests.gym_llm.backends.conftest import Ask, Connect


async def test_the_real_server_answers(real_server: tuple[str, str], connect: Connect, question: Ask) -> None:
    host, model = real_server
    schema = {"type": "object", "properties": {"action": {"enum": [3, 4]}}, "required": ["action"]}
    asked = replace(question(model=model, max_tokens=200, temperature=0.0), reply_schema=schema)
    reply = await connect(host).ask(asked)
    assert reply.requests == 1
    assert 0 < reply.usage.completion <= 200
    assert reply.usage.prompt > 100
    assert reply.cut or json.loads(reply.text)["action"] in (3, 4)


async def test_the_real_server_cuts(real_server: tuple[str, str], connect: Connect, question: Ask) -> None:
    host, model = real_server
    reply = await connect(host).ask(question(model=model, max_tokens=3))
    assert reply.cut
    assert reply.usage.completion == 3


async def test_the_real_server_repeats_itself(real_server: tuple[str, str], connect: Connect, question: Ask) -> None:
    host, model = real_server
    backend = connect(host)
    replies = [await backend.ask(question(model=model, max_tokens=30, seed=5)) for _ in range(2)]
    assert replies[0].text == replies[1].text


async def test_the_real_server_lacks_a_model(real_server: tuple[str, str], connect: Connect, question: Ask) -> None:
    with pytest.raises(LLMError, match=r"not found|ollama pull not-there"):
        await connect(real_server[0]).ask(question(model="not-there"))


async def test_the_real_server_lists_its_models(real_server: tuple[str, str], connect: Connect) -> None:
    host, model = real_server
    status = await connect(host).status()
    assert status.reachable
    assert model.removesuffix(":latest") in {name.removesuffix(":latest") for name in status.models}


@pytest.fixture
async def ollama(real_server: tuple[str, str]) -> AsyncIterator[OllamaBackend]:
    backend = OllamaBackend(host=real_server[0])
    yield backend
    await backend.aclose()


@pytest.mark.timeout(600)  # The model is loaded anew, once whoever else uses it lets go of it.
async def test_the_real_server_cuts_a_prompt_and_we_say_so(
    real_server: tuple[str, str], ollama: OllamaBackend, question: Ask
) -> None:
    asked = question(model=real_server[1], num_ctx=512, max_tokens=1)
    short: list[Message] = [{"role": "system", "content": "Be good."}, {"role": "user", "content": "Now?"}]
    turn: list[Message] = [
        {"role": "user", "content": "an observation of some words"},
        {"role": "assistant", "content": "an answer of some more"},
    ]
    problems = []
    for turns in (0, 1, 2, 60):  # Whole messages go, from the oldest on.
        messages = [short[0], *turn * turns, short[1]]
        problems.append((await ollama.ask(replace(asked, messages=messages))).problem)
    assert problems[:3] == [None] * 3
    assert "does not fit into num_ctx 512" in (problems[3] or "")
    alone: list[Message] = [short[0], {"role": "user", "content": "word " * 1000}]  # Even the newest one is too long.
    assert "does not fit into num_ctx 512" in ((await ollama.ask(replace(asked, messages=alone))).problem or "")


async def test_the_real_server_has_room_for_the_window(
    real_server: tuple[str, str], ollama: OllamaBackend, question: Ask
) -> None:
    host, model = real_server
    reply = await ollama.ask(question(model=model, max_tokens=1, history=2, keep_alive="7m"))
    assert reply.problem is None
    async with httpx.AsyncClient(base_url=host) as client:
        loaded = {row["name"]: row for row in (await client.get("/api/ps")).json()["models"]}
    expires = time.mktime(time.strptime(loaded[f"{model}:latest"]["expires_at"][:19], "%Y-%m-%dT%H:%M:%S"))
    assert 300 < expires - time.mktime(time.gmtime()) <= 421


@pytest.mark.parametrize("think", [True, False, "low"])
async def test_the_real_server_answers_whether_its_model_can_think_or_not(
    real_server: tuple[str, str], ollama: OllamaBackend, question: Ask, think: bool | str
) -> None:
    reply = await ollama.ask(question(model=real_server[1], max_tokens=3, think=think))
    assert reply.usage.completion == 3
    if reply.requests > 1:  # This one cannot.
        assert "asked again without this think" in (reply.problem or "")


async def test_the_real_server_is_not_shown_pictures_that_its_model_cannot_see(
    real_server: tuple[str, str], ollama: OllamaBackend, question: Ask
) -> None:
    asked = question(model=real_server[1], max_tokens=1)
    async with httpx.AsyncClient(base_url=real_server[0]) as client:
        shown = (await client.post("/api/show", json={"model": real_server[1]})).json()
    if "vision" in shown["capabilities"]:
        pytest.skip("this model can see")
    seen: list[Message] = [{"role": "user", "content": "What is it?", "images": [b"\x89PNG"]}]
    with pytest.raises(LLMError, match="does not take pictures"):
        await ollama.ask(replace(asked, messages=seen))
