"""Ollama, through its own protocol."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import aiohttp
import httpx
import ollama
from httpx_aiohttp import AiohttpTransport

from gym_llm.backends.base import Question, Reply, Usage
from gym_llm.backends.failures import RequestError, http_failure, lost_connection
from gym_llm.backends.llm import LLMBackend, Offers, Parameters

MAX_REFLECTION = 600
"""Characters; the prompt asks for one to three short sentences."""


class OllamaBackend(LLMBackend[ollama.AsyncClient]):
    """`/api/chat` with structured output.

    Args:
        host: None = `OLLAMA_HOST`, else http://127.0.0.1:11434.
        num_ctx: Context window in tokens; Ollama cuts a longer prompt without a word. None = the server's own.
        limits: `concurrency`, `timeout`, `attempts`, `backoff`, `max_backoff`; see `LLMBackend`.
    """

    name = "ollama"

    def __init__(self, *, host: str | None = None, num_ctx: int | None = None, **limits: Any) -> None:
        super().__init__(**limits)
        self._host = host
        self._num_ctx = num_ctx

    def _connect(self) -> ollama.AsyncClient:
        # httpx's own pool takes time in the square of the requests in flight.
        return ollama.AsyncClient(
            host=self._host,
            timeout=httpx.Timeout(self.timeout, connect=min(10.0, self.timeout)),
            transport=AiohttpTransport(client=self._session),
            event_hooks={"response": [_raise_on_error]},
        )

    def _session(self) -> aiohttp.ClientSession:
        # One connection more than questions, for `status()` under full load. Not `trust_env`: it looks for a proxy and
        # for a password in a thread, anew for every request.
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=self.concurrency + 1))

    def _offers(self, client: ollama.AsyncClient, question: Question) -> Offers:
        return {
            "temperature": [] if question.temperature is None else [{"temperature": question.temperature}],
            "seed": [{"seed": question.seed}],
            "limit": [] if question.max_tokens is None else [{"num_predict": question.max_tokens}],
            "context": [] if self._num_ctx is None else [{"num_ctx": self._num_ctx}],
            "format": [{"format": _ending(question.reply_schema)}, {"format": "json"}],
        }

    async def _send(self, client: ollama.AsyncClient, question: Question, parameters: Parameters) -> Reply:
        options = dict(parameters)
        format_ = options.pop("format", None)
        try:
            answer = await client.chat(question.model, question.messages, format=format_, options=options)
        except RequestError as error:
            if error.status == 404 and "model" in str(error):
                pull = f"model {question.model!r} is not there: run `ollama pull {question.model}`"
                raise RequestError(pull, status=404) from None
            raise
        return Reply(
            text=answer.message.content or "",
            cut=answer.done_reason == "length",
            usage=Usage(prompt=answer.prompt_eval_count or 0, completion=answer.eval_count or 0),
        )

    async def _models(self, client: ollama.AsyncClient) -> Sequence[str]:
        return [model.model for model in (await client.list()).models if model.model]

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (httpx.RequestError, aiohttp.ClientError, ConnectionError) as error:
            raise lost_connection(error) from None
        except (ValueError, TypeError) as error:
            raise RequestError(f"HTTP 200, but the answer cannot be read ({type(error).__name__})") from None


def _ending(reply_schema: dict[str, Any]) -> dict[str, Any]:
    # Held to a grammar, a small model that falls into repeating itself never ends its string, and Ollama lets it.
    properties = {
        name: {**schema, "maxLength": MAX_REFLECTION} if name == "reflection" else schema
        for name, schema in reply_schema.get("properties", {}).items()
    }
    return {**reply_schema, "properties": properties}


async def _raise_on_error(response: httpx.Response) -> None:
    # Here and not from the SDK's own exception, which has lost the headers.
    if response.is_error:
        await response.aread()
        try:
            body = response.json()
        except ValueError:
            body = response.text
        raise http_failure(response.status_code, body, response.headers, secret=os.environ.get("OLLAMA_API_KEY"))
