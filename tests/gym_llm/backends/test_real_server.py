"""Both protocols against a real Ollama server, the one that `OLLAMA_HOST` names."""

import json

import pytest

from gym_llm.errors import LLMError
from tests.gym_llm.backends.conftest import Ask, Connect


async def test_the_real_server_answers(real_server: tuple[str, str], connect: Connect, question: Ask) -> None:
    host, model = real_server
    schema = {"type": "object", "properties": {"action": {"enum": [3, 4]}}, "required": ["action"]}
    reply = await connect(host).ask(question(model=model, reply_schema=schema, max_tokens=200, temperature=0.0))
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
