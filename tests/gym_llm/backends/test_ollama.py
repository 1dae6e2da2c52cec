"""What only Ollama's protocol has."""

import pytest

from gym_llm.backends.ollama import OllamaBackend
from gym_llm.errors import LLMError
from tests.gym_llm.backends.conftest import Ask
from tests.scripted_llm.fixtures import Serving


async def test_a_reply_is_asked_for_by_its_schema(
    scripted_llm: Serving, question: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", scripted_llm.url)
    backend = OllamaBackend(num_ctx=8192)
    asked = question(max_tokens=100)
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
