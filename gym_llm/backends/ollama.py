"""Ollama, through its own protocol."""

import asyncio
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import aiohttp
import httpx
import ollama
from httpx_aiohttp import AiohttpTransport

from gym_llm.backends.base import Question, Reply, Usage, cut_by
from gym_llm.backends.context import Context
from gym_llm.backends.failures import RequestError, http_failure, lost_connection
from gym_llm.backends.llm import LLMBackend, Offers, Parameters
from gym_llm.errors import LLMError

MAX_REFLECTION = 600
"""Characters; the prompt asks for one to three short sentences."""
SHOW_TIMEOUT = 10.0
"""Seconds that a model's description may take."""

_log = logging.getLogger(__name__)


class OllamaBackend(LLMBackend[ollama.AsyncClient]):
    """`/api/chat` with structured output.

    Args:
        host: None = `OLLAMA_HOST`, else http://127.0.0.1:11434.
        limits: `concurrency`, `timeout`, `attempts`, `backoff`, `max_backoff`; see `LLMBackend`.
    """

    name = "ollama"

    def __init__(self, *, host: str | None = None, **limits: Any) -> None:
        super().__init__(**limits)
        self._host = host
        self._contexts: dict[str, Context] = {}
        self._describing = asyncio.Lock()

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

    async def _prepare(self, client: ollama.AsyncClient, question: Question) -> None:
        model = question.agent.model
        if model not in self._contexts:
            async with self._describing:  # Many agents come at once; one request is enough.
                if model not in self._contexts:
                    self._contexts[model] = await self._describe(client, model)
        known = self._contexts[model].capabilities
        if known is not None and "vision" not in known and any(m.get("images") for m in question.messages):
            # Ollama would leave the pictures out, and say nothing.
            raise LLMError(f"{self.name}: model {model!r} does not take pictures: it can do {', '.join(known)} only")

    async def _describe(self, client: ollama.AsyncClient, model: str) -> Context:
        try:
            async with asyncio.timeout(min(SHOW_TIMEOUT, self.timeout)):
                with self._failures():
                    told = await client.show(model)
        except (TimeoutError, RequestError):
            return Context()  # The question itself will tell what is wrong.
        longest = [value for name, value in (told.modelinfo or {}).items() if name.endswith(".context_length")]
        return Context(max(longest, default=None), told.capabilities)

    def _offers(self, client: ollama.AsyncClient, question: Question) -> Offers:
        agent = question.agent
        thinks = [] if agent.think is None else [agent.think]
        if isinstance(agent.think, str):
            thinks.append(True)  # Not every model, nor every version of the server, knows levels.
        return {
            "temperature": [] if agent.temperature is None else [{"temperature": agent.temperature}],
            "seed": [{"seed": question.seed}],
            "limit": [] if agent.max_tokens is None else [{"num_predict": agent.max_tokens}],
            "context": [{"num_ctx": self._contexts[agent.model].size(question)}],
            "think": [{"think": think} for think in thinks],
            "format": [{"format": _ending(question.reply_schema)}, {"format": "json"}],
        }

    async def _send(self, client: ollama.AsyncClient, question: Question, parameters: Parameters) -> Reply:
        model = question.agent.model
        options = dict(parameters)
        format_, think = options.pop("format", None), options.pop("think", None)
        try:
            answer = await client.chat(
                model,
                question.messages,
                format=format_,
                options=options,
                think=think,
                keep_alive=question.agent.keep_alive,
            )
        except RequestError as error:
            if error.status == 404 and "model" in str(error):
                pull = f"model {model!r} is not there: run `ollama pull {model}`"
                raise RequestError(pull, status=404) from None
            raise
        context, read = self._contexts[model], answer.prompt_eval_count or 0
        problem = context.cut(question, options["num_ctx"], read) if "num_ctx" in options else None
        if problem and not context.told:
            context.told = True
            _log.warning("%s: %s: %s", self.name, model, problem)
        return Reply(
            text=answer.message.content or "",  # What the model thought first is in `thinking`, and is no reflection.
            cut=cut_by(answer.done_reason),
            usage=Usage(prompt=read, completion=answer.eval_count or 0),
            problem=problem,
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
        parameter = "think" if "does not support thinking" in response.text else None
        raise http_failure(
            response.status_code,
            body,
            response.headers,
            secret=os.environ.get("OLLAMA_API_KEY"),
            parameter=parameter,
        )
